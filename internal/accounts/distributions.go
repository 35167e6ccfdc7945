// SPDX-License-Identifier: Apache-2.0

package accounts

import (
	"bytes"
	_ "embed"
	"slices"
	"strconv"
	"strings"
)

// The accounts of a distribution's base images, which don't show what an image was built for. Each file names the source of
// its lines; hack/distributions generates them where possible. If an image names no user, they are searched as text:
//
//	mark NAME         an account that only its images have; they have no account of another distribution
//	account NAME UID  an account of its passwd that always has the same uid
//	daemon NAME       an account of ordinary packages, with any system uid; its files in /var say nothing about the image
//	group NAME        a group of its group file
//
//go:embed distributions/debian.txt
var debian string

//go:embed distributions/alpine.txt
var alpine string

//go:embed distributions/fedora.txt
var fedora string

//go:embed distributions/opensuse.txt
var openSUSE string

//go:embed distributions/arch.txt
var arch string

//go:embed distributions/busybox.txt
var busybox string

// lastSystemID is the last uid that distributions assign to the accounts of packages (Debian Policy 9.2.2;
// login.defs(5), SYS_UID_MAX).
const lastSystemID = 999

// distribution is the text of a distribution's file.
type distribution string

// distributions returns all of them, with those that reuse their accounts. An account counts as shipped by any that the
// image may be of: names together with uids don't collide with those of applications, except for daemons that are only
// in one distribution's base image and another's server image (unbound).
func distributions() []distribution {
	return []distribution{distribution(debian), distribution(alpine), distribution(fedora), distribution(openSUSE), distribution(arch), distribution(busybox)}
}

// has reports whether a line is in the file. The words come from lines of a passwd, and so contain no line feeds.
func (d distribution) has(words ...string) bool {
	return strings.Contains(string(d), "\n"+strings.Join(words, " ")+"\n")
}

// mark returns the account that only its images have; "" if there is none.
func (d distribution) mark() string {
	_, after, _ := strings.Cut(string(d), "\nmark ")
	name, _, _ := strings.Cut(after, "\n")
	return name
}

// nobody is the uid of the account nobody, and of unmapped users, on all of them.
const nobody = 65534

// shipped lists the distributions that an image may be of: the one with its mark in the image's passwd, or all.
type shipped []distribution

func shippedIn(passwd []byte) shipped {
	all := distributions()
	for i, d := range all {
		if mark := d.mark(); mark != "" && bytes.Contains(passwd, []byte("\n"+mark+":")) {
			return all[i : i+1]
		}
	}
	return all
}

// account reports whether an account comes from a distribution.
func (s shipped) account(name string, uid uint32) bool {
	number := strconv.FormatUint(uint64(uid), 10)
	return uid == nobody || s.daemon(name, uid) || s.has("account", name, number)
}

// daemon reports whether an account belongs to a package that other packages pull in: its files below /var don't say
// what the image is for.
func (s shipped) daemon(name string, uid uint32) bool {
	if uid > lastSystemID {
		return false
	}
	return strings.HasPrefix(name, "systemd-") || s.has("daemon", name)
}

// group reports whether a group comes from a distribution, by any gid: many have another one on each.
func (s shipped) group(name string) bool {
	return name == "root" || strings.HasPrefix(name, "systemd-") || s.has("group", name)
}

// has reports whether one of them has a line.
func (s shipped) has(words ...string) bool {
	return slices.ContainsFunc(s, func(d distribution) bool { return d.has(words...) })
}
