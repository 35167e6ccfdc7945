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

// TestPreparesByVariables: what the container's environment has counts, where every shell has the same of it.
func TestPreparesByVariables(t *testing.T) {
	env := map[string]string{
		"PUID": "1000", "PGID": "1001", "UID": "1000", "GID": "1001", "DIR": "/data", "TWO": "1000 /x", "EMPTY": "", "GLOB": "/*", "ROOT": "0", "HOME": "1000", "BASHX": "1000",
	}
	for _, test := range []struct {
		script, shell string
		uid, gid      uint32
	}{
		{`chown -R "$PUID:$PGID" /data`, "bash", 1000, 1001},
		{`chown -R $PUID:$PGID $DIR`, "bash", 1000, 1001},
		{`chown -R ${PUID:-7}:${PGID-8} "${DIR}"/x`, "bash", 1000, 1001},
		{`chown -R ${NONE:-7}:${NONE-8} /data`, "bash", 7, 8},
		{`chown -R ${EMPTY:-7} /data`, "dash", 7, 0},
		{`chown -R "$UID:$GID" /data`, "dash", 1000, 1001},
		{`chown -R "$UID:$GID" /data`, "busybox", 1000, 1001},
		{`mkdir -p "$DIR/x"; chown "$PUID" "$DIR"/x && echo "done for $PUID"`, "sh", 1000, 0},

		{`chown -R "$UID:$GID" /data`, "bash", 0, 0}, // it is the shell's own, and root's
		{`chown -R "$UID" /data`, "zsh", 0, 0},
		{`chown -R "$UID" /data`, "", 0, 0},
		{`chown -R "$NONE" /data`, "dash", 0, 0},
		{`chown -R ${EMPTY-7} /data`, "dash", 0, 0},
		{`chown -R ${NONE:-} /data`, "dash", 0, 0},
		{`chown -R '$PUID' /data`, "dash", 0, 0},
		{`chown -R $TWO /data`, "dash", 0, 0},
		{`chown -R 7 $GLOB`, "dash", 0, 0},
		{`chown -R $ROOT /data`, "dash", 0, 0},
		{`chown -R $HOME /data`, "dash", 0, 0},
		{`chown -R $BASHX /data`, "dash", 0, 0},
		{`chown -R ${PUID:+7} /data`, "dash", 0, 0},
		{`chown -R ${PUID:=7} /data`, "dash", 0, 0},
		{`chown -R ${PUID%0} /data`, "dash", 0, 0},
		{`chown -R ${#PUID} /data`, "dash", 0, 0},
		{`chown -R ${NONE:-$PUID} /data`, "dash", 0, 0},
		{`chown -R ${PUID /data`, "dash", 0, 0},
		{`chown -R $ /data`, "dash", 0, 0},
		{`chown -R $1 /data`, "dash", 0, 0},
		{`chown -R $(id -u) /data`, "dash", 0, 0},
		{`chown -R $((7)) /data`, "dash", 0, 0},
		{`PUID=7; chown -R $PUID /data`, "dash", 0, 0},
		{`PUID=7 chown -R $PUID /data`, "dash", 0, 0},
		{`printf -v PUID 7; chown -R $PUID /data`, "bash", 0, 0},
		{`read PUID </x; chown -R $PUID /data`, "dash", 0, 0},
	} {
		c := Command{
			Args: []string{"sh", "-c", test.script}, Cwd: "/",
			Variable: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
			Shell:    func() string { return test.shell },
		}
		uid, gid, ok := c.Prepares([]string{"/data"})
		if want := test.uid != 0; ok != want || ok && (uid != test.uid || gid != test.gid) {
			t.Errorf("%q in %q: %d:%d, %v", test.script, test.shell, uid, gid, ok)
		}
		c.Variable = nil
		if _, _, ok := c.Prepares([]string{"/data"}); ok {
			t.Errorf("%q: nobody knows its variables", test.script)
		}
	}
}
