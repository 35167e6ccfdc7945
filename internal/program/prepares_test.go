// SPDX-License-Identifier: Apache-2.0

package program

import (
	"strings"
	"testing"
)

// TestPrepares: a command that only handles files, and gives those of a volume to one user.
func TestPrepares(t *testing.T) {
	sh := func(script string) []string { return []string{"/bin/sh", "-ec", script} }
	for _, test := range []struct {
		args     []string
		uid, gid uint32
	}{
		{[]string{"chown", "-R", "1000:1001", "/data"}, 1000, 1001},
		{[]string{"/bin/chown", "-R", "-h", "1000", "/data/below"}, 1000, 0},
		{[]string{"chown", "1000:", "/x", "/data"}, 1000, 0},
		{[]string{"chown", "1000:0", "/data"}, 1000, 0},
		{[]string{"chown", "-R", "1000", "/srv"}, 1000, 0}, // a volume is below
		{[]string{"chown", "1000", "."}, 1000, 0},
		{sh("mkdir -p /data/a /data/b; chown -R 50000:0 /data; ls /data"), 50000, 0},
		{sh("set -e\nif [ ! -d '/data/a b' ]; then\n mkdir \"/data/a b\"\nfi\nchown 7:8 /data && chmod -R 777 /data || true"), 7, 8},
		{sh("cd /data && chown -R 7:8 ."), 7, 8},
		{sh("cd /; cd data/x; chown -R 7:8 ../y"), 7, 8},
		{[]string{"bash", "-e", "-c", "chown 7 /data"}, 7, 0},
		{sh("chown 7:8 /data; chown 7:9 /data/x"), 7, 8},
		{sh("chown 7:8 /data; chown 7:9 /etc/x"), 7, 8},
		{sh("mkdir -p /data/db\nchown 1001:1002 /data\nfind /data -mindepth 1 -maxdepth 1 -not -name \".snapshot\" | \\\n  xargs -r chown -R 1001:1002"), 1001, 1002},
		{sh("chown 7 /data; find /data -type f -print0 | xargs -0 chmod 640"), 7, 0},
		{sh("echo \"The owner of [/data] (and below) ...\"\n\nchown -R 7:8 /data\n\necho 'Done (*).'\n"), 7, 8},

		{sh("chown 7 /data; echo \"`server`\""), 0, 0},
		{sh("chown 7 /data; echo \"$(server)\""), 0, 0},
		{sh("chown 7 \"/da\\ta\""), 0, 0},
		{sh("chown 7 /data; echo 'a'(b)"), 0, 0},
		{sh("find /data -type d | xargs chown 7"), 0, 0}, // nothing says that it is about a volume
		{sh("chown 7 /data; find /data | xargs chown 8"), 0, 0},
		{sh("chown 7 /data; find /data | xargs server"), 0, 0},
		{sh("chown 7 /data; find /data | xargs -I x sh -c server"), 0, 0},
		{sh("chown 7 /data; find /data | xargs find / -exec server"), 0, 0},
		{sh("chown 7 /data; find /data | xargs"), 0, 0},
		{sh("chown 7 /data; find /data | xargs chown"), 0, 0},
		{sh("chown 7 /data; find /data -exec server +"), 0, 0},
		{sh("chown 7 /data; find /data -okdir server +"), 0, 0},
		{sh("chown 7 '/data\\\n'"), 0, 0},
		{nil, 0, 0},
		{[]string{"chown"}, 0, 0},
		{[]string{"chown", "7"}, 0, 0},
		{[]string{"chown", "-R", "0:0", "/data"}, 0, 0},
		{[]string{"chown", "-R", "app:app", "/data"}, 0, 0},
		{[]string{"chown", "-R", "7:app", "/data"}, 0, 0},
		{[]string{"chown", "4294967296", "/data"}, 0, 0},
		{[]string{"chown", "--reference=/x", "7", "/data"}, 0, 0},
		{[]string{"chown", "--from=3", "7", "/data"}, 0, 0},
		{[]string{"chown", "7:8", "/etc/passwd"}, 0, 0},
		{[]string{"chown", "7:8", "/"}, 0, 0},
		{[]string{"chown", "7:8", "/database"}, 0, 0},
		{[]string{"echo", "chown", "7:8", "/data"}, 0, 0},
		{[]string{"sh", "-c", "chown 7 /data", "x"}, 0, 0},
		{[]string{"sh", "chown 7 /data"}, 0, 0},
		{[]string{"sh", "-i", "chown 7 /data"}, 0, 0},
		{[]string{"sh", "-xa", "-c", "chown 7 /data"}, 0, 0},
		{sh(""), 0, 0},
		{sh("mkdir /data/x"), 0, 0},
		{sh("chown 7 /data; chown 8 /data/x"), 0, 0},
		{sh("chown 7 /data; exec server"), 0, 0},
		{sh("chown 7 /data; server &"), 0, 0},
		{sh("chown $U /data"), 0, 0},
		{sh("chown 7 /data; echo `id`"), 0, 0},
		{sh("(chown 7 /data)"), 0, 0},
		{sh("chown 7 /data # all"), 0, 0},
		{sh("chown 7 '/data"), 0, 0},
		{sh("chown 7 /data > /x"), 0, 0},
		{sh("cd; chown 7 ."), 0, 0},
		{sh("chown 7 /data;" + strings.Repeat(" ", maxScript)), 0, 0},
	} {
		c := Command{Args: test.args, Cwd: "/data"}
		uid, gid, ok := c.Prepares([]string{"/data", "/srv/www"})
		if want := test.uid != 0; ok != want || ok && (uid != test.uid || gid != test.gid) {
			t.Errorf("%q: %d:%d, %v", test.args, uid, gid, ok)
		}
	}
}
