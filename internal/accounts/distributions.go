// SPDX-License-Identifier: Apache-2.0

package accounts

import (
	"bytes"
	_ "embed"
	"slices"
	"strconv"
	"strings"
)

// What the base images of a distribution bring, so that it says nothing of what an image was built for. Each file says where its
// lines come from; hack/distributions makes those that can be made. They are looked through as text, when an image names no user:
//
//	mark NAME         an account that only its images have: they have none of the other distributions'
//	account NAME UID  one of its passwd whose uid is always the same
//	daemon NAME       one that comes along with ordinary packages, by any system uid, and what it keeps in /var is its own
//	group NAME        one of its group file
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

// distributions are all of them, with those that reuse their accounts. An account counts as shipped by any that the
// image may be of: names together with uids don't collide with those of applications, except for daemons that are in
// one distribution's base image and in another's server image only (unbound).
func distributions() []distribution {
	return []distribution{distribution(debian), distribution(alpine), distribution(fedora), distribution(openSUSE), distribution(arch), distribution(busybox)}
}

// has reports whether a line is in the file. Lines of a passwd, of which its words are made, have no line feeds.
func (d distribution) has(words ...string) bool {
	return strings.Contains(string(d), "\n"+strings.Join(words, " ")+"\n")
}

// mark is the account that only its images have; "": none.
func (d distribution) mark() string {
	_, after, _ := strings.Cut(string(d), "\nmark ")
	name, _, _ := strings.Cut(after, "\n")
	return name
}

// nobody is the uid that stands for nobody, and for unmapped users, on all of them.
const nobody = 65534

// shipped are the distributions that an image may be of: the one whose mark its passwd has, or all.
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

// daemon reports whether an account belongs to a package that other packages pull in: what it has below /var doesn't say
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
