// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/dirents"
	"github.com/nonroot-runc/nonroot-runc/internal/engines"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// closedSecrets names the pod's volumes that contain files the identity can't read. It changes nothing there: the
// kubelet rewrites the files, with their owner and mode, while the containers run (pkg/volume/util, AtomicWriter), so a
// file that was made readable would be closed again when a token is renewed.
func (g *Gathered) closedSecrets(d *decision.Decision) (notes []string) {
	for i := range g.Container.Mounts {
		m := &g.Container.Mounts[i]
		if !m.Binds() || !engines.PodSecret(m.Source) {
			continue
		}
		name, mode, closed := g.closedIn(m.Source, d)
		if !closed {
			continue
		}
		hint := "set fsGroup in the pod's securityContext, or a defaultMode of the volume that lets others read"
		// The kubelet makes a token the user's alone if all containers of the pod set the same user
		// (pkg/volume/projected, TokenRequest).
		if mode == 0o600 && engines.PodToken(m.Source) {
			hint = "leave out runAsUser: 0, or " + hint
		}
		notes = append(notes, fmt.Sprintf("%q in %q, which the kubelet writes, is closed to the identity; hint: %s", name, m.Destination, hint))
	}
	return notes
}

// closedIn returns the first file of such a volume that the identity can't read, and its permissions. The names at the
// top are links into the directory that the link ..data points to.
func (g *Gathered) closedIn(source string, d *decision.Decision) (name string, mode uint32, closed bool) {
	dir, err := trusted.Open(source, g.call.Caller.Owners)
	if err != nil || dir.Path != source {
		return "", 0, false
	}
	defer dir.Close()
	const most = 64
	top, err := unix.Open(source, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", 0, false
	}
	defer unix.Close(top)
	names, err := dirents.Names(top, most)
	if err != nil {
		return "", 0, false
	}
	for _, name := range names {
		fd, err := unix.Openat2(top, name, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS})
		if err != nil {
			continue
		}
		var st unix.Stat_t
		err = unix.Fstat(fd, &st)
		_ = unix.Close(fd)
		if err == nil && st.Mode&unix.S_IFMT == unix.S_IFREG && !g.may(unix.R_OK, &st, d.Identity) {
			return name, st.Mode & 0o7777, true
		}
	}
	return "", 0, false
}
