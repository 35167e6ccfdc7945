// SPDX-License-Identifier: Apache-2.0

package homedir

import (
	"bytes"
	"slices"
	"strings"
)

// distribution is what the base images of a distribution bring, so that it says nothing of what an image was built for.
type distribution struct {
	mark     string    // an account that only its images have, if there is one: they have none of the other distributions'
	accounts []account // those of its passwd whose uid is always the same
	daemons  []string  // those that come along with ordinary packages, by any system uid, and what these keep in /var is theirs
	groups   []string  // those of its group file
}

type account struct {
	name string
	uid  uint32
}

// lastSystemID is the last uid that distributions give to the accounts of packages (Debian Policy 9.2.2; login.defs(5),
// SYS_UID_MAX).
const lastSystemID = 999

// distributions are Debian, Alpine, Fedora, openSUSE, Arch and busybox, with those that take over their accounts. An
// account counts as shipped by any of them that the image may be of: names and uids together don't collide with those of
// applications, but for daemons that one distribution has in its base image and another only in a server's (unbound).
//
// Alpine's postgres (70) of before 3.13 is left out: the image that is made for PostgreSQL has it by the same uid.
var distributions = [...]distribution{
	{
		// Debian: base-passwd 3.6, passwd.master and group.master; gnats was there up to 3.5. Ubuntu is the same, with a user
		// of uid 1000 in its images from 23.04 on. Distroless: //common/variables.bzl, NONROOT; apko, and so Wolfi and
		// Chainguard, makes the same one.
		mark: "_apt",
		accounts: []account{
			{"daemon", 1},
			{"bin", 2},
			{"sys", 3},
			{"sync", 4},
			{"games", 5},
			{"man", 6},
			{"lp", 7},
			{"mail", 8},
			{"news", 9},
			{"uucp", 10},
			{"proxy", 13},
			{"www-data", 33},
			{"backup", 34},
			{"list", 38},
			{"irc", 39},
			{"gnats", 41},
			{"ubuntu", 1000},
			{"nonroot", 65532},
		},
		// The packages apt, man-db, dbus, polkitd, openssh-server, util-linux (uuid-runtime), rsyslog, tcpdump, tpm-udev,
		// chrony, avahi-daemon, rtkit, colord, geoclue-2.0, usbmuxd, pulseaudio, saned; Ubuntu: landscape-common, pollinate.
		daemons: []string{
			"_apt", "man", "messagebus", "polkitd", "sshd", "uuidd", "syslog", "tcpdump", "tss", "_chrony", "avahi", "rtkit",
			"colord", "geoclue", "usbmux", "pulse", "saned", "landscape", "pollinate",
		},
		groups: []string{
			"daemon", "bin", "sys", "adm", "tty", "disk", "lp", "mail", "news", "uucp", "man", "proxy", "kmem", "dialout", "fax",
			"voice", "cdrom", "floppy", "tape", "sudo", "audio", "dip", "www-data", "backup", "operator", "list", "irc", "src",
			"gnats", "shadow", "utmp", "video", "sasl", "plugdev", "staff", "games", "users", "nogroup", "crontab", "input",
			"kvm", "render", "sgx", "netdev", "ssl-cert", "_ssh", "ssh", "systemd-journal",
		},
	},
	{
		// Alpine: alpine-baselayout, passwd and group (aports, main/alpine-baselayout), with at, man and xfs of older ones.
		// wolfi-baselayout began as a copy.
		accounts: []account{
			{"bin", 1},
			{"daemon", 2},
			{"adm", 3},
			{"lp", 4},
			{"sync", 5},
			{"shutdown", 6},
			{"halt", 7},
			{"mail", 8},
			{"news", 9},
			{"uucp", 10},
			{"operator", 11},
			{"man", 13},
			{"postmaster", 14},
			{"cron", 16},
			{"ftp", 21},
			{"sshd", 22},
			{"at", 25},
			{"squid", 31},
			{"xfs", 33},
			{"games", 35},
			{"cyrus", 85},
			{"vpopmail", 89},
			{"ntp", 123},
			{"smmsp", 209},
			{"guest", 405},
		},
		groups: []string{
			"mem", "wheel", "cron", "console", "ftp", "sshd", "at", "squid", "xfs", "cdrw", "usb", "vpopmail", "ntp", "nofiles",
			"smmsp", "locate", "abuild", "ping", "nobody", "readproc",
		},
	},
	{
		// Fedora, RHEL with UBI, and those that follow it: setup, passwd and group; news, uucp and gopher were there up to
		// RHEL 6, nobody was 99 up to RHEL 7. The daemons are those of UBI 8 and 9 and Fedora's base image: the packages
		// dbus, tpm2-tss, polkit, sssd, chrony, rpcbind, nfs-utils, unbound-libs.
		accounts: []account{
			{"bin", 1},
			{"daemon", 2},
			{"adm", 3},
			{"lp", 4},
			{"sync", 5},
			{"shutdown", 6},
			{"halt", 7},
			{"mail", 8},
			{"news", 9},
			{"uucp", 10},
			{"operator", 11},
			{"games", 12},
			{"gopher", 13},
			{"ftp", 14},
			{"nobody", 99},
		},
		daemons: []string{"dbus", "tss", "polkitd", "sssd", "chrony", "rpc", "rpcuser", "unbound"},
		groups: []string{
			"lock", "cgred", "ssh_keys", "utempter", "printadmin",
		},
	},
	{
		// openSUSE and SLE: the packages system-user-bin, -daemon, -lp, -mail, -man, -news, -uucp, -games, -ftp, -wwwrun,
		// which aaa_base had before; from Leap 15.3 on lp and mail have any system uid.
		accounts: []account{
			{"bin", 1},
			{"daemon", 2},
			{"lp", 4},
			{"mail", 8},
			{"news", 9},
			{"uucp", 10},
			{"games", 12},
			{"man", 13},
			{"at", 25},
			{"wwwrun", 30},
			{"ftp", 40},
		},
		daemons: []string{"lp", "mail", "nscd", "statd"},
		groups: []string{
			"trusted", "modem", "public", "www", "maildrop", "ntadmin",
		},
	},
	{
		// Arch: filesystem, passwd and group; the daemons are those of systemd, util-linux, tpm2-tss, pacman and polkit.
		accounts: []account{{"bin", 1}, {"daemon", 2}, {"mail", 8}, {"ftp", 14}, {"http", 33}, {"uuidd", 68}, {"dbus", 81}},
		daemons:  []string{"alpm"},
		groups: []string{
			"log", "proc", "http", "network", "power", "rfkill", "scanner", "storage", "optical", "groups",
		},
	},
	{
		// busybox: buildroot, system/skeleton/etc/passwd and group.
		accounts: []account{
			{"daemon", 1},
			{"bin", 2},
			{"sys", 3},
			{"sync", 4},
			{"mail", 8},
			{"proxy", 13},
			{"www-data", 33},
			{"backup", 34},
			{"operator", 37},
			{"haldaemon", 68},
			{"dbus", 81},
			{"ftp", 83},
			{"nobody", 99},
			{"sshd", 103},
			{"default", 1000},
		},
	},
}

// nobody is the uid that stands for nobody, and for whoever isn't mapped, on all of them.
const nobody = 65534

// shipped are the distributions that an image may be of: the one that its passwd shows by its mark, or all.
type shipped []distribution

func shippedIn(passwd []byte) shipped {
	for i := range distributions {
		mark := distributions[i].mark
		if mark != "" && bytes.Contains(passwd, []byte("\n"+mark+":")) {
			return distributions[i : i+1]
		}
	}
	return distributions[:]
}

// account reports whether an account comes from a distribution.
func (s shipped) account(name string, uid uint32) bool {
	a := account{name, uid}
	return uid == nobody || s.daemon(name, uid) || s.any(func(d *distribution) bool { return slices.Contains(d.accounts, a) })
}

// daemon reports whether an account came along with a package that is mostly there for others: what it keeps below /var
// doesn't say what the image is for.
func (s shipped) daemon(name string, uid uint32) bool {
	if uid > lastSystemID {
		return false
	}
	return strings.HasPrefix(name, "systemd-") || s.any(func(d *distribution) bool { return slices.Contains(d.daemons, name) })
}

// group reports whether a group comes from a distribution, by any gid: many have another one on each.
func (s shipped) group(name string) bool {
	return name == "root" || strings.HasPrefix(name, "systemd-") || s.any(func(d *distribution) bool { return slices.Contains(d.groups, name) })
}

// any reports whether something is so for one of them.
func (s shipped) any(has func(*distribution) bool) bool {
	for i := range s {
		if has(&s[i]) {
			return true
		}
	}
	return false
}
