// SPDX-License-Identifier: Apache-2.0

package policy

import "slices"

// Adapt is what is changed so that an image built to run as root works without it.
type Adapt struct {
	Own        []string // directories of the image that the identity becomes the owner of, with everything below
	Keep       []string // exceptions to Own
	WorkingDir bool     // the process's working directory counts as one of Own
	Tmp        bool     // /tmp and /var/tmp are world-writable
	Volumes    bool     // engines' volumes without data change owner to the identity
	LowPorts   bool     // ports below 1024, and ping, are open in the container's own network namespace
	Groups     bool     // the image's user keeps its groups of the image, if no files of the host are mounted
	GroupRoot  bool     // what group 0 may write becomes writable to the identity's group (OpenShift's images)

	Applications     bool // also directories that belong to one application: at the top, and below /etc
	Secrets          bool // files that the engine keeps for this container, readable only by root, become readable to the identity
	EmulateOwnership bool // chown, chgrp and the like succeed and do nothing, in a container that asked for root
}

// defaultAdapt lists the directories where services keep their state (Filesystem Hierarchy Standard 3.0, chapters
// 3.15 and 5), where applications live that bring their own (3.13 /opt, 3.17 /srv, and /data by custom), and root's
// home, which images built for root treat as theirs. It leaves out what belongs to package managers and the like:
// many files, and no service needs them.
func defaultAdapt() Adapt {
	return Adapt{
		Own: slices.Clone(stateDirectories), Keep: slices.Clone(notState),
		WorkingDir: true, Tmp: true, Volumes: true, LowPorts: true, Groups: true, GroupRoot: true,
		Applications: true, Secrets: true, EmulateOwnership: true,
	}
}

var (
	stateDirectories = []string{"/run", "/var/run", "/var/cache", "/var/lib", "/var/log", "/var/spool", "/data", "/opt", "/srv", "/root"}
	notState         = []string{
		"/run/lock", "/run/sudo", "/var/cache/apt", "/var/cache/debconf", "/var/cache/ldconfig", "/var/cache/man", "/var/lib/apk", "/var/lib/apt",
		"/var/lib/dnf", "/var/lib/dpkg", "/var/lib/pacman", "/var/lib/pam", "/var/lib/polkit-1", "/var/lib/python", "/var/lib/rpm",
		"/var/lib/sudo", "/var/lib/systemd", "/var/lib/ucf", "/var/lib/zypp", "/var/log/apt", "/var/spool/cron",
	}
)

// adaptTable is the table [adapt] of the policy file.
type adaptTable struct {
	Own        []string `toml:"own"`
	Keep       []string `toml:"keep"`
	WorkingDir *bool    `toml:"working_directory"`
	Tmp        *bool    `toml:"tmp"`
	Volumes    *bool    `toml:"volumes"`
	LowPorts   *bool    `toml:"low_ports"`
	Groups     *bool    `toml:"groups"`
	GroupRoot  *bool    `toml:"group_root"`

	Applications     *bool `toml:"applications"`
	Secrets          *bool `toml:"secrets"`
	EmulateOwnership *bool `toml:"emulate_ownership"`
}

func (t *adaptTable) read(p *Policy, r *reader) {
	a := &p.Adapt
	for _, list := range []struct {
		key string
		set []string
		to  *[]string
	}{{"own", t.Own, &a.Own}, {"keep", t.Keep, &a.Keep}} {
		if list.set == nil {
			continue
		}
		*list.to = append([]string(nil), list.set...)
		for _, dir := range list.set {
			if !cleanPath(dir) || list.key == "own" && !MayGive(dir) {
				r.fail("adapt."+list.key, "%q is a directory that cannot be given away\nhint: name a clean absolute path outside of /, /proc, /sys, /dev, the directories of programs and libraries, and those of /etc that are not a package's own", dir)
			}
		}
	}
	for _, b := range []struct{ set, to *bool }{
		{t.WorkingDir, &a.WorkingDir},
		{t.Tmp, &a.Tmp},
		{t.Volumes, &a.Volumes},
		{t.LowPorts, &a.LowPorts},
		{t.Groups, &a.Groups},
		{t.GroupRoot, &a.GroupRoot},
		{t.Applications, &a.Applications},
		{t.Secrets, &a.Secrets},
		{t.EmulateOwnership, &a.EmulateOwnership},
	} {
		if b.set != nil {
			*b.to = *b.set
		}
	}
}

// Untouchable reports whether a directory never changes owner: the rootfs itself, the kernel's file systems, and every
// directory of configuration, programs or libraries. That includes all of /usr except source trees and applications
// that keep to one directory there (/usr/src/app, /usr/local/tomcat).
func Untouchable(dir string) bool {
	top, rest := cutPart(dir)
	switch top {
	case "", "etc", "proc", "sys", "dev", "bin", "sbin", "boot":
		return true
	case "usr":
		second, below := cutPart(rest)
		third, _ := cutPart(below)
		switch {
		case second == "src":
			return third == ""
		case second == "local":
			return third == "" || slices.Contains([]string{"bin", "sbin", "games", "lib", "lib32", "lib64", "libx32", "libexec", "share", "include", "etc", "man"}, third)
		}
		return true
	}
	return len(top) >= 3 && top[:3] == "lib"
}

// cutPart cuts the first component off a clean path.
func cutPart(p string) (part, rest string) {
	for len(p) > 0 && p[0] == '/' {
		p = p[1:]
	}
	for i := range len(p) {
		if p[i] == '/' {
			return p[:i], p[i:]
		}
	}
	return p, ""
}
