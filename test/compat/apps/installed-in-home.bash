# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# Programs and modules were installed for root alone, in its home.

kind='home'
volumes=0
images() {
  image app <<'DOCKERFILE'
FROM compat/base
RUN mkdir -p ~/.local/bin ~/.local/lib/python3.11/site-packages && echo 'word = "found"' >~/.local/lib/python3.11/site-packages/shopmodule.py && \
    printf '#!/bin/sh\nexec python3 -c "import shopmodule; print(shopmodule.word)"\n' >~/.local/bin/shop && chmod 755 ~/.local/bin/shop && \
    printf '[user]\n\tname = builder\n' >~/.gitconfig
ENV PATH=/root/.local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
CMD ["sh", "-ec", "mkdir -p /run/shop; shop >/run/shop/word; cat ~/.gitconfig >>/run/shop/word; exec serve /run/shop"]
DOCKERFILE
}
start() { run app app; }
check() { get app /word | says found && get app /word | says builder && stores app; }
kept() { stored app; }
