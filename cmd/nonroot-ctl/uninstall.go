// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/configure"
	"github.com/nonroot-runc/nonroot-runc/internal/engines"
)

// errNeeded is for containers that the engine could no longer start, stop or remove without the runtime's name.
// Podman would even forget a running one, and leave its processes behind.
func (r request) errNeeded(all []configure.Dependent) error {
	if len(all) == 0 {
		return nil
	}
	slices.SortFunc(all, func(a, b configure.Dependent) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.State, b.State))
	})
	all = slices.Compact(all)
	var text strings.Builder
	what := "containers need"
	if len(all) == 1 {
		what = "container needs"
	}
	fmt.Fprintf(&text, "%d %s the runtime %q:\n", len(all), what, r.Name)
	for _, d := range all {
		fmt.Fprintf(&text, "  %q (%s)\n", d.Name, d.State)
	}
	text.WriteString("remove them first, or take back the default alone, by --keep-name as well")
	return errors.New(text.String())
}

// unneeded refuses to remove a runtime's name that containers need. The engine's containers are only listed if the
// name would go.
func (r request) unneeded(c configure.Change, dependents func() ([]configure.Dependent, error)) error {
	if !r.undo || r.keepName || c.Nothing() {
		return nil
	}
	all, err := dependents()
	if err != nil {
		return fmt.Errorf("look for containers that need the runtime %q: %w", r.Name, err)
	}
	return r.errNeeded(all)
}

// dockerDependents are the containers of this daemon.
func (r request) dockerDependents(d dockerd, daemonJSON []byte) ([]configure.Dependent, error) {
	root, err := configure.DataRoot(daemonJSON)
	if err != nil {
		return nil, err
	}
	if os.Geteuid() != 0 && root == engines.Docker.Store.Root { // pkg/homedir, GetDataHome
		home := os.Getenv("HOME")
		root = filepath.Join(cmp.Or(os.Getenv("XDG_DATA_HOME"), filepath.Join(home, ".local/share")), engines.Docker.Store.User)
	}
	if flag, set := d.flag("--data-root"); set {
		root = flag
	}
	return configure.DockerDependents(configure.DockerDataRoots(root), r.Name)
}

// containerdDependents are the containers of the handler's binary. If another handler has the same binary they may be
// that one's: nothing tells them apart.
func (r request) containerdDependents(d containerd) ([]configure.Dependent, error) {
	binaries, _ := d.format.Runtimes()
	binary := binaries[r.Name]
	delete(binaries, r.Name)
	for _, other := range binaries {
		if other == binary {
			return nil, nil
		}
	}
	if binary == "" {
		return nil, nil
	}
	return configure.ContainerdDependents(d.format.State(), binary)
}

func (r request) podmanDependents() ([]configure.Dependent, error) {
	if _, err := osexec.LookPath(engines.Podman.Config.Program); err != nil {
		return nil, nil
	}
	return configure.PodmanDependents(context.Background(), r.Name)
}

// notHere refuses to configure an engine that is not installed at all. If its directory exists, it may be installed
// later.
func (r request) notHere(config *engines.Config) error {
	if r.undo || r.flags.IsSet("config") {
		return nil
	}
	if _, err := osexec.LookPath(config.Program); err == nil {
		return nil
	}
	if _, err := os.Stat(config.Dir); err == nil {
		return nil
	}
	return fmt.Errorf("there is no %s here, neither the program nor %q\nhint: install it first, or name the file to write with --config", config.Program, config.Dir)
}

// errNeedsRoot says how to run the command as root.
func (r request) errNeedsRoot(why string) error {
	return fmt.Errorf("%s: needs root\nhint: sudo nonroot-ctl configure %s", why, r.flags.Command.Name)
}
