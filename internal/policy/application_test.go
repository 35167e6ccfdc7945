// SPDX-License-Identifier: Apache-2.0

package policy

import "testing"

func TestIsApplication(t *testing.T) {
	for dir, want := range map[string]bool{
		"/config": true, "/app": true, "/config/x": true, "/etc/nginx": true, "/etc/nginx/conf.d": true, "/usr/local/etc/php": true,
		"/var/www": true, "/var/www/html": true, "/var/app": true, "/var/tmp": false, "/var/mail": false, "/var/empty": false, "/var/backups": false, "/var/local": false,
		"/var/db/sudo": false, "/var/lib/dpkg": false, "/var/cache/apt": false, "/var/spool/cron": false, "/var/.hidden": false,
		"/": false, "/etc": false, "/usr/local/etc": false, "/usr": false, "/usr/local": false, "/usr/etc/x": false, "/usr/local/lib/x": false, "/usr/share/x": false,
		"/etc/ssh": false, "/etc/pam.d": false, "/etc/cron.d": false, "/etc/cron.daily/x": false, "/etc/ld.so.conf.d": false, "/etc/sudoers.d": false,
		"/etc/profile.d": false, "/etc/python3.11": false, "/etc/java-17-openjdk": false, "/usr/local/etc/ssl": false, "/etc/.hidden": false,
		"/lib64": false, "/lib": false, "/bin": false, "/proc": false, "/home": false, "/var": false, "/nix": false, "/.hidden": false,
	} {
		if got := IsApplication(dir); got != want {
			t.Errorf("%s: %t", dir, got)
		}
	}
	for dir, want := range map[string]bool{
		"/config": true, "/var/lib": true, "/home/x": true, "/etc/nginx": true, "/usr/src/app": true, "/usr/local/tomcat": true,
		"/etc": false, "/etc/ssh": false, "/usr/bin": false, "/usr/share/x": false, "/": false, "/lib64/x": false, "/dev": false,
	} {
		if got := MayGive(dir); got != want {
			t.Errorf("may give %s: %t", dir, got)
		}
	}
}

// TestTree: which directory of an application a path in it leads to.
func TestTree(t *testing.T) {
	for p, want := range map[string]string{
		"/usr/src/app": "/usr/src/app", "/usr/src/app/bin/x.js": "/usr/src/app", "/usr/local/tomcat/conf/x": "/usr/local/tomcat", "/home/app/x": "/home/app",
		"/usr/share/nginx/html/env.js": "/usr/share/nginx/html", "/usr/share/x/www": "/usr/share/x/www",
		"/usr/src": "", "/usr/local": "", "/usr/local/games/x": "", "/usr/local/libx32/x": "", "/usr/local/bin/x": "", "/usr/local/lib/x": "", "/usr/local/etc/php/x": "", "/usr/share/nginx": "", "/usr/share/nginx/modules/x": "",
		"/usr/share/html": "", "/usr/lib/x/html": "", "/usr/bin/x": "", "/etc/x/html": "", "/home": "", "/": "", "/srv/x": "", "/usr": "",
	} {
		got, ok := Tree(p)
		if got != want || ok != (want != "") {
			t.Errorf("%s: %q, %v", p, got, ok)
		}
		if ok && !MayGive(got) {
			t.Errorf("%s: %q may not be given", p, got)
		}
	}
	for dir, want := range map[string]bool{
		"/usr": true, "/usr/local": true, "/usr/local/own/bin": true, "/usr/lib/x": true, "/opt/x": true, "/srv": true, "/bin": true, "/lib64": true, "/app": true, "/etc/nginx": true, "/home/x": true,
		"/": false, "/etc": false, "/etc/ssl/private": false, "/usr/local/etc/ssl": false, "/var/backups": false, "/root": false, "/proc/x": false, "/dev": false, "/tmp/x": false, "/run/x": false,
	} {
		if got := MayPass(dir); got != want {
			t.Errorf("may pass %s: %t", dir, got)
		}
	}
}

// TestKnownDirectories: directories that define accounts, or that every program reads, are on the list.
func TestKnownDirectories(t *testing.T) {
	for _, name := range []string{
		"pam.d", "security", "ssh", "ssl", "sudoers", "sudoers.d", "ld.so.conf.d", "profile.d", "cron.d", "init.d", "rc3.d", "skel", "systemd", "alternatives",
		"apt", "apk", "dpkg", "default", "selinux", "pki", "xdg", "polkit-1", "udev", "sysctl.d", "modprobe.d", "tmpfiles.d", "ca-certificates", "dbus-1",
	} {
		if IsApplication("/etc/" + name) {
			t.Errorf("/etc/%s would be given", name)
		}
	}
}
