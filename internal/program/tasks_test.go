// SPDX-License-Identifier: Apache-2.0

package program

import (
	"strings"
	"testing"
)

// TestAgainst: what a script does that only root may, and what is none of that.
func TestAgainst(t *testing.T) {
	for script, want := range map[string]string{
		"":                            "",
		"useradd -m app\nexec server": "useradd",
		"set -e\n[ -n \"$PUID\" ] && usermod -u $PUID app":               "usermod",
		"if true; then groupmod -g 5 app; fi":                            "groupmod",
		"exec adduser -D app":                                            "adduser",
		"cat /etc/passwd; ls /usr/sbin/useradd":                          "",
		"command -v useradd >/dev/null || true":                          "",
		"echo useradd app":                                               "",
		"mount -t tmpfs tmpfs /x":                                        "mount",
		"mount | grep x; mount; mount -l":                                "",
		"umount /x":                                                      "umount",
		"iptables -A INPUT -j DROP":                                      "iptables",
		"A=1 /sbin/nft -f /etc/nft.conf":                                 "nft",
		"ip link add dummy0 type dummy":                                  "ip",
		"ip route; ip addr show":                                         "",
		"sysctl -w net.core.somaxconn=1024":                              "sysctl",
		"sysctl net.core.somaxconn":                                      "",
		"setcap cap_net_raw+ep /bin/ping":                                "setcap",
		"update-ca-certificates && exec server":                          "update-ca-certificates",
		"ln -sf /usr/share/zoneinfo/$TZ /etc/localtime":                  "ln",
		"cp /usr/share/zoneinfo/$TZ /etc/localtime":                      "cp",
		"echo $TZ >/etc/timezone; ln -s a b; cp /etc/localtime /tmp/x":   "",
		"hostname box":                                                   "hostname",
		"hostname; hostname -f":                                          "",
		"exec dockerd --host x":                                          "dockerd",
		"exec /usr/sbin/openvpn --config x":                              "openvpn",
		"service cron start":                                             "",
		"chown -R app /data":                                             "", // it succeeds, and does nothing
		"modprobe tun || true":                                           "modprobe",
		"if [ \"$(id -u)\" = 0 ]; then useradd app; exec gosu app x; fi": "",
		"useradd x; exec gosu x y":                                       "useradd",
		"exec gosu x y; useradd x":                                       "gosu",
		"if ! mount /x; then exit 1; fi":                                 "mount",
		"x=$(mount -t proc proc /x)":                                     "mount",
		"printf '%s' mount /x":                                           "",
		"while ! ip link set eth0 up; do sleep 1; done":                  "ip",
	} {
		if got := (Command{}).against(script); got.by != want {
			t.Errorf("%q: %+v, want %q", script, got, want)
		}
	}
	// What root would have been refused as well is nothing to speak of.
	for script, want := range map[string]string{"mount /x": "", "exec dockerd": "", "ip link add x": "", "useradd x": "useradd", "iptables -L": "iptables"} {
		if got := (Command{Asked: []string{"CAP_CHOWN", "CAP_NET_ADMIN"}}).against(script); (got.by != want) != (script == "ip link add x") {
			t.Errorf("%q of who has asked for little: %+v", script, got)
		}
	}
	if got := (Command{Chowns: true}).against("set -e; chown -R app /data"); got.by != "chown" {
		t.Errorf("where it is denied: %+v", got)
	}
}

// TestEndsUnlessRoot: scripts that end by themselves where they are not root, whatever the kernel would let them do.
func TestEndsUnlessRoot(t *testing.T) {
	for script, want := range map[string]bool{
		`[ "$(id -u)" -ne 0 ] && { echo must be root; exit 1; }`:                               true,
		`[ "$(id -u)" -ne 0 ] && echo must be root && exit 1`:                                  true,
		`[ "$(id -u)" = 0 ] || { echo must be root >&2; exit 1; }`:                             true,
		"if [ $(id -u) != 0 ]; then\n  echo 'must be root'\n  exit 1\nfi\nexec server":         true,
		"if [[ $EUID -ne 0 ]]; then echo no; exit 1; fi":                                       true,
		"if (( EUID != 0 )); then exit 1; fi":                                                  true,
		"if [ `id -u` -ne 0 ]; then exit 1; fi":                                                true,
		`if [ "$(whoami)" != "root" ]; then exit 77; fi`:                                       true,
		`if [ "$USER" != root ]; then exit 1; fi`:                                              false,
		"uid=$(id -u)\nif [ \"$uid\" -ne 0 ]; then\n exit 1\nfi":                               true,
		`if [ "$(id -u)" = 0 ]; then exec gosu app x; else echo run me as root; exit 1; fi`:    true,
		`if ! [ "$(id -u)" -eq 0 ]; then exit 1; fi`:                                           true,
		`test "$(id -u)" -eq 0 || exit 1`:                                                      true,
		`[ "$UID" -gt 0 ] && exit 1`:                                                           true,
		`if [ "$(id -u)" = 0 ]; then exec gosu app "$0"; fi; exec server || exit 1`:            false,
		`if [ "$(id -u)" = 0 ]; then echo do not run as root; exit 1; fi`:                      false,
		`if [ "$(id -u)" != 0 ]; then echo not root; else chown x /y; fi; exec server; exit 1`: false,
		`[ "$(id -u)" -ne 0 ] && exit 0`:                                                       false,
		`if [ "$(id -u)" -ne 1000 ]; then exit 1; fi`:                                          false,
		`[ "$(id -u app)" -ne 0 ] && exit 1`:                                                   false,
		`if [ "$(id -u)" != 0 ]; then echo "exit 1"; fi`:                                       false,
		"# [ $(id -u) -ne 0 ] && exit 1\ntrue":                                                 false,
		`[ "${UID:-1000}" -ne 0 ] || true; exit 1`:                                             false,
		"if": false, "[ $(": false, "$((": false, "`": false,
	} {
		if got := (Command{}).against(script).ends; got != want {
			t.Errorf("%q: %v, want %v", script, got, want)
		}
	}
	if got := (Command{}).against(`if [ "$(id -u)" -ne 0 ]; then exec sudo "$0" "$@"; fi`); got.by != "sudo" {
		t.Errorf("who calls sudo where it is not root: %+v", got)
	}
}

// TestNamed: what is said of a further process by its words alone.
func TestNamed(t *testing.T) {
	for _, test := range []struct {
		args     string
		standsIn bool
		want     string // "": nothing
	}{
		{"gosu nobody true", true, `"gosu" switches from root to another user`},
		{"/usr/bin/su - app", true, `"/usr/bin/su" switches from root to another user`},
		{"apt-get install x", true, `installs packages`},
		{"chown 1000 /data", true, `changes nothing`},
		{"chgrp 1000 /data", true, `changes nothing`},
		{"useradd x", true, `changes the accounts`},
		{"sh -c gosu\x00app\x00true", true, `calls gosu`},
		{"sh -c chown\x001000\x00/data", true, `calls chown`},
		{"sh -c exec\x00server", true, ""},
		{"psql -c select", true, ""},
		{"sudo id", false, `"sudo" is setuid`},
		{"su app", false, `"su" is setuid`},
		{"gosu app id", false, ""},
		{"apt-get update", false, ""},
		{"bash -lc sudo\x00id", false, `calls sudo`},
		{"", true, ""},
	} {
		args := strings.Fields(test.args)
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "\x00", " ")
		}
		got := Command{Args: args}.Named(test.standsIn)
		if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%q, %v: %q, want %q", test.args, test.standsIn, got, test.want)
		}
	}
}

func FuzzAgainst(f *testing.F) {
	f.Add("#!/bin/sh\n[ \"$(id -u)\" -ne 0 ] && { exit 1; }\nexec gosu app\n")
	f.Fuzz(func(t *testing.T, script string) {
		if a := (Command{}).against(script); a.ends && a.by != "" {
			t.Errorf("%q: %+v", script, a)
		}
	})
}
