// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"errors"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/engines"
	"github.com/nonroot-runc/nonroot-runc/internal/proc"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
	"golang.org/x/sys/unix"
)

// The kernel's settings that control what only root may do in a network namespace (ip-sysctl.rst).
const (
	portStart = "net.ipv4.ip_unprivileged_port_start"
	pingRange = "net.ipv4.ping_group_range"
	pingLast  = 1<<31 - 1 // the highest gid that the kernel accepts
)

// unset returns a setting's value in a new network namespace (net/ipv4/af_inet.c, inet_init_net).
func unset(name string) string {
	if name == portStart {
		return "1024"
	}
	return "1\t0"
}

// sysctls returns the settings that let every process in the container listen on any port and use ping, if the
// container has a network namespace of its own. The engine's own settings stay.
func (g *Gathered) sysctls() []spec.Sysctl {
	if !g.rule.Adapt.LowPorts || !g.settable() {
		return nil
	}
	own, pods := g.ownNetwork()
	if !own {
		return nil
	}
	all := []spec.Sysctl{{Name: portStart, Value: "0"}}
	// The kernel refuses a gid that is not mapped in the writer's user namespace: the container's own, else the
	// caller's, as for a rootless engine.
	if _, unbounded := g.Own.GID.Outside(pingLast); g.UserNamespace == nil && unbounded {
		all = append(all, spec.Sysctl{Name: pingRange, Value: "0 " + strconv.Itoa(pingLast)})
	}
	all = slices.DeleteFunc(all, func(s spec.Sysctl) bool {
		return unix.Access(procSys(s.Name), unix.F_OK) != nil // the kernel lacks that setting
	})
	if pods != "" {
		return stillUnset(pods, all)
	}
	return all
}

func procSys(name string) string { return "/proc/sys/" + strings.ReplaceAll(name, ".", "/") }

// stillUnset leaves out the settings that have already been changed in a network namespace: a pod's own sysctls are
// only in the config.json of its sandbox, and with CRI-O the program pinns sets them before that (cri-o,
// internal/config/nsmgr). The kernel shows a thread the settings of its current network namespace. If they can't be
// read, none is set.
func stillUnset(network string, all []spec.Sysctl) []spec.Sysctl {
	err := proc.InNetwork(network, func() error {
		all = slices.DeleteFunc(all, func(s spec.Sysctl) bool {
			text, err := proc.Read(procSys(s.Name))
			return err != nil || strings.TrimSpace(string(text)) != unset(s.Name)
		})
		return nil
	})
	if err != nil {
		return nil
	}
	return all
}

// settable reports whether the runtime can write the container's /proc/sys; if it can't, it would refuse to create the
// container. /proc may be mounted read-only, or not at all.
func (g *Gathered) settable() bool {
	at, err := g.image.Look("/proc/sys/net/ipv4")
	if err != nil || at.Mount == nil || (&spec.Mount{Options: at.Mount.Options}).Readonly() {
		return false
	}
	return at.Mount.Type == "proc" || at.Exists && path.Clean(at.Mount.Source) == "/proc"
}

// ownNetwork reports whether the container has a network of its own: the runtime creates a network namespace, or joins
// one that the engine just created for this container or its pod. It also returns the path of one that may be its
// pod's, which other containers have used before. A pod's other containers join theirs through /proc, and with CRI-O by
// the same name.
func (g *Gathered) ownNetwork() (own bool, pods string) {
	at := slices.IndexFunc(g.Container.Namespaces, func(n spec.Namespace) bool { return n.Type == "network" })
	if at < 0 {
		return false, ""
	}
	p := g.Container.Namespaces[at].Path
	if p == "" {
		return true, ""
	}
	if path.Base(path.Dir(p)) != "netns" || isCallers(p) || g.UserNamespace != nil && (g.join == "" || !ownedBy(p, g.join)) {
		return false, ""
	}
	own, shared := engines.MakesNetwork(path.Base(p), g.call.Root, g.Bundle)
	if shared {
		return own, p
	}
	return own, ""
}

// isCallers reports whether a network namespace is the engine's own, under any name, or can't be identified. crun sets
// sysctls even there, and they would apply to the host.
func isCallers(network string) bool {
	var its, callers unix.Stat_t
	err := errors.Join(unix.Stat(network, &its), unix.Stat("/proc/thread-self/ns/net", &callers))
	return err != nil || its.Dev == callers.Dev && its.Ino == callers.Ino
}

// ownedBy reports whether a network namespace belongs to a user namespace: capabilities in any other one don't permit
// configuring it.
func ownedBy(network, user string) bool {
	fd, err := unix.Open(network, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	owner, err := unix.IoctlRetInt(fd, unix.NS_GET_USERNS)
	if err != nil {
		return false
	}
	defer unix.Close(owner)
	var its, wanted unix.Stat_t
	err = errors.Join(unix.Fstat(owner, &its), unix.Stat(user, &wanted))
	return err == nil && its.Dev == wanted.Dev && its.Ino == wanted.Ino
}
