// SPDX-License-Identifier: Apache-2.0

package adopt

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/ask"
	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/engines"
	"github.com/nonroot-runc/nonroot-runc/internal/layer"
	"github.com/nonroot-runc/nonroot-runc/internal/links"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/proc"
	"github.com/nonroot-runc/nonroot-runc/internal/ps"
	"github.com/nonroot-runc/nonroot-runc/internal/quote"
)

// User is a container that mounts a volume, running or not.
type User struct {
	Name  string
	Last  policy.LastStart // its identity at its last start
	Known bool             // Last is known
	Would bool             // in mode audit: the identity that it would have had
}

// Audited returns, for a container's id, the identity that the container would have had at its last start, if that was
// in mode audit: its layer records nothing then.
type Audited func(id string) (policy.LastStart, bool)

// container is a container in the output of engines' inspect (docker-container-inspect(1),
// podman-container-inspect(1)).
type container struct {
	ID     string `json:"Id"`
	Name   string
	Mounts []struct{ Source string }

	GraphDriver struct{ Data map[string]string }
	HostConfig  struct {
		UsernsMode string
		IDMappings *struct{ UIDMap []string } // Podman's
	}
}

// hasUsers reports whether a container has a user namespace, in which ids differ from those on disk, because the
// container or its engine asked for one.
func (c *container) hasUsers(upper string) bool {
	var st unix.Stat_t
	return c.HostConfig.UsernsMode != "" && c.HostConfig.UsernsMode != "host" ||
		c.HostConfig.IDMappings != nil && len(c.HostConfig.IDMappings.UIDMap) > 0 ||
		unix.Lstat(path.Dir(upper), &st) != nil || st.Uid != 0
}

// Users asks Docker and Podman, if they are installed, for the containers that mount a volume.
func Users(ctx context.Context, dir string, audited Audited) (users []User, err error) {
	var failed error
	for _, e := range engines.All {
		if e.Client == "" || e.Volumes.Path == "" {
			continue
		}
		if _, err := exec.LookPath(e.Client); err != nil {
			continue
		}
		found, err := usersOf(ctx, e.Client, dir, audited)
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		users = append(users, found...)
	}
	if len(users) == 0 {
		return nil, failed // an engine that is not running doesn't matter if another one answers
	}
	slices.SortFunc(users, func(a, b User) int { return strings.Compare(a.Name, b.Name) })
	return users, nil
}

func usersOf(ctx context.Context, client, dir string, audited Audited) (users []User, err error) {
	out, err := ask.Run(ctx, nil, client, "ps", "--all", "--quiet", "--no-trunc", "--filter", "volume="+path.Base(path.Dir(dir)))
	ids := strings.Fields(string(out))
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	out, err = ask.Run(ctx, nil, client, append([]string{"inspect", "--type", "container"}, ids...)...)
	if err != nil {
		return nil, err
	}
	var all []container
	if err := json.Unmarshal(out, &all); err != nil {
		return nil, fmt.Errorf("read what %s inspect says: %w", client, err)
	}
	for i := range all {
		c := &all[i]
		if !slices.ContainsFunc(c.Mounts, func(m struct{ Source string }) bool { return path.Clean(m.Source) == dir }) {
			continue // the filter also matches mount destinations
		}
		u := User{Name: strings.TrimPrefix(c.Name, "/")}
		if upper := c.GraphDriver.Data["UpperDir"]; path.IsAbs(upper) && !c.hasUsers(upper) {
			if u.Last, u.Known = layer.LastStartOf(upper); !u.Known {
				u.Last, u.Known = audited(c.ID)
				u.Would = u.Known
			}
		}
		users = append(users, u)
	}
	return users, nil
}

// by describes sources that let the container choose.
var by = map[decision.Source]string{
	decision.Requested: " by its own request", decision.Joined: " as the container whose processes it joins", decision.Volume: " as its volumes are", decision.Prepared: " by its command",
}

// said describes a container for people.
func (u *User) said() string {
	name := quote.Value(u.Name)
	if !u.Known {
		return name + " is not known: it is in a user namespace, or its last start was under another runtime, or in mode audit without a line in the log"
	}
	is := " is"
	switch {
	case u.Last.Source == decision.Kept:
		return fmt.Sprintf("%s asks for %d:%d itself", name, u.Last.UID, u.Last.GID)
	case u.Would:
		is = " would be"
	}
	return fmt.Sprintf("%s%s %d:%d%s", name, is, u.Last.UID, u.Last.GID, by[u.Last.Source])
}

// Whose returns the one user of the volume's containers. Any user of the engine may start a container with any volume,
// so at least one container must get its user from its image or its policy, and none may disagree, or be unknown. A
// user that was chosen doesn't count alone.
func Whose(dir string, users []User) (ID, error) {
	var found *User
	var said []string
	agree := true
	for i := range users {
		u := &users[i]
		said = append(said, u.said())
		if _, chose := by[u.Last.Source]; !u.Known || chose || u.Last.Source == decision.Kept {
			agree = agree && u.Known
			continue
		}
		if found != nil && (found.Last.UID != u.Last.UID || found.Last.GID != u.Last.GID) {
			agree = false
		}
		found = u
	}
	for i := range users {
		u := &users[i]
		agree = agree && found != nil && u.Last.UID == found.Last.UID && (u.Last.GID == found.Last.GID || u.Last.Source == decision.Kept)
	}
	if found != nil && agree {
		return ID{UID: found.Last.UID, GID: found.Last.GID}, nil
	}
	advice := "name its user with --user UID:GID, as nonroot-ctl explain CONTAINER shows it"
	if who, ok := ofImage(users); ok {
		advice = fmt.Sprintf("name one with --user UID:GID; with --user %d:%d, an image's user, containers whose user only the policy decides follow when they are created again", who.UID, who.GID)
	}
	what := "no container of Docker's or Podman's that mounts it is known"
	if len(said) > 0 {
		what = "of its containers, " + strings.Join(said, ", ")
	}
	return ID{}, fmt.Errorf("the user of the volume %q is unknown: %s\nhint: %s", dir, what, advice)
}

// ofImage returns the one user that the images of some of a volume's containers were built for, if the policy decides
// the user of the others: those become the owner of what they mount. The administrator who runs adopt has to decide, as
// anyone may build an image.
func ofImage(users []User) (who ID, ok bool) {
	for i := range users {
		switch u := &users[i]; {
		case u.Known && u.Last.Source == decision.Fixed:
		case !u.Known || u.Last.Source != decision.Image || ok && (who.UID != u.Last.UID || who.GID != u.Last.GID):
			return ID{}, false
		default:
			who, ok = ID{UID: u.Last.UID, GID: u.Last.GID}, true
		}
	}
	return who, ok
}

// Running returns the names of the running containers that mount a volume, according to the kernel.
func Running(dir string) (names []string, err error) {
	v, err := volumeAt(dir)
	if err != nil {
		return nil, fmt.Errorf("look at the volume %q: %w", dir, err)
	}
	list, err := ps.List(ps.Options{All: true})
	if err != nil {
		return nil, err
	}
	for _, c := range list.Containers {
		if slices.ContainsFunc(c.Processes, func(p *ps.Process) bool { return v.mountedIn(p.PID) }) {
			names = append(names, cmp.Or(c.Called(), strconv.Itoa(c.Processes[0].PID)))
		}
	}
	return names, nil
}

// volumeOnDisk is a volume's place in its file system.
type volumeOnDisk struct {
	unix.Stat_t
	device string // as mountinfo has it
	path   string // from the root of the file system
}

func volumeAt(dir string) (v volumeOnDisk, err error) {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return v, err
	}
	defer unix.Close(fd)
	mounts, err := proc.ReadMounts()
	if err := errors.Join(err, unix.Fstat(fd, &v.Stat_t)); err != nil {
		return v, err
	}
	at, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	m, ok := mounts.Of(fd)
	if err != nil || !ok || !links.Within(m.Point, at) {
		return v, cmp.Or(err, errors.New("its mount is not known"))
	}
	v.device, v.path = m.Device, path.Join(m.Root, strings.TrimPrefix(at, m.Point))
	return v, nil
}

// mountedIn reports whether a process has a mount of the volume or of a path in it, or a writable one of a directory
// above it. Other file systems are not examined: they may not answer.
func (v *volumeOnDisk) mountedIn(pid int) bool {
	id := strconv.Itoa(pid)
	mounts, err := proc.MountsOf(id)
	if err != nil {
		return false
	}
	for m := range mounts.All() {
		switch {
		case m.Device != v.device:
		case links.Within(v.path, m.Root):
			return true
		case !links.Within(m.Root, v.path) || slices.Contains(strings.Split(m.Mode, ","), "ro"): // it only looks at the whole machine
		case isAtHome(id): // a runtime's process that is about to become the container's, and has the host's mounts until then
		case v.isAt("/proc/"+id+"/root"+m.Point, strings.TrimPrefix(strings.TrimPrefix(v.path, m.Root), "/")):
			return true
		}
	}
	return false
}

// isAtHome reports whether a process has the same root directory as this one.
func isAtHome(pid string) bool {
	var own, its unix.Stat_t
	return unix.Stat("/", &own) == nil && unix.Stat("/proc/"+pid+"/root/", &its) == nil && own.Dev == its.Dev && own.Ino == its.Ino
}

// isAt reports whether the volume itself is below a directory at that path, and not another mount over it.
func (v *volumeOnDisk) isAt(dir, below string) bool {
	top, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(top)
	fd, err := unix.Openat2(top, below, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: inside})
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	return unix.Fstat(fd, &st) == nil && st.Dev == v.Dev && st.Ino == v.Ino
}

// StillRun returns the error for running containers of a volume.
func StillRun(dir string, names []string) error {
	return fmt.Errorf("the volume %q is mounted in %s, which is running\nhint: stop it, or use --force", dir, strings.Join(quoted(names), ", "))
}

func quoted(names []string) (all []string) {
	for _, n := range names {
		all = append(all, quote.Value(n))
	}
	return all
}

// minPrefix is how many digits of an anonymous volume's name are enough, as engines show them for containers.
const minPrefix = 12

// byPrefix finds the volumes in a store with hexadecimal names that begin like this.
func byPrefix(prefix string, dirs []string) (found []string) {
	if len(prefix) < minPrefix || strings.Trim(prefix, "0123456789abcdef") != "" {
		return nil
	}
	for _, dir := range dirs {
		if name := path.Base(path.Dir(dir)); engines.IsID(name) && strings.HasPrefix(name, prefix) {
			found = append(found, dir)
		}
	}
	return found
}

// several returns the error if that is ambiguous.
func several(prefix string, dirs []string) error {
	return fmt.Errorf("the names of %d volumes begin with %q\nhint: type more of the name", len(dirs), prefix)
}

// Leaves returns the containers that will keep the volume's previous owner as their identity at their next start: what
// they have written there belongs to another user by then.
func Leaves(users []User, from, to ID) (names []string) {
	for i := range users {
		if u := &users[i]; u.Known && !u.Would && u.Last.UID == from.UID && u.Last.UID != to.UID {
			names = append(names, u.Name)
		}
	}
	return names
}
