// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"slices"

	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

// Mount is one of the spec's mounts (runtime-spec, config.md, "Mounts").
type Mount struct {
	Destination, Type, Source string
	Options                   []string
}

// Binds reports whether m shows a part of the host.
func (m *Mount) Binds() bool { return spec.Binds(m.Type, m.Options) }

// CopiesUp reports whether the runtime fills m with the rootfs's files from that path (runc and crun, "tmpcopyup").
func (m *Mount) CopiesUp() bool {
	return m.Type == "tmpfs" && !m.Binds() && slices.Contains(m.Options, "tmpcopyup")
}
