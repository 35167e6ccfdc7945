// SPDX-License-Identifier: Apache-2.0

package ps

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/idmap"
	"github.com/nonroot-runc/nonroot-runc/internal/proc"
)

// process is what the kernel says of a process (proc(5), namespaces(7), cgroups(7)).
type process struct {
	pid, parent, inner int
	name               string
	args               []string
	uids               []uint32 // all threads', each once, sorted
	mnt, pids, user    string   // namespaces
	cgroups            []string // its paths in every hierarchy
	ids                idmap.Map
	start              uint64 // clock ticks since boot
	dead               bool   // a zombie: it has ids, but runs nothing
}

// scan reads every process below a directory like /proc. One that ends meanwhile doesn't count; others that can't be
// read are counted.
func scan(root string) (all []*process, unread int, err error) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, 0, err
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid <= 0 {
			continue
		}
		p, err := readProcess(root, pid)
		switch {
		case err == nil && !p.dead:
			all = append(all, p)
		case err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ESRCH):
			unread++
		}
	}
	return all, unread, nil
}

func readProcess(root string, pid int) (*process, error) {
	dir := filepath.Join(root, strconv.Itoa(pid))
	p := &process{pid: pid}
	text, err := proc.Read(dir + "/status")
	if err != nil {
		return nil, err
	}
	if err := p.status(text); err != nil {
		return nil, fmt.Errorf("read %q: %w", dir+"/status", err)
	}
	if p.dead || p.parent == 2 || pid == 2 { // the kernel's own threads have no namespaces worth a look
		p.dead = true
		return p, nil
	}
	for name, to := range map[string]*string{"mnt": &p.mnt, "pid": &p.pids, "user": &p.user} {
		if *to, err = os.Readlink(dir + "/ns/" + name); err != nil {
			return nil, err
		}
	}
	if text, err = proc.Read(dir + "/cgroup"); err != nil {
		return nil, err
	}
	p.cgroups = proc.CgroupPaths(text)
	if text, err = proc.Read(dir + "/uid_map"); err != nil {
		return nil, err
	}
	if p.ids, err = idmap.Parse(string(text)); err != nil {
		return nil, fmt.Errorf("read %q: %w", dir+"/uid_map", err)
	}
	if text, err = proc.Read(dir + "/cmdline"); err != nil {
		return nil, err
	}
	if line := strings.TrimSuffix(string(text), "\x00"); line != "" {
		p.args = strings.Split(line, "\x00")
	}
	if text, err = proc.Read(dir + "/stat"); err != nil {
		return nil, err
	}
	if fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:])); len(fields) > 19 {
		p.start, _ = strconv.ParseUint(fields[19], 10, 64) // 0 orders it first
	}
	return p, p.threads(dir)
}

// threads adds the ids of the other threads: setuid(2) changes only one thread, which the C library hides, but a
// program without it need not.
func (p *process) threads(dir string) error {
	names, err := filepath.Glob(dir + "/task/*/status")
	if err != nil {
		return err
	}
	for _, name := range names {
		text, err := proc.Read(name)
		if err != nil {
			continue // it has ended
		}
		s, err := proc.ParseStatus(text)
		if err == nil {
			err = fourUIDs(s)
		}
		if err != nil {
			return fmt.Errorf("read %q: %w", name, err)
		}
		p.uids = append(p.uids, s.UIDs...)
	}
	slices.Sort(p.uids)
	p.uids = slices.Compact(p.uids)
	return nil
}

// status reads what matters from /proc/PID/status.
func (p *process) status(text []byte) error {
	s, err := proc.ParseStatus(text)
	if err != nil {
		return err
	}
	p.name, p.parent, p.inner, p.uids = s.Name, s.Parent, cmp.Or(s.Inner, p.pid), s.UIDs
	p.dead = strings.HasPrefix(s.State, "Z") || strings.HasPrefix(s.State, "X")
	return fourUIDs(s)
}

// fourUIDs fails if a process's uids can't be read, so that such a process does not pass for not being root.
func fourUIDs(s *proc.Status) error {
	if len(s.UIDs) != 4 {
		return errors.New("it has no line of four uids")
	}
	return nil
}

// innerUIDs are the uids in the process's user namespace. self is the caller: the maps of its own namespace don't
// tell how ids look from inside.
func (p *process) innerUIDs(self *process) []uint32 {
	if p.user == self.user {
		return p.uids
	}
	inner := []uint32{}
	for _, uid := range p.uids {
		if id, ok := p.ids.Inside(uid); ok {
			inner = append(inner, id)
		}
	}
	return inner
}
