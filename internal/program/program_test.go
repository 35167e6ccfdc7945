// SPDX-License-Identifier: Apache-2.0

package program

import (
	"slices"
	"testing"
)

func TestCalls(t *testing.T) {
	for script, want := range map[string]string{
		"":                                  "",
		"#!/bin/sh\nexec gosu app \"$@\"\n": "gosu",
		"exec /usr/local/bin/su-exec app x": "su-exec",
		"cd / && apk add curl":              "apk",
		"x=$(sudo id)":                      "sudo",
		"exec pseudo x":                     "",
		"# sudo":                            "",
		"true # sudo":                       "",
		"echo ${#} && exec gosu app":        "gosu", // no comment
		"[ $# = 0 ] || gosu app":            "gosu",
		"echo try: sudo chown":              "",
		"printf '%s' sudo":                  "",
		"if [ \"$(id -u)\" = 0 ]; then exec gosu app; fi":  "",
		"[ $UID != 0 ] || exec gosu app":                   "",
		"(( EUID )) || gosu app":                           "",
		"su-exec app true\nwhoami":                         "su-exec", // it is too late to ask
		"[ \"$EUID\" -eq 0 ] || exec gosu app":             "",
		"if [[ ${UID} == 0 ]]; then gosu app; fi":          "",
		"if test \"${UID:-0}\" = 0; then gosu app; fi":     "",
		"case $UID in 0) exec gosu app;; esac":             "",
		"if ((UID == 0)); then gosu app; fi":               "",
		"[ `id -u` = 0 ] && gosu app":                      "",
		"[ \"$(id -un 2>/dev/null)\" = root ] && gosu app": "",
		"me=$(whoami)\n[ $me = root ] && gosu app":         "",
		"if [ \"$(/usr/bin/id -ru)\" = 0 ]; then su app":   "",
		"if ! whoami | grep -q root; then :; fi; su app":   "",
		"X=${UID:-1000}; exec su app -c id":                "su",
		"X=${UID_ENV:-1}; exec su app -c id":               "su",
		"[ -n \"$UID_ENV\" ] && gosu app":                  "gosu",
		"[ -n \"${UIDS}\" ] && gosu app":                   "gosu",
		"echo whoami; exec su app -c id":                   "su",
		"echo \"I am $(id -u)\"; exec su app":              "su",
		"printf '%s' \"$(whoami)\"; gosu app":              "gosu",
		"echo $UID; gosu app":                              "gosu",
		"chown -R $UID:$GID /data; exec gosu app":          "gosu",
		"usermod -u $UID app && exec su-exec app x":        "su-exec",
		"A=$(id -u app); exec gosu app":                    "gosu",
		"id; exec gosu app":                                "gosu",
		"id -g; exec gosu app":                             "gosu",
		"setfacl -m u:whoami:r x; gosu app":                "gosu",
		"[ -z \"$UID\" ] && UID=1000; exec gosu app":       "gosu",
		"if [ -n \"${UID}\" ]; then usermod x; fi; su":     "su",
		"if; su":            "su",
		"[; ((; ))\n${; su": "su",
	} {
		if got := Calls(script); got != want {
			t.Errorf("%q calls %q, want %q", script, got, want)
		}
	}
}

func TestSkipInit(t *testing.T) {
	for _, test := range []struct{ args, want []string }{
		{nil, nil},
		{[]string{"sh", "-c", "x"}, []string{"sh", "-c", "x"}},
		{[]string{"tini", "--", "a", "b"}, []string{"a", "b"}},
		{[]string{"/sbin/tini", "-g", "-p", "SIGTERM", "a"}, []string{"a"}},
		{[]string{"dumb-init", "a"}, []string{"a"}},
		{[]string{"docker-init", "-s", "a"}, []string{"a"}},
		{[]string{"tini", "-p"}, nil},
		{[]string{"tini"}, nil},
	} {
		if got := skipInit(test.args); !slices.Equal(got, test.want) {
			t.Errorf("%q starts %q, want %q", test.args, got, test.want)
		}
	}
}

func FuzzCalls(f *testing.F) {
	f.Add("#!/bin/sh\nexec gosu app\n")
	f.Fuzz(func(t *testing.T, script string) {
		if by := Calls(script); by != "" && !slices.Contains(switches, by) && !slices.Contains(installers, by) {
			t.Errorf("%q calls %q", script, by)
		}
	})
}
