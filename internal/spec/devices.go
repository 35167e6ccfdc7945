// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/quote"
)

// DeviceChange closes the host's disks and memory to the container (SECURITY.md C1), in two ways. Nodes that
// linux.devices creates for them belong to root and are closed to all others. And linux.resources.devices, the kernel's
// list of what may be opened, lets nobody open them: an image, or a file brought by "docker cp", can be a device node
// with any mode.
type DeviceChange struct {
	// MayOwn reports whether a group may keep owning a disk. If an entry of linux.devices has such a group, the list of
	// what may be opened is unchanged, too.
	MayOwn func(gid uint32) bool
	// RawMajors lists the majors of character devices that give access to a disk.
	RawMajors []int64
}

// CharacterDevice is a character device of the container (config-linux.md, "Devices").
type CharacterDevice struct {
	Path string
	GID  uint32 // the group that is to own its node; 0 if the document names none
	Raw  bool   // it gives access to a disk or memory
}

// CharacterDevices returns those of linux.devices. rawMajors lists the majors of those that give access to a disk.
func (d *Document) CharacterDevices(rawMajors []int64) ([]CharacterDevice, error) {
	elems, err := d.root.get("linux").get("devices").list("linux.devices")
	if err != nil {
		return nil, err
	}
	var all []CharacterDevice
	for i, e := range elems {
		at := "linux.devices." + strconv.Itoa(i)
		if e.kind != '{' {
			return nil, fmt.Errorf("%s is %s, not an object", at, kindName(e))
		}
		kind, err := e.get("type").text(at + ".type")
		if err != nil {
			return nil, err
		}
		if kind != "c" && kind != "u" {
			continue
		}
		var c CharacterDevice
		if c.Path, err = e.get("path").text(at + ".path"); err != nil {
			return nil, err
		}
		if _, c.Raw, err = rawDevice(e, at, DeviceChange{RawMajors: rawMajors}); err != nil {
			return nil, err
		}
		if c.GID, err = e.id(at+".gid", "gid"); err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

// memory lists the minors of /dev/mem, /dev/kmem and /dev/port in their major (Linux, admin-guide/devices.txt).
var memory = []int64{1, 2, 4}

const memoryMajor = 1

// sortBits are the bits of a mode for the type of file (inode(7)). runc drops them from fileMode, but crun uses them: a
// "c" with the fileMode of a block device becomes one.
const sortBits = 0o170000

func sortOf(kind string) (bits uint64, isKnown bool) {
	switch kind {
	case "b":
		return 0o060000, true
	case "c", "u":
		return 0o020000, true
	case "p":
		return 0o010000, true
	}
	return 0, false
}

func closeDisks(linux *node, c DeviceChange) error {
	owned, err := closeNodes(linux, c)
	if err != nil || owned {
		return err
	}
	return closeRules(linux, c)
}

// closeNodes makes root the owner of the nodes of disks and memory. It reports whether a group that may own one does.
func closeNodes(linux *node, c DeviceChange) (owned bool, err error) {
	devices, err := linux.get("devices").list("linux.devices")
	if err != nil {
		return false, err
	}
	for i, d := range devices {
		at := "linux.devices." + strconv.Itoa(i)
		if d.kind != '{' {
			return false, fmt.Errorf("%s is %s, not an object", at, kindName(d))
		}
		mode, isRaw, err := rawDevice(d, at, c)
		if err != nil {
			return false, err
		}
		if !isRaw {
			continue
		}
		gid, err := d.id(at+".gid", "gid")
		if err != nil {
			return false, err
		}
		if gid != 0 && c.MayOwn(gid) {
			owned = true
		} else {
			d.set("gid", uintLeaf(0))
		}
		d.set("uid", uintLeaf(0))
		d.set("fileMode", uintLeaf(mode&^0o007))
	}
	return owned, nil
}

// rawDevice reports whether an entry of linux.devices is a disk or memory, and returns its mode: 0666 by default (runc,
// specconv; crun likewise).
func rawDevice(d *node, at string, c DeviceChange) (mode uint64, isRaw bool, err error) {
	kind, err := d.get("type").text(at + ".type")
	if err != nil {
		return 0, false, err
	}
	sort, isKnown := sortOf(kind)
	if !isKnown {
		return 0, false, fmt.Errorf("%s.type is %s, which runtimes read differently: it is not b, c, u or p", at, quote.Value(kind))
	}
	mode = 0o666
	if n := d.get("fileMode"); n != nil {
		if mode, err = n.unsigned(at+".fileMode", 32); err != nil {
			return 0, false, err
		}
	}
	if said := mode & sortBits; said != 0 && said != sort {
		return 0, false, fmt.Errorf("%s.fileMode is %#o, which is not the mode of a device of the type %q\nhint: use 07777 or less", at, mode, kind)
	}
	if kind == "p" {
		return mode, false, nil
	}
	major, err := d.get("major").whole(at+".major", 0)
	if err != nil {
		return 0, false, err
	}
	minor, err := d.get("minor").whole(at+".minor", 0)
	if err != nil {
		return 0, false, err
	}
	isRaw = kind == "b" || major == memoryMajor && slices.Contains(memory, minor) || slices.Contains(c.RawMajors, major)
	return mode, isRaw, nil
}

// deviceRule is an entry of linux.resources.devices. A number of -1 means any.
type deviceRule struct {
	allow        bool
	kind         string // a, b or c
	major, minor int64
	access       string // of r, w and m
}

// closeRules narrows the list of what may be opened: nothing becomes allowed.
func closeRules(linux *node, c DeviceChange) error {
	const at = "linux.resources.devices"
	resources, err := linux.childObject("resources", "linux.resources")
	if err != nil {
		return err
	}
	entries, err := resources.get("devices").list(at)
	if err != nil {
		return err
	}
	kept := make([]*node, 0, len(entries)+8)
	changed := false
	isOpen := true // without a rule for all devices, crun keeps what the parent cgroup has: everything
	for i, e := range entries {
		r, err := readDeviceRule(e, at+"."+strconv.Itoa(i))
		if err != nil {
			return err
		}
		switch {
		case r.kind == "a":
			isOpen = r.allow
		case r.allow && strings.ContainsAny(r.access, "rw") && r.kind == "c" && r.major < 0:
			return fmt.Errorf("%s.%d allows every character device, and some of those read disks\nhint: name the majors that are needed", at, i)
		case r.allow && strings.ContainsAny(r.access, "rw") && (r.kind == "b" || slices.Contains(c.RawMajors, r.major)):
			changed = true
			if !strings.Contains(r.access, "m") {
				continue
			}
			// Creating a node takes a capability that no process in the container has.
			e.set("access", stringLeaf("m"))
		}
		kept = append(kept, e)
	}
	if isOpen {
		denials := denials(c)
		if tail := kept[max(0, len(kept)-len(denials)):]; !slices.EqualFunc(tail, denials, sameText) {
			kept, changed = append(kept, denials...), true
		}
	}
	if !changed {
		return nil
	}
	list := resources.get("devices")
	if list == nil {
		list = &node{kind: '[', raw: []byte("[]")}
		resources.set("devices", list)
	}
	list.elems, list.touched = kept, true
	return nil
}

// denials returns rules that close the devices that a list leaves open.
func denials(c DeviceChange) []*node {
	deny := func(kind string, major int64) *node {
		text := `{"allow":false,"type":"` + kind + `"`
		if major >= 0 {
			text += `,"major":` + strconv.FormatInt(major, 10)
		}
		return leaf([]byte(text + `,"access":"rw"}`))
	}
	all := []*node{deny("b", -1)}
	for _, major := range c.RawMajors {
		all = append(all, deny("c", major))
	}
	return all
}

// sameText reports whether two values are spelled the same, as when an earlier rewrite wrote one of them.
func sameText(a, b *node) bool { return string(a.render(nil)) == string(b.render(nil)) }

func readDeviceRule(e *node, at string) (r deviceRule, err error) {
	if e.kind != '{' {
		return r, fmt.Errorf("%s is %s, not an object", at, kindName(e))
	}
	if r.allow, err = e.get("allow").boolean(at + ".allow"); err != nil {
		return r, err
	}
	if r.kind, err = e.get("type").text(at + ".type"); err != nil {
		return r, err
	}
	if r.kind == "" {
		r.kind = "a"
	}
	if !slices.Contains([]string{"a", "b", "c"}, r.kind) {
		return r, fmt.Errorf("%s.type is %s, which runtimes read differently: it is not a, b or c", at, quote.Value(r.kind))
	}
	if r.access, err = e.get("access").text(at + ".access"); err != nil {
		return r, err
	}
	if r.major, err = e.get("major").whole(at+".major", -1); err != nil {
		return r, err
	}
	r.minor, err = e.get("minor").whole(at+".minor", -1)
	return r, err
}

// whole reads a device number: from 0 to 32 bits, or -1, which engines use for any.
func (n *node) whole(what string, absent int64) (int64, error) {
	switch {
	case n == nil:
		return absent, nil
	case string(n.raw) == "-1":
		return -1, nil
	}
	v, err := n.unsigned(what, 32)
	if err != nil {
		return 0, err
	}
	return int64(v), nil // #nosec G115 -- 32 bits
}
