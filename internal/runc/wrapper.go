// SPDX-License-Identifier: Apache-2.0

package runc

import (
	"path/filepath"
	"strings"
)

// Wraps reports whether a program rewrites config.json and then calls a runtime, by the name of its file, links followed:
// that is nvidia-container-runtime, also as .cdi, .legacy and .real (NVIDIA/nvidia-container-toolkit 1.20.2, cmd and
// tools/container). Only its name tells. After nonroot-runc it would add groups and mounts that nothing checks any
// more, and the record of the decision would no longer match the container.
func Wraps(program string) bool {
	const nvidias = "nvidia-container-runtime"
	if strings.HasPrefix(filepath.Base(program), nvidias) {
		return true
	}
	real, err := filepath.EvalSymlinks(program)
	return err == nil && strings.HasPrefix(filepath.Base(real), nvidias)
}

// WrapperHint is how a wrapper and nonroot-runc work together.
const WrapperHint = "let the engine call the wrapper, and the wrapper nonroot-runc: runtimes = [\"/usr/local/sbin/nonroot-runc\"] under [nvidia-container-runtime] in /etc/nvidia-container-runtime/config.toml (docs/engines.md, NVIDIA)"
