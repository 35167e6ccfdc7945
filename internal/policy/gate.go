// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/runc"
)

// keptByAll returns which of the promises for every process this one breaks; nil if none.
func keptByAll(c *runc.Credentials) error {
	for _, ids := range []struct {
		what string
		ids  []uint32
	}{
		{"uid", c.UIDs},
		{"gid", c.GIDs},
		{"uid on the host", c.HostUIDs},
		{"gid on the host", c.HostGIDs},
		{"group", c.Groups},
		{"group on the host", c.HostGroups},
	} {
		if slices.Contains(ids.ids, 0) {
			return fmt.Errorf("it has %s 0", ids.what)
		}
	}
	for _, set := range []struct {
		what string
		bits uint64
	}{{"inheritable", c.Inheritable}, {"permitted", c.Permitted}, {"effective", c.Effective}, {"ambient", c.Ambient}} {
		if set.bits != 0 {
			return fmt.Errorf("it has %s capabilities (%#x)", set.what, set.bits)
		}
	}
	if !c.NoNewPrivs {
		return errors.New("it can gain privileges (NoNewPrivs is 0)")
	}
	return nil
}

// anybody checks a process without a decision against what any container may have: a uid that the policy keeps, a
// primary group that is not privileged on the host, and no other group that means something there.
func (p *Policy) anybody(f *inquiry, c *runc.Credentials) error {
	for _, uid := range c.UIDs {
		if !p.mayBeKept(uid) {
			return fmt.Errorf("it has the uid %d, which the policy (identity.sources, allowed_uids) does not let a container keep", uid)
		}
	}
	for i, gid := range c.GIDs {
		if host := c.HostGIDs[i]; gid > MaxID || !p.allowsAs(f, gid, host) && !p.unprivileged(f, gid, host) {
			return fmt.Errorf("it has the gid %s, which is privileged on the host", bothIDs(gid, host))
		}
	}
	for i, gid := range c.Groups {
		host := c.HostGroups[i]
		if gid == c.GIDs[0] && host == c.HostGIDs[0] || gid <= MaxID && (p.allowsAs(f, gid, host) || p.meansNothing(f, gid, host)) {
			continue
		}
		return fmt.Errorf("it has the group %s, which may mean something on the host", bothIDs(gid, host))
	}
	return nil
}

// bothIDs formats an id of a container, with its number on the host if that differs.
func bothIDs(id, host uint32) string {
	if id == host {
		return strconv.FormatUint(uint64(id), 10)
	}
	return fmt.Sprintf("%d (%d on the host)", id, host)
}

// exactly checks the process against the decision, and its bounding set against what it may have.
func exactly(c *runc.Credentials, id *Identity, bounding []string) error {
	if slices.ContainsFunc(c.UIDs, func(u uint32) bool { return u != id.UID }) {
		return fmt.Errorf("its uids are %d, not %d as decided", c.UIDs, id.UID)
	}
	if slices.ContainsFunc(c.GIDs, func(g uint32) bool { return g != id.GID }) {
		return fmt.Errorf("its gids are %d, not %d as decided", c.GIDs, id.GID)
	}
	for _, g := range c.Groups {
		if g != id.GID && !slices.Contains(id.Groups, g) {
			return fmt.Errorf("it has the group %d, which was not part of the decision", g)
		}
	}
	if more := c.Bounding &^ mask(bounding); more != 0 {
		return fmt.Errorf("its bounding set has more capabilities (%#x) than were decided", more)
	}
	return nil
}

// mayBeKept reports whether a container may have a uid: the policy keeps it if asked for, or assigns it itself.
func (p *Policy) mayBeKept(uid uint32) bool {
	if uid == uint32(p.UID) || p.Range.First != 0 && p.Range.Has(uid) {
		return true
	}
	return p.keepsAsked(uid)
}

// keepsAsked reports whether identity.sources and allowed_uids keep a uid that a container asks for. It does not check
// whether the uid may be another container's (anothers).
func (p *Policy) keepsAsked(uid uint32) bool {
	return uid <= MaxID && slices.Contains(p.Sources, Kept) && (len(p.AllowedUIDs) == 0 || p.AllowedUIDs.Has(uid))
}

// running returns who a container's first process runs as, if the policy allows a process in it to be that user; else
// nil. An exec into a container without a decision, or with a lost one, runs as the same user.
func (p *Policy) running(f *inquiry, c *runc.Credentials) *Identity {
	id := Identity{UID: c.UIDs[0], GID: c.GIDs[0]}
	other := func(u uint32) bool { return u != id.UID }
	if id.UID == 0 || !p.mayBeKept(id.UID) || slices.ContainsFunc(c.UIDs, other) || slices.Contains(c.HostUIDs, 0) {
		return nil
	}
	if !p.harmless(f, id.GID) {
		id.GID = uint32(p.GID)
	}
	return &id
}

// mask returns the bits of capability names. Names that the kernel doesn't know mean nothing, as in runc. crun also
// accepts lower case, and names without their prefix (SECURITY.md A13).
func mask(names []string) uint64 {
	var bits uint64
	for _, n := range names {
		n = strings.TrimPrefix(strings.ToUpper(n), "CAP_")
		if i := slices.Index(capabilities[:], n); i >= 0 {
			bits |= 1 << i
		}
	}
	return bits
}

// capabilities are in the order of their numbers (capability.h).
var capabilities = [unix.CAP_LAST_CAP + 1]string{
	unix.CAP_CHOWN: "CHOWN", unix.CAP_DAC_OVERRIDE: "DAC_OVERRIDE", unix.CAP_DAC_READ_SEARCH: "DAC_READ_SEARCH",
	unix.CAP_FOWNER: "FOWNER", unix.CAP_FSETID: "FSETID", unix.CAP_KILL: "KILL", unix.CAP_SETGID: "SETGID",
	unix.CAP_SETUID: "SETUID", unix.CAP_SETPCAP: "SETPCAP", unix.CAP_LINUX_IMMUTABLE: "LINUX_IMMUTABLE",
	unix.CAP_NET_BIND_SERVICE: "NET_BIND_SERVICE", unix.CAP_NET_BROADCAST: "NET_BROADCAST", unix.CAP_NET_ADMIN: "NET_ADMIN",
	unix.CAP_NET_RAW: "NET_RAW", unix.CAP_IPC_LOCK: "IPC_LOCK", unix.CAP_IPC_OWNER: "IPC_OWNER",
	unix.CAP_SYS_MODULE: "SYS_MODULE", unix.CAP_SYS_RAWIO: "SYS_RAWIO", unix.CAP_SYS_CHROOT: "SYS_CHROOT",
	unix.CAP_SYS_PTRACE: "SYS_PTRACE", unix.CAP_SYS_PACCT: "SYS_PACCT", unix.CAP_SYS_ADMIN: "SYS_ADMIN",
	unix.CAP_SYS_BOOT: "SYS_BOOT", unix.CAP_SYS_NICE: "SYS_NICE", unix.CAP_SYS_RESOURCE: "SYS_RESOURCE",
	unix.CAP_SYS_TIME: "SYS_TIME", unix.CAP_SYS_TTY_CONFIG: "SYS_TTY_CONFIG", unix.CAP_MKNOD: "MKNOD", unix.CAP_LEASE: "LEASE",
	unix.CAP_AUDIT_WRITE: "AUDIT_WRITE", unix.CAP_AUDIT_CONTROL: "AUDIT_CONTROL", unix.CAP_SETFCAP: "SETFCAP",
	unix.CAP_MAC_OVERRIDE: "MAC_OVERRIDE", unix.CAP_MAC_ADMIN: "MAC_ADMIN", unix.CAP_SYSLOG: "SYSLOG",
	unix.CAP_WAKE_ALARM: "WAKE_ALARM", unix.CAP_BLOCK_SUSPEND: "BLOCK_SUSPEND", unix.CAP_AUDIT_READ: "AUDIT_READ",
	unix.CAP_PERFMON: "PERFMON", unix.CAP_BPF: "BPF", unix.CAP_CHECKPOINT_RESTORE: "CHECKPOINT_RESTORE",
}
