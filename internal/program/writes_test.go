// SPDX-License-Identifier: Apache-2.0

package program

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestWrites: what a script writes, as far as it says so in words.
func TestWrites(t *testing.T) {
	for script, want := range map[string]string{
		"echo x >/etc/hosts":              "/etc/hosts 0",
		"echo x >>/etc/hosts 2>/dev/null": "/etc/hosts 0",
		"echo x > /etc/hosts":             "/etc/hosts 0",
		"cmd &>/x":                        "/x 0",
		"cmd 2>/x":                        "/x 0",
		"echo 'a > /b'":                   "",
		`echo "a;b" '>/c'`:                "",
		"cat </etc/hosts; tee /x < /y":    "/x 0",
		"touch -m /a /b; mkdir -p '/c d'": "/a 0|/b 0|/c d 1",
		"cp -a /a /b; ln -snf /usr/share/zoneinfo/X /etc/localtime":                                         "/b 2|/etc/localtime 2",
		"sed -i 's/a/b/' /etc/x; sed s/a/b/ /etc/y; rm -f /z":                                               "/etc/x 3|/z 3",
		"exec 2>/dev/null; FOO=bar touch /b; if true; then touch /c; fi; touch /d; exec touch /a; touch /e": "/b 0|/d 0|/a 0",
		"case $1 in x) touch /a;; esac; touch /b":                                                           "/b 0",
		"touch /a || true; touch /b || exit 1; touch /c":                                                    "/c 0",
		"[ -e /m ] || { date >/n && touch /m; }":                                                            "/n 0|/m 0",
		`touch "$HOME/x" ~/y /a/*.conf "/b/$c" '/d/$e'`:                                                     "",
		"touch relative ./x":                            "",
		`[ "$(id -u)" = 0 ] && touch /a; touch /b`:      "",
		"touch /a; [ $UID = 0 ] && touch /b":            "/a 0",
		"cat >/a <<EOF\ntouch /b\nEOF\ntouch /c\n":      "/a 0|/c 0",
		"cat <<-'EOF' >/a\n\ttouch /b\n\tEOF\ntouch /c": "/a 0|/c 0",
		"read x <<<$y; touch /c":                        "/c 0",
		"echo 1 >/proc/sys/x; echo x >/dev/stdout; touch /dev/log; mkdir /dev/net; echo >/sys/x": "/dev/log 0|/dev/net 1",
		"touch /a/../b":                     "/b 0",
		"touch " + strings.Repeat("/a", 40): "",
		"# touch /a":                        "",
		"echo touch /a":                     "",
		"chmod 600 /a":                      "",
		"mkdir":                             "",
		"touch 'unclosed /a":                "",
		`touch /a\ b`:                       "/a b 0",
	} {
		var got []string
		for _, w := range writesOf(unrolled(script)) {
			got = append(got, fmt.Sprintf("%s %d", w.Path, w.How))
		}
		if strings.Join(got, "|") != want {
			t.Errorf("%q: %q, want %q", script, strings.Join(got, "|"), want)
		}
	}
	if n := len(writesOf(strings.Repeat("touch /a\n", 100))); n > mostWrites {
		t.Errorf("%d writes", n)
	}
}

// TestWriting: what is said of them.
func TestWriting(t *testing.T) {
	closed := func(open ...string) func(Write) bool {
		return func(w Write) bool { return !slices.Contains(open, w.Path) }
	}
	for script, want := range map[string]string{
		"echo x >>/etc/hosts":                                 `its program "/e" writes "/etc/hosts", to which the identity has no right; hint: have the engine add the name (--add-host, extra_hosts, hostAliases)`,
		"touch /run/x; touch /run/x":                          "",
		"touch /.done /.done":                                 `writes "/.done", to which the identity has no right; hint: name a path below /run, or one on a volume`,
		"echo x >/etc/timezone":                               "hint: set TZ",
		"cp /c/ca.crt /usr/local/share/ca-certificates/c.crt": "hint: do so when the image is built",
		"[ -w /etc/hosts ] && echo x >>/etc/hosts":            "",
		`exec "$@"` + "\ntouch /.done":                        "",
		"touch /srv/x":                                        "hint: mount a volume there",
		"touch /data/x":                                       "hint: what is mounted there has to be open to the identity: adopt a volume of root's (nonroot-ctl volumes adopt), or, where the volume is another container's, create this one again after that",
		"touch /a /b /c /d /e":                                `writes "/a", "/b", "/c" and 2 more, to which`,
		"echo root >>/etc/passwd":                             "(USER), or name the user with --user",
		"echo x >/etc/resolv.conf":                            "--dns", "echo x >/etc/hostname": "--hostname", "touch /dev/log": "name a path below /run", "touch /etc/x": "or mount it there",
	} {
		got := writing("program", "/e", script, closed("/run/x"), func(p string) bool { return strings.HasPrefix(p, "/data/") })
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q", script, got, want)
		}
	}
}

// TestInline: a script in a shell's own command line.
func TestInline(t *testing.T) {
	for args, want := range map[string]string{
		"sh -c|a|b": "a", "sh -ec|a": "a", "/bin/bash -e -u -o pipefail -c|a": "a", "bash --norc -lc|a": "a", "sh +x -c|a": "a",
		"sh -e|a": "", "sh": "", "sh -c": "", "sh /a -c|b": "", "python3 -c|a": "", "sh -o|c": "",
	} {
		words, rest, _ := strings.Cut(args, "|")
		all := strings.Fields(words)
		if rest != "" {
			all = append(all, strings.Split(rest, "|")...)
		}
		if got, ok := inline(all); got != want || ok != (want != "") {
			t.Errorf("%q: %q, %v", all, got, ok)
		}
	}
}

// TestScriptsOfOthers: only a shell's script is read as one, and of the others what is a socket's path.
func TestScriptsOfOthers(t *testing.T) {
	c := Command{Closed: func(Write) bool { return true }}
	for script, want := range map[string]string{
		"#!/bin/sh\ntouch /a":                           "writes",
		"#!/usr/bin/env -S bash -e\ntouch /a":           "writes",
		"#!/usr/bin/python3\ntouch >/a":                 "",
		"#!/usr/bin/env python3\ns.bind('/dev/log')":    `binds "/dev/log"`,
		"#!/usr/bin/env python3\ns.connect('/dev/log')": "",
	} {
		if got := c.scripted("program", "/e", script); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%q: %q", script, got)
		}
	}
}

// TestMostWrites: of a script of many paths few are looked at, however they stand there.
func TestMostWrites(t *testing.T) {
	for _, script := range []string{"touch" + strings.Repeat(" /v/x", 500), strings.Repeat("touch /v/x; ", 500), "mkdir -p /a /b /c /d /e /f /g /h /i /j"} {
		if got := len(writesOf(script)); got != mostWrites {
			t.Errorf("%.40s: %d", script, got)
		}
	}
}

// TestWritten: what a command writes by its words, also relative to where it begins.
func TestWritten(t *testing.T) {
	for _, test := range []struct {
		cwd  string
		args []string
		want string
	}{
		{"", []string{"mkdir", "-p", "/a/b", "c"}, "/a/b"},
		{"/w", []string{"mkdir", "-p", "/a/b", "c"}, "/a/b /w/c"},
		{"/w", []string{"mkdir", "-m", "755", "/a", "c"}, "/a"},
		{"/", []string{"touch", "x"}, "/x"},
		{"/w", []string{"tini", "--", "touch", "x"}, "/w/x"},
		{"/w", []string{"touch"}, ""},
		{"/w", []string{"server", "/data"}, ""},
		{"/w", []string{"sh", "-c", "echo a >b; cat <c"}, "/w/b"},
		{"/w", []string{"sh", "-c", "cd /x && echo a >b; echo >/c"}, "/c"},
		{"/w", []string{"bash", "-c", "(( 1 > 0 )) && [[ a > b ]]; echo >c"}, "/w/c"},
		{"/w", []string{"sh", "-c", "echo a 2>&1 >&2"}, ""},
		{"/w", []string{"sh", "-c", "touch $x \"$y/z\" ~/a *.b"}, ""},
		{"/w", []string{"sh", "-c", "cp a b/ && ln -s c d"}, "/w/b"},
		{"/w", []string{"sh", "/start.sh"}, ""},
	} {
		var got []string
		for _, w := range (Command{Args: test.args, Cwd: test.cwd}).Written() {
			got = append(got, w.Path)
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%q in %q: %q, want %q", test.args, test.cwd, got, test.want)
		}
	}
	if got := (Command{Cwd: "/w"}).WrittenBy("#!/usr/bin/python3\ntouch x\n"); len(got) > 0 {
		t.Errorf("of another language: %v", got)
	}
}
