// SPDX-License-Identifier: Apache-2.0

// Package homedir decides where a container's identity has its home, and plans the mounts and names for it. Reading the
// rootfs belongs to internal/rootfs, reading passwd and group to internal/accounts; the caller carries the plan out.
package homedir

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/accounts"
	"github.com/nonroot-runc/nonroot-runc/internal/ids"
	"github.com/nonroot-runc/nonroot-runc/internal/rootfs"
)

// TmpfsSource is the source of the home's mount. The kernel ignores a tmpfs's source, so it serves as the mark by
// which a second rewrite recognizes its own mount.
const TmpfsSource = "nonroot-home"

// Ours reports whether Plan made m for an earlier rewrite.
func Ours(m rootfs.Mount) bool {
	return (m.Type == "tmpfs" || m.Type == underlay) && m.Source == TmpfsSource
}

// Mode controls whether a container gets a home of its own.
type Mode uint8

// The policy's words for a home: auto, always, never.
const (
	Auto   Mode = iota // a home if there is a safe place, none if the image's own is suitable
	Always             // a home, or no container
	Never              // no home
)

// Options hold what the policy decided about an identity.
type Options struct {
	UID, GID uint32 // as the container sees them, from 1 to 2147483647
	OwnerUID uint32 // UID in the ids of the rootfs's files, if a user namespace shifts it; 0: the same
	Name     string // for an identity without an entry in passwd
	Kept     bool   // the image runs as this uid, or was built for it
	EnvHome  string // HOME of the process's environment, "" if none
	Mode     Mode
	Path     string // the policy's home, "": automatic
	Size     string // the home's size as tmpfs reads it, such as "256m"; may be "" with Never
	Meant    Meant
}

// Plan is a home and a name for an identity.
type Plan struct {
	Name   string         // USER and LOGNAME
	Home   string         // HOME
	Shell  string         // SHELL
	Mounts []rootfs.Mount // the home, to be appended to the spec's mounts; none: no home, and Notes say why
	accounts.Copies
	Notes []string // for the decision record

	moved string // why HOME differs from the intended place
}

// PlanFor decides home and names. It fails if the options make no sense, and if Always finds no place. Any other fault
// of the image costs the container its home or its name, which a note reports.
func PlanFor(im *accounts.Image, o Options) (*Plan, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	p := &Plan{Notes: im.Notes()}
	entry, known := im.UserByID(o.UID)
	name, free := im.UserName(o.UID, o.Name)
	p.Name = name
	if err := p.place(im, o, entry, known); err != nil {
		return nil, err
	}
	p.Shell = im.Shell(entry.Shell)
	var notes []string
	p.Copies, notes = im.Copies(accounts.User{Name: p.Name, UID: o.UID, GID: o.GID, Home: p.Home, Shell: p.Shell}, free)
	p.Notes = append(p.Notes, notes...)
	return p, nil
}

func (p *Plan) note(s string) {
	if s != "" {
		p.Notes = append(p.Notes, s)
	}
}

// check refuses ids that the promises rule out.
func (o Options) check() error {
	for _, id := range []uint32{o.UID, o.GID} {
		if id == 0 || id > math.MaxInt32 {
			return fmt.Errorf("no home for %d:%d: ids go from 1 to %d", o.UID, o.GID, math.MaxInt32)
		}
	}
	if o.Mode != Never && o.Size == "" || strings.IndexFunc(o.Size, notSize) >= 0 {
		return fmt.Errorf("no home for %d:%d: %q is not the size of a tmpfs", o.UID, o.GID, o.Size)
	}
	if o.Mode > Never {
		return errors.New("no home: unknown mode " + strconv.Itoa(int(o.Mode)))
	}
	return nil
}

// notSize is true for characters that tmpfs(5) doesn't allow in a size. A comma would start another mount option.
func notSize(r rune) bool {
	return (r < '0' || r > '9') && !strings.ContainsRune("kKmMgG%", r)
}

// SizeOf returns a home's size in bytes; false if it is a share of the memory, or not a size.
func SizeOf(size string) (bytes uint64, ok bool) {
	digits := strings.TrimRight(size, "kKmMgG")
	unit := strings.ToLower(size[len(digits):])
	n, err := ids.Number(digits)
	shift, isUnit := map[string]uint{"": 0, "k": 10, "m": 20, "g": 30}[unit]
	return uint64(n) << shift, err == nil && isUnit
}

// owner returns the uid of the identity's files in the rootfs.
func (o Options) owner() uint32 {
	if o.OwnerUID != 0 {
		return o.OwnerUID
	}
	return o.UID
}
