// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"
	"strings"
)

// standard lists the directories at the top of a distribution's root (Filesystem Hierarchy Standard 3.0, chapter 3),
// and those of systems that keep their programs elsewhere (Nix, Guix, Snap, OSTree). Any other directory belongs to
// an application.
var standard = []string{
	"afs", "bin", "bin.usr-is-merged", "boot", "command", "efi", "sbin.usr-is-merged", "dev", "etc", "gnu", "home", "host", "lib*", "lost+found", "media", "mnt", "nix", "opt", "ostree", "proc", "root", "rootfs",
	"run", "sbin", "selinux", "snap", "srv", "sys", "sysroot", "tmp", "usr", "var",
}

// variable lists the directories of /var (Filesystem Hierarchy Standard 3.0, chapter 5, and base images of
// distributions). Those that applications share, such as /var/lib, are in adapt.own.
var variable = []string{
	"account", "adm", "backups", "cache", "crash", "db", "empty", "ftp", "games", "gopher", "kerberos", "lib*", "local", "lock", "lost+found", "log", "mail",
	"nis", "opt", "preserve", "run", "snap", "spool", "tmp", "yp",
}

// ApplicationsIn lists the directories with entries for which IsApplication has to be asked.
var ApplicationsIn = []string{"/", "/etc", "/usr/local/etc", "/var"}

// shared lists the directories of /etc that base images of distributions have, that define accounts, or that every
// program reads: they do not belong to one application. An entry that ends with * is a prefix.
var shared = []string{
	"OpenCL", "bash", "busybox-paths.d", "chkconfig.d", "doas.d", "fish", "glvnd", "local.d", "nscd", "periodic", "perl", "popt.d", "resolvconf",
	"runlevels", "sysusers.d", "userdb", "NetworkManager", "PackageKit", "X11", "acpi", "alternatives", "apk", "apparmor*", "apt", "audit*", "authselect", "bash_completion*",
	"binfmt.d", "ca-certificates*", "cni", "conf.d", "containers", "cron*", "crypto-policies", "dbus*", "debuginfod", "default", "depmod.d", "dhcp*",
	"dnf", "dpkg", "environment.d", "fonts", "fstab.d", "gcrypt", "gdb*", "gnupg", "gnutls", "groff", "grub*", "gss", "init", "init.d",
	"initramfs*", "insserv*", "iproute2", "issue.d", "java*", "kernel", "krb5*", "ld.so*", "ldap", "libaudit*", "libibverbs.d", "libnl*",
	"libpaper.d", "logrotate*", "mail", "modprobe.d", "modules-load.d", "motd.d", "mtree", "network", "nftables", "nvme", "odbc*",
	"openldap", "opt", "pacman*", "pam*", "passwdqc*", "pkcs11", "pki", "pm", "polkit-1", "ppp", "profile*", "protocols", "python*", "rc*", "request-key.d",
	"rpm", "rsyslog.d", "sasl*", "secfixes.d", "security", "selinux", "shadow-maint", "skel", "ssh*", "ssl", "sssd", "subuid*", "sudo*", "swid",
	"sysconfig", "sysctl.d", "systemd", "terminfo", "tmpfiles.d", "tpm*", "udev", "udhcp*", "ufw", "update-motd.d", "vim", "wgetrc.d", "xattr*", "xdg",
	"yum*", "zsh*", "zypp",
}

// IsApplication reports whether a directory of an image belongs to one application: it is at the top or in /var under a
// name that no distribution uses, or holds the configuration of a package below /etc or /usr/local/etc. The path is
// clean and absolute.
func IsApplication(dir string) bool {
	top, rest := cutPart(dir)
	if top == "usr" {
		second, below := cutPart(rest)
		third, last := cutPart(below)
		if second != "local" || third != "etc" {
			return false
		}
		top, rest = third, last
	}
	if top == "var" {
		name, _ := cutPart(rest)
		return name != "" && !isKnown(variable, name)
	}
	if top == "etc" {
		name, _ := cutPart(rest)
		return name != "" && !isKnown(shared, name)
	}
	return top != "" && !isKnown(standard, top)
}

func isKnown(known []string, name string) bool {
	return name[0] == '.' || slices.ContainsFunc(known, func(k string) bool {
		begin, all := strings.CutSuffix(k, "*")
		return name == begin || all && strings.HasPrefix(name, begin)
	})
}

// served lists the directories of /usr/share/PACKAGE that a web server publishes: they hold pages, which an entrypoint
// fills in.
var served = []string{"html", "htdocs", "public", "public_html", "webroot", "www"}

// cutDocuments returns the first four components of a path that is such a directory, or is below one.
func cutDocuments(p string) (dir string, ok bool) {
	top, rest := cutPart(p)
	second, rest := cutPart(rest)
	name, rest := cutPart(rest)
	last, _ := cutPart(rest)
	if top != "usr" || second != "share" || name == "" || !slices.Contains(served, last) {
		return "", false
	}
	return "/usr/share/" + name + "/" + last, true
}

// Tree returns the directory of the application that a path belongs to, if the directory's name alone does not tell
// because distributions have directories beside it: in /usr/src, /usr/local and /home, and what a web server publishes.
// It is for paths that the container is known to work in. The path is clean and absolute.
func Tree(p string) (dir string, ok bool) {
	if dir, ok = cutDocuments(p); ok {
		return dir, true
	}
	top, rest := cutPart(p)
	second, rest := cutPart(rest)
	switch {
	case top == "home" && second != "":
		return "/home/" + second, true
	case top != "usr" || second != "src" && second != "local":
		return "", false
	}
	name, _ := cutPart(rest)
	if dir = "/usr/" + second + "/" + name; name == "" || Untouchable(dir) {
		return "", false
	}
	return dir, true
}

// MayGive reports whether the identity may come to own a directory of an image, with everything below. The path is clean
// and absolute.
func MayGive(dir string) bool {
	_, shown := cutDocuments(dir)
	return shown || !Untouchable(dir) || IsApplication(dir)
}

// MayPass reports whether a directory closed to all but root may be made searchable for a user who runs a program below
// it: a directory of programs, or of an application. Others, such as /etc/ssl/private, are closed for a reason. The
// path is clean and absolute.
func MayPass(dir string) bool {
	top, rest := cutPart(dir)
	switch {
	case top == "":
		return false
	case top == "usr" && !strings.HasPrefix(rest, "/local/etc"), top == "opt", top == "srv", top == "home", top == "bin", top == "sbin", strings.HasPrefix(top, "lib"):
		return true
	}
	return IsApplication(dir)
}
