// SPDX-License-Identifier: Apache-2.0

package learn

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/engines"
	"github.com/nonroot-runc/nonroot-runc/internal/hint"
	"github.com/nonroot-runc/nonroot-runc/internal/record"
)

// privilege is a call's need that no container can meet here.
type privilege struct {
	capability string
	instead    string // what works without it; "": nothing known
	why        string // replaces all of the above
}

const (
	chowns        = "it would give a file away, which only root may (CAP_CHOWN). Mostly an entrypoint that prepares directories: it can go on without, where the directories are its own"
	userNamespace = "process.user_namespaces = \"allow\" lets it make one, as far as the engine's seccomp profile does; it is root in there, with all that means for the kernel. Programs with a sandbox of their own mostly have a switch to go without"
	owners        = "it would change a file that is another's (CAP_FOWNER)"
	kills         = "it would signal a process of another user (CAP_KILL): containers that share their processes need one identity for both, by identity.uid of a rule for them, or --user"

	ulimit  = "docker run --ulimit raises the limit for whoever it runs as"
	memlock = "docker run --ulimit memlock=-1 lets it lock memory without"
)

// privileges lists calls that need a capability (capabilities(7)), or the ownership of a file.
var privileges = map[string]privilege{
	"chown": {why: chowns}, "lchown": {why: chowns}, "fchown": {why: chowns}, "fchownat": {why: chowns},
	"chown32": {why: chowns}, "lchown32": {why: chowns}, "fchown32": {why: chowns},
	"chmod": {why: owners}, "fchmod": {why: owners}, "fchmodat": {why: owners}, "fchmodat2": {why: owners},
	"utime": {why: owners}, "utimes": {why: owners}, "utimensat": {why: owners}, "futimesat": {why: owners},
	"kill": {why: kills}, "tgkill": {why: kills}, "tkill": {why: kills},
	"ptrace": {why: "what is watched can't use ptrace: whether it may else was not seen"},
	"capset": {why: "it would have capabilities, which no container has here"},

	"chroot": {capability: "CAP_SYS_CHROOT"}, "pivot_root": {capability: "CAP_SYS_ADMIN"}, "setns": {capability: "CAP_SYS_ADMIN"},
	"mknod":   {capability: "CAP_MKNOD", instead: "docker run --device gives it the device"},
	"mknodat": {capability: "CAP_MKNOD", instead: "docker run --device gives it the device"},
	"mount":   {capability: "CAP_SYS_ADMIN", instead: "the engine mounts it (docker run -v, --mount, --tmpfs)"},
	"umount2": {capability: "CAP_SYS_ADMIN"}, "unshare": {capability: "CAP_SYS_ADMIN"}, "clone3": {capability: "CAP_SYS_ADMIN"}, "clone": {capability: "CAP_SYS_ADMIN"},
	"sethostname": {capability: "CAP_SYS_ADMIN", instead: "docker run --hostname sets it"},
	"socket":      {capability: "CAP_NET_RAW"}, "setsockopt": {capability: "CAP_NET_ADMIN"}, "bpf": {capability: "CAP_BPF"},
	"setpriority": {capability: "CAP_SYS_NICE", instead: ulimit + " (nice)"}, "ioprio_set": {capability: "CAP_SYS_NICE"},
	"sched_setscheduler": {capability: "CAP_SYS_NICE", instead: ulimit + " (rtprio)"}, "sched_setattr": {capability: "CAP_SYS_NICE", instead: ulimit + " (rtprio)"},
	"setrlimit": {capability: "CAP_SYS_RESOURCE", instead: ulimit}, "prlimit64": {capability: "CAP_SYS_RESOURCE", instead: ulimit},
	"clock_settime": {capability: "CAP_SYS_TIME"}, "settimeofday": {capability: "CAP_SYS_TIME"}, "adjtimex": {capability: "CAP_SYS_TIME"},
	"mlock":  {capability: "CAP_IPC_LOCK", instead: memlock},
	"mlock2": {capability: "CAP_IPC_LOCK", instead: memlock}, "mlockall": {capability: "CAP_IPC_LOCK", instead: memlock},
}

// isLock reports whether a call locks memory; it fails with ENOMEM when the limit is reached (mlock(2)).
func isLock(call string) bool { return strings.HasPrefix(call, "mlock") }

// ioctls lists requests that need a capability (linux/if_tun.h, linux/sockios.h, linux/fs.h).
var ioctls = map[uint64]struct{ name, capability string }{
	0x400454ca: {"TUNSETIFF", "CAP_NET_ADMIN"}, 0x400454cb: {"TUNSETPERSIST", "CAP_NET_ADMIN"},
	0x890b: {"SIOCADDRT", "CAP_NET_ADMIN"}, 0x890c: {"SIOCDELRT", "CAP_NET_ADMIN"},
	0x8914: {"SIOCSIFFLAGS", "CAP_NET_ADMIN"}, 0x8916: {"SIOCSIFADDR", "CAP_NET_ADMIN"}, 0x891c: {"SIOCSIFNETMASK", "CAP_NET_ADMIN"},
	0x8922: {"SIOCSIFMTU", "CAP_NET_ADMIN"}, 0x8924: {"SIOCSIFHWADDR", "CAP_NET_ADMIN"}, 0x89a0: {"SIOCBRADDBR", "CAP_NET_ADMIN"}, 0x89a2: {"SIOCBRADDIF", "CAP_NET_ADMIN"},
	0x40086602: {"FS_IOC_SETFLAGS", "CAP_LINUX_IMMUTABLE"},
}

// privileged returns a finding on a call that needs a capability; ok is false for other calls.
func (a *Advisor) privileged(d *Denied) (f Finding, ok bool) {
	if d.Name == "ioctl" {
		f = Finding{Kind: Unknown, What: fmt.Sprintf("ioctl %#x", d.Args[1]&0xffffffff), Why: fmt.Sprintf("%v: what takes a capability, the engine's seccomp profile or security module", d.Errno)}
		if request, known := ioctls[d.Args[1]&0xffffffff]; known {
			f = Finding{Kind: Privileged, What: "ioctl " + request.name, Why: a.takes(privilege{capability: request.capability})}
		}
		if len(d.Paths) > 0 {
			f.What += " " + d.Paths[0]
		}
		return f, true
	}
	p, ok := privileges[d.Name]
	if !ok || d.Errno != unix.EPERM && d.Errno != unix.ENOMEM && len(d.Paths) > 0 {
		return f, false
	}
	f = Finding{Kind: Privileged, What: d.Name, Why: a.takes(p)}
	if len(d.Paths) > 0 {
		f.What += " " + d.Paths[0]
	}
	return f, true
}

// takes says what a call needs, and what helps. An exemption does not help if root would have lacked the capability,
// too.
func (a *Advisor) takes(p privilege) string {
	if p.why != "" {
		return p.why
	}
	why := "it takes " + p.capability + ", which no container has here"
	if a.lacked(p.capability) {
		why = "it takes " + p.capability + ", which root would not have had here either: --cap-add did not ask for it"
	}
	switch {
	case p.instead != "":
		return why + "; " + p.instead
	case a.lacked(p.capability):
		return why
	}
	return why + ". Where the program cannot do without, it needs an exemption: a rule with mode \"off\" and a reason"
}

// lacked reports whether a capability was not asked for.
func (a *Advisor) lacked(capability string) bool {
	return a.Asked != nil && !slices.Contains(a.Asked, capability)
}

// byNetlink lists programs that change the network by messages to the kernel. The answer is a message, too: none of
// their calls fails.
var byNetlink = []string{"ip", "tc", "bridge", "nft", "iptables", "ip6tables", "iptables-restore", "iptables-nft", "ipset", "wg", "wg-quick", "brctl"}

// Failed records a program that ended with a status other than 0.
func (a *Advisor) Failed(program string, status int) {
	if !slices.Contains(byNetlink, program) {
		return
	}
	a.add(Finding{
		Kind: Privileged, What: program + " (netlink)",
		Why: fmt.Sprintf("it ended with %d, and what it asks of the kernel by netlink is answered by a message, which is not seen here: ", status) +
			a.takes(privilege{capability: "CAP_NET_ADMIN"}),
	}, "exit", program)
}

// setuidPrograms lists programs that are useless without the privilege of their file.
var setuidPrograms = []string{
	"sudo", "su", "doas", "pkexec", "mount", "umount", "passwd", "chsh", "chfn", "newgrp", "gpasswd", "newuidmap", "newgidmap", "fusermount", "fusermount3",
}

// Setuid records a program whose file is setuid.
func (a *Advisor) Setuid(file string) {
	name := path.Base(file)
	if slices.Contains(setuidPrograms, name) {
		a.add(Finding{
			Kind: Privileged, What: file,
			Why: "its file is setuid, which has no effect here: it runs as its caller. Leave it out, or do what it does when the image is built",
		}, "execve", name)
	}
}

// onMount advises what would grant a right to a file on a mount.
func (a *Advisor) onMount(in *place, m *Mount, at string, st *unix.Stat_t, right uint32) string {
	of := a.owners(in)
	switch {
	case engines.NamesSocket(m.Source):
		return fmt.Sprintf("it is %q of the host, an engine's socket: whoever may write to it is root on the host, so no container gets it here", m.Source)
	case path.Base(m.Source) == record.Passwd || path.Base(m.Source) == record.Group:
		return "it is a copy that nonroot-runc makes for this container: change the accounts when the image is built (USER), or name the user with --user"
	case engines.MakesFile(m.Source):
		return fmt.Sprintf("it is the engine's, which writes it by itself%s", engineOption(path.Base(m.Source)))
	}
	said := fmt.Sprintf("it is %q of the host, mounted on %q: the owner of what a person mounts, or has written to, does not change", m.Source, m.Destination)
	c := hint.Closed{
		Mode: st.Mode & 0o7777, Rights: right, Directory: st.Mode&unix.S_IFMT == unix.S_IFDIR, UID: in.who.uid, GID: in.who.gid,
		Rootless: a.Rootless, Podman: a.Podman,
		System: len(engines.VolumeMarks(m.Source)) == 0 && isSystems(path.Join(m.Source, strings.TrimPrefix(at, m.Destination))),
	}
	c.Owner, c.Mapped = of.Inside(st.Uid)
	c.Group, c.MappedGroup = of.InsideGroup(st.Gid)
	c.NotKept = !a.Policy.Keeps(c.Owner)
	if c.Rootless {
		c.UID, _ = of.Inside(c.UID) // podman unshare uses the inner ids
		c.GID, _ = of.InsideGroup(c.GID)
	}
	isVolume := len(engines.VolumeMarks(m.Source)) > 0
	if isVolume && c.MappedGroup && c.Group == 0 && c.Mode>>3&right == right {
		return said + fmt.Sprintf(". On the host: nonroot-ctl volumes adopt --group %d %s", in.who.gid, m.Source)
	}
	if isVolume && c.Mapped && c.Owner == 0 {
		return said + fmt.Sprintf(". On the host: nonroot-ctl volumes adopt --user %d:%d %s", in.who.uid, in.who.gid, m.Source)
	}
	return said + ". What helps: " + c.Remedies()
}

// isSystems is hint.IsSystems for a path or the target of its links, as the source of a mount may be a link.
func isSystems(p string) bool {
	real, err := filepath.EvalSymlinks(p)
	return hint.IsSystems(p) || err == nil && hint.IsSystems(real)
}

// engineOption returns the option that makes the engine write one of its own files.
func engineOption(name string) string {
	switch name {
	case "hosts", "etc-hosts":
		return ": docker run --add-host adds to it"
	case "hostname":
		return ": docker run --hostname sets it"
	case "resolv.conf":
		return ": docker run --dns sets it"
	}
	return ""
}
