// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/nonroot-runc/nonroot-runc/internal/ask"
	"github.com/nonroot-runc/nonroot-runc/internal/engines"
	"github.com/nonroot-runc/nonroot-runc/internal/facts"
)

// Registration is a name by which an engine's configuration leads to nonroot-runc. Its JSON is documented in
// nonroot-ctl(8).
type Registration struct {
	Engine  string `json:"engine"` // as nonroot-ctl configure calls it; "runc": the guard
	Name    string `json:"name"`   // the runtime's
	Program string `json:"program"`
	Default bool   `json:"default"` // containers that ask for no runtime get this one
}

// Registrations returns those in the configuration files of the machine's engines, whether their daemons are running or
// not, and the guard. Names for runc that are nonroot-runc's by the guard alone are not registrations: they go with it.
// dockerJSON is dockerd's configuration file. Users' own files don't count. A file that can't be read is an error: it
// may name nonroot-runc.
func Registrations(ctx context.Context, dockerJSON string) ([]Registration, error) {
	caller, err := facts.LookAtCaller()
	if err != nil {
		return nil, err
	}
	d := &doctor{caller: caller, binary: FindRuntime("")}
	all := []Registration{}
	guard := ""
	if d.guarded() {
		guard = find("runc")
	}
	for _, e := range []struct {
		engine *engines.Engine
		read   func() (*registered, error)
	}{
		{&engines.Docker, func() (*registered, error) { return readDaemonJSON(dockerJSON) }},
		{&engines.Containerd, func() (*registered, error) { return readContainerd(ctx) }},
		{&engines.Podman, func() (*registered, error) { return readWith(podmanFiles(""), podmanRuntimes) }},
		{&engines.CRIO, func() (*registered, error) { return readWith(engines.CRIO.Config.Files, crioRuntimes) }},
	} {
		engine := e.engine.Config.Command
		r, err := e.read()
		if err != nil {
			return nil, fmt.Errorf("read %s's configuration: %w", engine, err)
		}
		for _, name := range r.ours(d.isOurs) {
			if guard == "" || placeOf(r.runtimes[name]) != placeOf(guard) {
				all = append(all, Registration{engine, name, r.runtimes[name], name == r.standard})
			}
		}
	}
	if guard != "" {
		all = append(all, Registration{Engine: "runc", Name: "runc", Program: guard})
	}
	return all, nil
}

// placeOf returns the path of an engine's runtime, a path or a name, without following the last link, such as the guard's.
func placeOf(runtime string) string {
	if !filepath.IsAbs(runtime) {
		runtime = find(runtime)
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(runtime)); err == nil {
		return filepath.Join(dir, filepath.Base(runtime))
	}
	return runtime
}

// readDaemonJSON reads dockerd's file as dockerd does (moby, daemon/config, Config: names in any case, the last one
// wins).
func readDaemonJSON(file string) (*registered, error) {
	c := struct {
		Default  string         `json:"default-runtime"`
		Runtimes dockerRuntimes `json:"runtimes"`
	}{}
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if len(bytes.TrimSpace(text)) == 0 { // an empty file counts as a missing one: Docker 23 starts with it, 20.10 refuses to start
		text = []byte("{}")
	}
	if err := json.Unmarshal(text, &c); err != nil {
		return nil, fmt.Errorf("%q: %w", file, err)
	}
	return c.Runtimes.registered(cmp.Or(c.Default, "runc")), nil
}

// readContainerd reads the configuration that the daemon makes of its files, drop-ins included; if that fails, the file
// itself.
func readContainerd(ctx context.Context) (*registered, error) {
	program, file := engines.Containerd.Config.Program, engines.Containerd.Config.Files[0]
	text, err := ask.Run(ctx, nil, program, "--config", file, "config", "dump")
	if err != nil {
		text, err = os.ReadFile(file)
	}
	if errors.Is(err, fs.ErrNotExist) {
		text, err = nil, nil // its defaults
	}
	if err != nil {
		return nil, err
	}
	return containerdRuntimes(text)
}

// readWith reads an engine's files, in which later ones take precedence.
func readWith(files []string, parse func([][]byte) (*registered, error)) (*registered, error) {
	texts, err := readAll(files)
	if err != nil {
		return nil, err
	}
	return parse(texts)
}
