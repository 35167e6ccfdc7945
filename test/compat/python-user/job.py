import getpass
import os
import pathlib

cache = pathlib.Path.home() / ".cache" / "job"
cache.mkdir(parents=True, exist_ok=True)
(cache / "model").write_text(getpass.getuser())
print("cached for", (cache / "model").read_text(), "in", os.path.expanduser("~" + getpass.getuser()))
