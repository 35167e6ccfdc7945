// SPDX-License-Identifier: Apache-2.0

package program

import "testing"

// TestOnlyRootPasses: what shows that a step of a build was root's is what fails for everybody else, and takes the step with it.
func TestOnlyRootPasses(t *testing.T) {
	for script, want := range map[string]string{
		"apt-get update":                                      "apt-get",
		"apt-get update && apt-get install -y a":              "apt-get",
		"apk add --no-cache curl":                             "apk",
		"apk --no-cache add curl":                             "apk",
		"yes | apt-get install a":                             "apt-get",
		"DEBIAN_FRONTEND=x apt-get install a":                 "apt-get",
		"echo 'x' && useradd app":                             "useradd",
		"set -eux; apt-get update; for a in 1; do true; done": "apt-get",
		"set -o errexit; yum install -y a; true":              "yum",
		"set -ex\ngroupadd -g 5 app\nfalse || true":           "groupadd",
		"a=\"$(b; c)\" && dnf -y install a":                   "dnf",
		"apt-get install a \\\n b \\\n && rm -rf /x":          "apt-get",
		"# words\nmicrodnf install a":                         "microdnf",
		"apt-get update >/dev/null 2>&1":                      "apt-get",
		"/usr/sbin/useradd a":                                 "/usr/sbin/useradd",
		"zypper --non-interactive install a":                  "zypper",
		"[ -x /bin/a ] && apk add a":                          "apk",

		"dpkg -i a.deb && rm a.deb":    "dpkg",
		"pacman -Syu --noconfirm a":    "pacman",
		"setcap cap_net_raw+ep /bin/a": "setcap",
		"chown -R root:root /a":        "chown",
		"chown 0 /a":                   "chown",
		"tdnf install -y a":            "tdnf",
		"apk del a":                    "apk",

		"dpkg -l":                                   "",
		"pacman -Ss a":                              "",
		"setcap -v cap_a+ep /a":                     "",
		"chown 0":                                   "",
		"chown":                                     "",
		"chown 1001:0 /a":                           "",
		"chown root:root":                           "",
		"set -e;;apt-get update":                    "",
		"apt-get update || true":                    "",
		"true || apt-get update":                    "",
		"apt-get update; true":                      "",
		"apt-get update\ntrue":                      "",
		"apt-get update | cat":                      "",
		"apt-get update &":                          "",
		"apt-get update & true":                     "",
		"set -e; apt-get update && true; true":      "",
		"set -e; true && apt-get update; true":      "",
		"set -e; set +e; apt-get update; true":      "",
		"set -e; apt-get update | cat; true":        "",
		"if true; then apt-get update; fi":          "",
		"apt-get update && if true; then false; fi": "",
		"(apt-get update)":                          "",
		"! apt-get update":                          "",
		"sudo apt-get update":                       "",
		"fakeroot apt-get update":                   "",
		"echo 'a; apt-get update'":                  "",
		"echo \"a && apt-get update\"":              "",
		"echo a # && apt-get update":                "",
		"echo $(apt-get update)":                    "",
		"apt-get --version":                         "",
		"apt-get download a":                        "",
		"apt-get -s install a":                      "",
		"apk --root /x add a":                       "",
		"dnf --installroot=/x install a":            "",
		"useradd -D":                                "",
		"./apt-get update":                          "",
		"/opt/bin/apk add x":                        "",
		"exit 0; apt-get update":                    "",
		"exit 0 && apt-get update":                  "",
		"apt-get() { true; }; apt-get update":       "",
		"alias apt-get=true; apt-get update":        "",
		"cat <<EOF\napt-get update\nEOF":            "",
		"#!/usr/bin/python\napt-get update":         "",
		"pip install a":                             "",
		"chown 5 /x":                                "",
		"'":                                         "",
		"&& apt-get update":                         "",
		"apt-get update &&":                         "",
		"":                                          "",
	} {
		got, ok := OnlyRootPasses(script, false)
		if got != want || ok != (want != "") {
			t.Errorf("%q: %q, want %q", script, got, want)
		}
	}
}

// TestShellWithErrexit: what a shell does that is started with -e.
func TestShellWithErrexit(t *testing.T) {
	for script, want := range map[string]bool{"apt-get update; true": true, "apt-get update\ntrue": true, "apt-get update && true; true": false, "set +e; apt-get update; true": false} {
		if _, ok := OnlyRootPasses(script, true); ok != want {
			t.Errorf("%q: %t", script, ok)
		}
	}
}

func FuzzOnlyRootPasses(f *testing.F) {
	f.Add("set -e; a && apt-get \"$(x)\" | b `c`; ! d")
	f.Fuzz(func(t *testing.T, script string) {
		if name, ok := OnlyRootPasses(script, false); ok == (name == "") {
			t.Error(script)
		}
	})
}
