// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// The kinds of violations, each a promise of SECURITY.md that is broken. "inside" is as the container has it, "outside" as the
// host has it.
const (
	uidInside   = "uid 0 inside"
	uidOutside  = "uid 0 outside"
	gidInside   = "gid 0 inside"
	gidOutside  = "gid 0 outside"
	groupInside = "group 0 inside"
	groupOut    = "group 0 outside"
	hostGroup   = "group of the host's"
	capability  = "capability"
	bounding    = "bounding set"
	newPrivs    = "no NoNewPrivs"
	entered     = "user namespace"
	leftover    = "left behind"
	crash       = "crash of the wrapper"
	inExec      = "in an exec" // beside what it is
)

// expected are the kinds that the bare runtime has to show, so that the judge is known to see them.
var expected = []string{
	uidInside, uidOutside, gidInside, gidOutside, groupInside, groupOut, hostGroup, capability,
	bounding, newPrivs, entered,
}

// credentials are what proc_pid_status(5) calls them.
type credentials struct {
	name                    string
	uid, gid                [4]uint32
	groups                  []uint32
	inh, prm, eff, bnd, amb uint64
	noNewPrivs              bool
}

func parseStatus(text string) (credentials, error) {
	var c credentials
	var err error
	fields := map[string]string{}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(line, ":")
		fields[key] = strings.TrimSpace(value)
	}
	ids := func(key string) []uint32 {
		var all []uint32
		for _, f := range strings.Fields(fields[key]) {
			n, e := strconv.ParseUint(f, 10, 32)
			if e != nil {
				err = e
			}
			all = append(all, uint32(n))
		}
		return all
	}
	set := func(key string) uint64 {
		n, e := strconv.ParseUint(fields[key], 16, 64)
		if e != nil {
			err = e
		}
		return n
	}
	c.name = fields["Name"]
	if uids, gids := ids("Uid"), ids("Gid"); len(uids) != 4 || len(gids) != 4 {
		return c, fmt.Errorf("no ids in %q", text)
	} else {
		c.uid, c.gid = [4]uint32(uids), [4]uint32(gids)
	}
	c.groups = ids("Groups")
	c.inh, c.prm, c.eff, c.bnd, c.amb = set("CapInh"), set("CapPrm"), set("CapEff"), set("CapBnd"), set("CapAmb")
	if c.noNewPrivs = fields["NoNewPrivs"] == "1"; fields["NoNewPrivs"] == "" {
		return c, fmt.Errorf("no NoNewPrivs in %q", text)
	}
	return c, err
}

// span is a line of uid_map or gid_map (user_namespaces(7)).
type span struct{ inside, outside, size uint64 }

func parseMap(text string) []span {
	var all []span
	for line := range strings.Lines(text) {
		var s span
		if n, _ := fmt.Sscan(line, &s.inside, &s.outside, &s.size); n == 3 {
			all = append(all, s)
		}
	}
	return all
}

// inside is what a host's id is in the container; the overflow id where it is nothing.
func inside(m []span, id uint32) uint32 {
	for _, s := range m {
		if v := uint64(id); v >= s.outside && v-s.outside < s.size {
			return uint32(s.inside + v - s.outside)
		}
	}
	return 65534
}

// seen is a process as the host sees it: every thread of it, and the maps of its user namespace.
type seen struct {
	tasks      []credentials
	uids, gids []span
}

// seePID reads all that the host's kernel says of a process.
func seePID(pid int) (seen, error) {
	var s seen
	directory := filepath.Join("/proc", strconv.Itoa(pid))
	files, err := filepath.Glob(directory + "/task/*/status")
	if err != nil {
		return s, err
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			continue // threads end
		}
		c, err := parseStatus(string(text))
		if err != nil {
			return s, err
		}
		s.tasks = append(s.tasks, c)
	}
	if len(s.tasks) == 0 {
		return s, fmt.Errorf("process %d is gone", pid)
	}
	uids, err := os.ReadFile(directory + "/uid_map")
	if err != nil {
		return s, err
	}
	gids, err := os.ReadFile(directory + "/gid_map")
	s.uids, s.gids = parseMap(string(uids)), parseMap(string(gids))
	return s, err
}

// law is what is held against a process.
type law struct {
	bounding  uint64          // all that may be in the bounding set
	named     map[uint32]bool // the host's groups
	dangerous map[uint32]bool // those among them that no process may have as its primary one
}

// outside judges what the host sees, and what follows from it for the container.
func (l *law) outside(s seen) findings {
	all := findings{}
	for _, c := range s.tasks {
		l.task(all, c)
		in := c
		for i := range 4 {
			in.uid[i], in.gid[i] = inside(s.uids, c.uid[i]), inside(s.gids, c.gid[i])
		}
		in.groups = make([]uint32, len(c.groups))
		for i, g := range c.groups {
			in.groups[i] = inside(s.gids, g)
		}
		all.zero(in, uidInside, gidInside, groupInside)
		all.zero(c, uidOutside, gidOutside, groupOut)
		l.groups(all, in, s.gids)
		l.groups(all, c, nil)
	}
	return all
}

// words judges what the probe says of itself.
func (l *law) words(s said) findings {
	all := findings{}
	if s.Entered {
		all.add(entered, "the probe is root of a user namespace of its own")
	}
	for _, text := range s.Tasks {
		c, err := parseStatus(text)
		if err != nil {
			continue
		}
		l.task(all, c)
		all.zero(c, uidInside, gidInside, groupInside)
		l.groups(all, c, parseMap(s.GIDMap))
	}
	return all
}

func (l *law) task(all findings, c credentials) {
	if c.inh|c.prm|c.eff|c.amb != 0 {
		all.add(capability, fmt.Sprintf("inheritable %x, permitted %x, effective %x, ambient %x", c.inh, c.prm, c.eff,
			c.amb))
	}
	if c.bnd&^l.bounding != 0 {
		all.add(bounding, fmt.Sprintf("%x, and only %x was asked for or is allowed", c.bnd, l.bounding))
	}
	if !c.noNewPrivs {
		all.add(newPrivs, "NoNewPrivs is 0")
	}
}

// groups: additional ones below 1000 or of the host's are dropped, unless they are the primary one. The policy's own gid is
// none of the host's.
func (l *law) groups(all findings, c credentials, m []span) {
	if l.dangerous[c.gid[1]] && !unmapped(m, c.gid[1]) {
		all.add(hostGroup, fmt.Sprintf("the primary gid %d", c.gid[1]))
	}
	for _, g := range c.groups {
		if g != c.gid[1] && (g < 1000 || l.named[g]) && !unmapped(m, g) {
			all.add(hostGroup, fmt.Sprintf("the group %d beside the gid %d", g, c.gid[1]))
		}
	}
}

// unmapped: the overflow id stands for what has no number in the container.
func unmapped(m []span, id uint32) bool {
	return m != nil && id == 65534 && !slices.ContainsFunc(m,
		func(s span) bool { return s.inside <= 65534 && 65534-s.inside < s.size })
}

// findings are the kinds of violations with an example of each.
type findings map[string]string

func (f findings) add(kind, what string) {
	if _, has := f[kind]; !has {
		f[kind] = what
	}
}

func (f findings) merge(o findings, prefix string) {
	for kind, what := range o {
		f.add(kind, prefix+what)
	}
}

func (f findings) zero(c credentials, uid, gid, group string) {
	if slices.Contains(c.uid[:], 0) {
		f.add(uid, fmt.Sprintf("uids %d", c.uid))
	}
	if slices.Contains(c.gid[:], 0) {
		f.add(gid, fmt.Sprintf("gids %d", c.gid))
	}
	if slices.Contains(c.groups, 0) {
		f.add(group, fmt.Sprintf("groups %d", c.groups))
	}
}

// hostGroups reads the host's group file.
func (l *law) hostGroups() error {
	text, err := os.ReadFile("/etc/group")
	if err != nil {
		return err
	}
	l.named, l.dangerous = map[uint32]bool{}, map[uint32]bool{}
	for line := range strings.Lines(string(text)) {
		f := strings.Split(line, ":")
		if len(f) < 3 {
			continue
		}
		gid, err := strconv.ParseUint(f[2], 10, 32)
		if err != nil {
			continue
		}
		l.named[uint32(gid)] = true
		if slices.Contains([]string{
			"root", "adm", "tty", "disk", "kmem", "shadow", "sudo", "wheel", "docker", "podman",
			"lxd", "libvirt",
		}, f[0]) {
			l.dangerous[uint32(gid)] = true
		}
	}
	if len(l.dangerous) == 0 {
		return fmt.Errorf("the host's group file names none of the groups that are looked for")
	}
	return nil
}
