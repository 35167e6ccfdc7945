// SPDX-License-Identifier: Apache-2.0

package govern

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/bundle"
	"github.com/nonroot-runc/nonroot-runc/internal/layer"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

// Adaption is what the container's layer and its volumes need so that an image that was made for somebody else works for the
// identity. It is carried out once everything is decided; that it can't be is no reason for there to be no container.
type Adaption struct {
	Layer   layer.Wish
	Tmp     bool
	Volumes []layer.Volume
	owners  bundle.Owners
}

// adapt is what of it applies; nil: nothing. An image that runs as who it asks for has what it needs, and what runs while an
// image is built stays in that image.
func (c *Call) adapt(p *policy.Policy, f *containerFacts, d *policy.Decision) *Adaption {
	if d.Identity.UID == f.User.UID || p.Stubless {
		return nil
	}
	a := &Adaption{owners: c.Caller.Owners, Tmp: p.Adapt.Tmp && !f.Container.Readonly}
	a.Layer = layer.Wish{
		Rootfs: f.Container.Rootfs, UID: f.ownerUID(d.Identity.UID), GID: f.ownerGID(d.Identity.GID),
		From: f.givenUp, FromGroup: f.rootGroup, Keep: p.Adapt.Keep, Covered: f.image.Covered, GroupRoot: p.Adapt.GroupRoot,
	}
	if !path.IsAbs(a.Layer.Rootfs) {
		a.Layer.Rootfs = path.Join(c.Bundle.Path, a.Layer.Rootfs)
	}
	if !f.Container.Readonly {
		a.Layer.Paths = slices.Clone(p.Adapt.Own)
		if cwd := path.Clean("/" + f.Cwd); p.Adapt.WorkingDir && !policy.Untouchable(cwd) {
			a.Layer.Paths = append(a.Layer.Paths, cwd)
		}
	}
	for _, m := range f.Container.Mounts {
		if p.Adapt.Volumes && binds(&m) && !slices.Contains(m.Options, "ro") {
			v := layer.Volume{Source: m.Source, Destination: m.Destination}
			if policy.Untouchable(path.Clean("/" + m.Destination)) {
				v.Destination = "" // what an engine copied to there is configuration, or programs
			}
			a.Volumes = append(a.Volumes, v)
		}
	}
	return a
}

// CarryOut changes owners, and says for the record what it did and what it could not do.
func (a *Adaption) CarryOut() (notes []string) {
	note := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	if len(a.Layer.Paths) > 0 {
		g, err := layer.Give(&a.Layer)
		if len(g.Tops) > 0 {
			note("%d folders and %d files of the image are the identity's now, in %s", g.Folders, g.Files, strings.Join(g.Tops, ", "))
		}
		if g.Unfinished {
			note("not all that the image keeps for root was given: it is too much")
		}
		if err != nil {
			note("what the image keeps for root stays so: %v", err)
		}
	}
	if a.Tmp {
		opened, err := layer.OpenTmp(&a.Layer)
		for _, p := range opened {
			note("%s is everybody's now", p)
		}
		if err != nil && len(a.Layer.Paths) == 0 {
			note("/tmp stays as it is: %v", err)
		}
	}
	for _, v := range a.Volumes {
		given, err := layer.GiveVolume(v, &a.Layer, a.owners)
		if given {
			note("the new volume %s is the identity's now", quotedPath(v.Source))
		}
		if err != nil {
			note("%v", err)
		}
	}
	return notes
}

// Foresee is what CarryOut would change: paths of the image, and the sources of volumes.
func (a *Adaption) Foresee() (paths, volumes []string) {
	w := a.Layer
	w.Foresee = true
	if len(w.Paths) > 0 {
		g, _ := layer.Give(&w) // what can't be given is a trip
		paths = g.Would
	}
	if a.Tmp {
		opened, _ := layer.OpenTmp(&w) // likewise
		paths = append(paths, opened...)
	}
	for _, v := range a.Volumes {
		if given, _ := layer.GiveVolume(v, &w, a.owners); given {
			volumes = append(volumes, v.Source)
		}
	}
	return paths, volumes
}

func quotedPath(p string) string { return fmt.Sprintf("%q", p) }

func binds(m *spec.Mount) bool {
	return m.Type == "bind" || slices.Contains(m.Options, "bind") || slices.Contains(m.Options, "rbind")
}

// ownerGID is ownerUID for a gid.
func (f *containerFacts) ownerGID(gid uint32) uint32 {
	if f.UserNamespace != nil {
		gid, _ = f.UserNamespace.GID.Outside(gid) // mapped: the decision rests on it
	}
	return gid
}

// nobody is the account that owns nothing by custom (Debian, Fedora, Alpine), and that services without one of their own use.
const nobody = 65534

// firstPerson is the first uid that distributions give to people (login.defs(5), UID_MIN).
const firstPerson = 1000

// givenUp says that what an owner has in the image is the identity's to have: root's, if that was asked for, who was asked
// for else, and the accounts of services. Their uids are those of the files.
func (f *containerFacts) givenUp(owner uint32) bool {
	uid, ok := f.insideUID(owner)
	if !ok {
		return false
	}
	if uid == f.User.UID || uid == nobody || uid != 0 && uid < firstPerson {
		return true
	}
	_, known := f.Accounts.UserByID(uid)
	return known && uid != 0
}

func (f *containerFacts) rootGroup(owner uint32) bool {
	if f.UserNamespace != nil {
		gid, ok := f.UserNamespace.GID.Inside(owner)
		return ok && gid == 0
	}
	return owner == 0
}

// The kernel's switches for what only root may do in a network namespace (ip-sysctl.rst).
const (
	portStart = "net.ipv4.ip_unprivileged_port_start"
	pingRange = "net.ipv4.ping_group_range"
)

// sysctls let anybody in the container listen on any port and use ping, where it has a network namespace of its own. What the
// engine has set stays.
func sysctls(p *policy.Policy, f *containerFacts) []spec.Sysctl {
	if !p.Adapt.LowPorts || !ownNetwork(f.Container.Namespaces) {
		return nil
	}
	all := []spec.Sysctl{{Name: portStart, Value: "0"}}
	if f.UserNamespace == nil { // else its ids end somewhere, and the kernel takes no more
		all = append(all, spec.Sysctl{Name: pingRange, Value: "0 2147483647"})
	}
	return slices.DeleteFunc(all, func(s spec.Sysctl) bool {
		return unix.Access("/proc/sys/"+strings.ReplaceAll(s.Name, ".", "/"), unix.F_OK) != nil // a kernel that has no such thing
	})
}

// ownNetwork: the runtime makes a network namespace, or joins one that was just made for this container or its pod: by Podman
// ("netns-", containers/common, pkg/netns), or by containerd's part for Kubernetes ("cni-", pkg/netns). A pod's other
// containers join theirs by /proc.
func ownNetwork(namespaces []spec.Namespace) bool {
	at := slices.IndexFunc(namespaces, func(n spec.Namespace) bool { return n.Type == "network" })
	if at < 0 {
		return false
	}
	p := namespaces[at].Path
	made := strings.HasPrefix(path.Base(p), "netns-") || strings.HasPrefix(path.Base(p), "cni-")
	return p == "" || made && path.Base(path.Dir(p)) == "netns"
}
