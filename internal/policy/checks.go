// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/idmap"
	"github.com/nonroot-runc/nonroot-runc/internal/quote"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

// checks refuse what no identity makes safe. Each refuses one thing; its comment states the promise that it keeps.
var checks = []func(*Policy, *inquiry, *Decision) error{
	identityIsMapped,
	groupIsNotMappedToPower,
	chosenGroupsAreNoPower,
	mountNamespaceIsNew,
	cwdIsTheContainers,
	disksAreNotShifted,
	socketsAreClosed,
	ownFilesStayOutside,
	mountsStayInside,
	hooksAreRoots,
}

// identityIsMapped: the identity exists in the container's user namespace, and none of its ids is root's on the host
// (SECURITY.md B7, B8). An id that is 0 in the caller's own namespace may be an ordinary user on the host, with
// rootless engines.
func identityIsMapped(_ *Policy, f *inquiry, d *Decision) error {
	ids := []struct {
		kind string
		id   uint32
		of   func(*idmap.Pair) idmap.Map
	}{
		{"uid", d.Identity.UID, func(p *idmap.Pair) idmap.Map { return p.UID }},
		{"gid", d.Identity.GID, func(p *idmap.Pair) idmap.Map { return p.GID }},
	}
	for _, gid := range d.Identity.Groups {
		ids = append(ids, struct {
			kind string
			id   uint32
			of   func(*idmap.Pair) idmap.Map
		}{"gid", gid, ids[1].of})
	}
	for _, e := range ids {
		host, ok := f.outside(e.id, e.of)
		if !ok {
			return fmt.Errorf("%s %d is not mapped in the container's user namespace\nhint: widen its map, or set identity.%s in the policy to an id that is mapped", e.kind, e.id, e.kind)
		}
		if host == 0 {
			return fmt.Errorf("%s %d of the container is mapped to the host's root\nhint: map it to another id", e.kind, e.id)
		}
	}
	return nil
}

// groupIsNotMappedToPower: no user namespace maps a gid to one of the host's privileged groups. Without a user
// namespace, the gid was checked when it was chosen, or the administrator set it.
func groupIsNotMappedToPower(p *Policy, f *inquiry, d *Decision) error {
	if f.UserNamespace == nil {
		return nil
	}
	for _, gid := range append([]uint32{d.Identity.GID}, d.Identity.Groups...) {
		if host := f.hostGID(gid); p.privileged(f, host) && !p.hasAllowed(f, host) {
			return fmt.Errorf("gid %d of the container is mapped to the host's group %d, which is privileged\nhint: map it to another one", gid, host)
		}
	}
	return nil
}

// mountNamespaceIsNew: without a mount namespace, or with one joined by path, the container's mounts would be made on
// the host or in another container (SECURITY.md B11, B12).
func mountNamespaceIsNew(_ *Policy, f *inquiry, _ *Decision) error {
	if f.Act == Exec {
		return nil
	}
	at := slices.IndexFunc(f.Container.Namespaces, func(n spec.Namespace) bool { return n.Type == "mount" })
	if at < 0 {
		return errors.New("linux.namespaces has no mount namespace, so the container's mounts would be made on the host\nhint: add {\"type\": \"mount\"}")
	}
	if p := f.Container.Namespaces[at].Path; p != "" {
		return fmt.Errorf("linux.namespaces joins the mount namespace %s, which is not the container's own\nhint: leave out its path", quote.Value(p))
	}
	return nil
}

// cwdIsTheContainers: a working directory below /proc can lead out of the container through a runtime's own file
// descriptors (CVE-2024-21626; SECURITY.md C9).
func cwdIsTheContainers(_ *Policy, f *inquiry, _ *Decision) error {
	if p := path.Clean("/" + f.Cwd); p == "/proc" || strings.HasPrefix(p, "/proc/") {
		return fmt.Errorf("the working directory %s is below /proc, which has been used to break out of containers\nhint: choose another one", quote.Value(f.Cwd))
	}
	if f.CwdIsProc {
		return fmt.Errorf("symbolic links lead the working directory %s below /proc, which has been used to break out of containers\nhint: choose another one", quote.Value(f.Cwd))
	}
	return nil
}

// disksAreNotShifted: an idmapped mount must not show root's files, or those of a group that means something on the
// host, as another user's: a process of the container may be that user, or become it by exec (SECURITY.md B10). Ids
// that map to themselves are fine, as in a pod with a user namespace: no process in the container has root's id, or
// such a group's.
func disksAreNotShifted(_ *Policy, f *inquiry, _ *Decision) error {
	if f.Act == Exec {
		return nil
	}
	for _, m := range f.Container.Mounts {
		for _, o := range m.Options {
			// crun checks only how the option begins.
			if o := strings.ToLower(o); o != "idmap" && o != "ridmap" && (strings.HasPrefix(o, "idmap") || strings.HasPrefix(o, "ridmap")) {
				return fmt.Errorf("the mount at %s has the option %s, which can make root's files the container's\nhint: leave it out", quote.Value(m.Destination), quote.Value(o))
			}
		}
		if o := givesAway(&m); o != "" {
			return fmt.Errorf("the mount at %s has the option %s, which makes root's files on a file system of the type %s the container's\nhint: leave it out", quote.Value(m.Destination), quote.Value(o), quote.Value(m.Type))
		}
		if id, shifted := f.shifted(m.UIDMap, []uint32{0}, func(p *idmap.Pair) idmap.Map { return p.UID }); shifted {
			return fmt.Errorf("the mount at %s shows the files of uid %d as somebody else's\nhint: leave it out of its uidMappings", quote.Value(m.Destination), id)
		}
		if len(m.GIDMap) == 0 {
			continue
		}
		if id, shifted := f.shifted(m.GIDMap, f.meaningful(), func(p *idmap.Pair) idmap.Map { return p.GID }); shifted {
			return fmt.Errorf("the mount at %s shows the files of the host's group %d as another's\nhint: leave it out of its gidMappings", quote.Value(m.Destination), id)
		}
	}
	return nil
}

// ownTypes lists file systems with mounts that show no other user's files, or with files that take no owner from an
// option.
var ownTypes = []string{"tmpfs", "ramfs", "devpts", "mqueue", "hugetlbfs", "proc", "sysfs", "cgroup", "cgroup2"}

// givesAway returns the option by which a mount sets the owner or mode of files that are not the container's own: of a
// disk without owners, such as the EFI system partition (vfat), or of a kernel file system that the whole host shares
// (tracefs, debugfs).
func givesAway(m *spec.Mount) string {
	if m.Binds() || slices.Contains(ownTypes, m.Type) {
		return ""
	}
	for _, o := range strings.Split(strings.Join(m.Options, ","), ",") { // as they reach the kernel
		name, _, _ := strings.Cut(o, "=")
		if slices.Contains([]string{"uid", "gid", "umask", "dmask", "fmask", "mode", "file_mode", "dir_mode"}, name) {
			return o
		}
	}
	return ""
}

// shifted finds an id of the disk that appears as a different one in the container.
func (f *inquiry) shifted(disk []spec.IDMap, ids []uint32, of func(*idmap.Pair) idmap.Map) (id uint32, found bool) {
	m := FromSpec(disk)
	for _, id := range ids {
		shown, mapped := m.Outside(id)
		if !mapped {
			continue
		}
		same, exists := id, true
		if f.UserNamespace != nil {
			same, exists = of(f.UserNamespace).Outside(id)
		}
		if !exists || shown != same {
			return id, true
		}
	}
	return 0, false
}

// FromSpec converts a map of config.json.
func FromSpec(ranges []spec.IDMap) idmap.Map {
	m := make(idmap.Map, 0, len(ranges))
	for _, r := range ranges {
		m = append(m, idmap.Range{Inside: r.ContainerID, Outside: r.HostID, Size: r.Size})
	}
	return m
}
