// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// room is a directory with all that the containers need: probe, volumes, policies, and namespaces to join.
type room struct {
	dir, tag, cgroup string
	runtime          program
	wrapper          string
	own              uint64 // the judge's own capabilities
	held             []io.Closer
	mounted          []string
}

// program is a runtime.
type program struct {
	name, path  string
	knowsGroups bool // exec --additional-gids
}

// holder is a process that keeps namespaces, so that containers can join them.
type holder struct {
	name       string
	uids, gids []span
}

// holders: the first is in no user namespace of its own, the second is what engines make.
var holders = []holder{
	{name: "plain"},
	{"shifted", []span{{0, 100000, 65536}}, []span{{0, 100000, 65536}}},
	{"host", []span{{0, 0, 65536}}, []span{{0, 0, 65536}}},
	{"groups", []span{{0, 100000, 65536}}, []span{{0, 0, 65536}}},
	{"users", []span{{0, 0, 65536}}, []span{{0, 100000, 65536}}},
	{"crossed", []span{{0, 100000, 65532}, {65532, 0, 1}, {65533, 200000, 3}}, []span{
		{0, 100000, 65532},
		{65532, 0, 1},
		{65533, 200000, 3},
	}},
	{"kept", []span{{0, 100000, 1000}, {1000, 0, 1}, {1001, 101001, 64535}}, []span{{0, 100000, 1000}, {1000, 0, 1}, {
		1001,
		101001, 64535,
	}}},
	{"rootless", []span{{1, 100001, 65535}}, []span{{1, 100001, 65535}}},
	{"single", []span{{0, 100000, 1}}, []span{{0, 100000, 1}}},
	{"low", []span{{0, 100000, 65530}, {65530, 1, 100}}, []span{{0, 100000, 65530}, {65530, 1, 100}}},
}

var volumes = []string{"data", "open", "file"}

// kinds are the namespaces that can be joined, by their names in config.json, with those in /proc and the flag that makes them.
var kinds = []struct {
	name, file string
	flag       uintptr
}{
	{"network", "net", unix.CLONE_NEWNET},
	{"ipc", "ipc", unix.CLONE_NEWIPC},
	{"uts", "uts", unix.CLONE_NEWUTS},
	{"pid", "pid", unix.CLONE_NEWPID},
	{"mount", "mnt", unix.CLONE_NEWNS},
	{"user", "user", unix.CLONE_NEWUSER},
}

func (r *room) namespace(holder, kind string) string {
	if holder == "" {
		return ""
	}
	return filepath.Join(r.dir, "ns", holder+"-"+kind)
}

func (r *room) volume(name string) string { return filepath.Join(r.dir, "volumes", name) }

// newRoom makes one below a directory. Other users can pass through it, as those of user namespaces have to.
func newRoom(parent string, runtime program, wrapper string) (r *room, err error) {
	dir, err := os.MkdirTemp(parent, "nonroot-judge.")
	if err != nil {
		return nil, err
	}
	r = &room{dir: dir, tag: "judge-" + strings.ToLower(rand.Text()[:10]), runtime: runtime, wrapper: wrapper}
	r.cgroup = "/nonroot-" + r.tag
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	self, err := seePID(os.Getpid())
	if err != nil {
		return r, err
	}
	r.own = self.tasks[0].prm
	if err = errors.Join(os.Chmod(dir, 0o711), r.furnish()); err != nil {
		return r, err
	}
	for _, h := range holders {
		if err = r.hold(h); err != nil {
			return r, fmt.Errorf("hold the namespaces %q: %w", h.name, err)
		}
	}
	return r, nil
}

func (r *room) furnish() error {
	for _, d := range []string{"bundles", "state", "ns", "volumes", "volumes/data", "volumes/open", "policies", "papers"} {
		if err := os.Mkdir(filepath.Join(r.dir, d), 0o711); err != nil {
			return err
		}
	}
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		return err
	}
	files := map[string]string{
		"probe": string(self), "volumes/hook": string(self), "volumes/file": "x\n", "volumes/data/file": "x\n",
		"volumes/passwd": "root:x:0:0::/root:/bin/sh\nnonroot:x:0:0::/:/bin/sh\nmounted:x:65532:0::/root:/bin/sh\n",
		"volumes/shadow": "root:*:19000:0:99999:7:::\n",
	}
	files["volumes/data/group"], files["volumes/data/passwd"] = strings.Join(group, "\n"), strings.Join(passwd, "\n")
	for name, text := range policies {
		if strings.Contains(text, "%s") {
			text = fmt.Sprintf(text, r.dir)
		}
		files["policies/"+name] = text
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return errors.Join(
		os.Chmod(filepath.Join(r.dir, "probe"), 0o755), os.Chmod(r.volume("hook"), 0o777), os.Chmod(r.volume("passwd"),
			0o644),
		os.Chmod(r.volume("file"), 0o644), os.Chmod(r.volume("data/group"), 0o666), os.Chmod(r.volume("data/passwd"),
			0o644), os.Chmod(r.volume("data"), 0o755), os.Chmod(r.volume("open"), 0o777|os.ModeSticky))
}

func mappings(spans []span) []syscall.SysProcIDMap {
	var all []syscall.SysProcIDMap
	for _, s := range spans {
		all = append(all, syscall.SysProcIDMap{ContainerID: int(s.inside), HostID: int(s.outside), Size: int(s.size)})
	}
	return all
}

// hold starts a holder, and mounts its namespaces where they have a name that does not depend on its process id.
func (r *room) hold(h holder) error {
	attr := &syscall.SysProcAttr{
		UidMappings: mappings(h.uids), GidMappings: mappings(h.gids),
		GidMappingsEnableSetgroups: true,
	}
	for _, k := range kinds {
		if k.name != "user" || h.uids != nil {
			attr.Cloneflags |= k.flag
		}
	}
	cmd := exec.Command(filepath.Join(r.dir, "probe"))
	cmd.Args, cmd.SysProcAttr = []string{"holder"}, attr
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	r.held = append(r.held, in, closer(cmd.Wait))
	for _, k := range kinds {
		if attr.Cloneflags&k.flag == 0 {
			continue
		}
		at, file := r.namespace(h.name, k.name), fmt.Sprintf("/proc/%d/ns/%s", cmd.Process.Pid, k.file)
		if k.name == "mount" { // these can't be mounted in any order (mount_namespaces(7) has nothing on it; Linux, mnt_ns_loop)
			if err := os.Symlink(file, at); err != nil {
				return err
			}
			continue
		}
		if err := os.WriteFile(at, nil, 0o600); err != nil {
			return err
		}
		if err := unix.Mount(file, at, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount %s: %w", at, err)
		}
		r.mounted = append(r.mounted, at)
	}
	return nil
}

type closer func() error

func (c closer) Close() error { return c() }

// close leaves nothing behind.
func (r *room) close() error {
	var errs []error
	for _, at := range r.mounted {
		errs = append(errs, unix.Unmount(at, unix.MNT_DETACH))
	}
	for _, c := range r.held {
		errs = append(errs, c.Close())
	}
	_, err := detach(r.dir)
	if errs = append(errs, err, r.sweepCgroups()); err != nil {
		return errors.Join(errs...) // nothing is removed below a mount
	}
	return errors.Join(append(errs, os.RemoveAll(r.dir))...)
}

// detach takes away what is mounted below a directory: who removed it as it is would remove what is mounted there.
func detach(dir string) (found []string, err error) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 4 && strings.HasPrefix(f[4], dir+"/") {
			found = append(found, f[4])
		}
	}
	var errs []error
	for _, at := range slices.Backward(found) {
		at = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(at)
		errs = append(errs, unix.Unmount(at, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW))
	}
	return found, errors.Join(errs...)
}

// sweepCgroups removes those that runtimes made for this room's containers and left, and says so where it cannot.
func (r *room) sweepCgroups() error {
	var all []string
	err := filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.Contains(path, r.tag) {
			all = append(all, path)
		}
		return nil // cgroups of others come and go
	})
	errs := []error{err}
	for _, dir := range all { // what a runtime left that had to be ended
		text, _ := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		for word := range strings.FieldsSeq(string(text)) {
			if pid, err := strconv.Atoi(word); err == nil && pid > 0 {
				_ = unix.Kill(pid, unix.SIGKILL) // it may be gone; what stays is seen below
			}
		}
	}
	for _, dir := range slices.Backward(all) {
		err := unix.Rmdir(dir)
		for range 200 { // the killed are not gone at once
			if !errors.Is(err, unix.EBUSY) {
				break
			}
			time.Sleep(10 * time.Millisecond)
			err = unix.Rmdir(dir)
		}
		if err != nil && !errors.Is(err, unix.ENOENT) {
			errs = append(errs, fmt.Errorf("remove the cgroup %q: %w", dir, err))
		}
	}
	return errors.Join(errs...)
}

// build makes a bundle with the recipe's config.json and rootfs.
func (r *room) build(dir string, made *recipe) error {
	root := filepath.Join(dir, "rootfs")
	config := strings.ReplaceAll(made.Config, `"path":"absolute"`, `"path":`+quoted(root))
	if err := os.MkdirAll(root, 0o755); err != nil {
		return err
	}
	if err := errors.Join(os.Chmod(dir, 0o711), os.WriteFile(filepath.Join(dir, "config.json"), []byte(config),
		0o600)); err != nil {
		return err
	}
	if made.Image == nil {
		return nil // the rootfs is somebody else's
	}
	for _, name := range []string{"probe", "true"} {
		if err := os.Link(filepath.Join(r.dir, "probe"), filepath.Join(root, name)); err != nil {
			return err
		}
	}
	for _, f := range made.Image {
		if err := f.make(root); err != nil {
			return err
		}
	}
	return nil
}

// make puts the file into a rootfs. Links come last, so that nothing is written through one.
func (f file) make(root string) error {
	at := f.place(root)
	var err error
	switch f.Kind {
	case 'd':
		err = os.MkdirAll(at, 0o755)
	case 'f':
		err = os.WriteFile(at, []byte(f.Text), 0o600)
	case 'p':
		err = unix.Mkfifo(at, 0o600)
	case 'l':
		return os.Symlink(f.Text, at)
	}
	if err != nil {
		return err
	}
	return errors.Join(unix.Chmod(at, f.Mode), unix.Lchown(at, f.UID, f.UID))
}
