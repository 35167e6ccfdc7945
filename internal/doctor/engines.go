// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"github.com/nonroot-runc/nonroot-runc/internal/ask"
	"github.com/nonroot-runc/nonroot-runc/internal/engines"
	"github.com/nonroot-runc/nonroot-runc/internal/facts"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

// registered is what an engine knows about runtimes.
type registered struct {
	runtimes map[string]string // name -> program, as in the engine's configuration
	standard string            // the default runtime
}

// ours returns the names under which nonroot-runc is registered, sorted.
func (r *registered) ours(isOurs func(string) bool) []string {
	var names []string
	for name, program := range r.runtimes {
		if isOurs(program) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// registration makes the two checks that every engine has, and returns our names.
func (d *doctor) registration(engine string, r *registered) []string {
	names := r.ours(d.isOurs)
	d.engines = append(d.engines, engine)
	if len(names) == 0 {
		status := Warn
		if d.o.Engine != nil && engine == d.o.Engine.Config.Command {
			status = Fail
		}
		d.bad(status, engine+": registered", "nonroot-ctl configure "+engine, "NOT governed, none of its runtimes is nonroot-runc: %s", r)
		return nil
	}
	d.governed = append(d.governed, engine)
	d.ok(engine+": registered", "as %q", names)
	switch hint := "nonroot-ctl configure " + engine + " --set-default"; {
	case slices.Contains(names, r.standard):
		d.ok(engine+": default", "it is %q", r.standard)
	case r.standard == "":
		d.bad(Warn, engine+": default", hint, "none is set: containers that do not ask for %q are NOT governed", names[0])
	default:
		d.bad(Warn, engine+": default", hint, "it is %q: containers that do not ask for %q are NOT governed", r.standard, names[0])
	}
	for _, name := range names {
		d.byWhichPolicy(engine, name, r.runtimes[name], name == r.standard)
	}
	return names
}

// byWhichPolicy checks that a registered program enforces a policy. A link that names a profile uses that profile's
// policy.
func (d *doctor) byWhichPolicy(engine, name, program string, standard bool) {
	what := fmt.Sprintf("%s: policy of %q", engine, name)
	named := d.o.Policy
	if strings.HasPrefix(filepath.Base(program), "nonroot-runc.") {
		named = ""
	}
	p, err := facts.Policy(named, program, d.caller.Owners)
	switch {
	case err != nil:
		d.bad(Fail, what, "fix the file; until then none of its containers starts", "%v", err)
	case p.Mode.Exempts() && standard:
		d.bad(d.audited(p, Fail), what, "set mode = \"rewrite\" in it, or make another runtime the default", "the default uses the policy %q, mode %s: NO container is governed", p.File, modeOf(p))
	case wholly(p, engine) != nil:
		r, status := wholly(p, engine), Warn
		if standard {
			status = Fail
		}
		d.bad(status, what, "take the rule out, or make it match less than the whole engine", "OPEN: the rule %q of %q exempts all of %s, mode %s: NO container of it is governed", r.Name, p.File, engine, modeOf(r.Policy))
	case p.Mode.Exempts():
		d.bad(d.audited(p, decided(p)), what, "name it for those containers only that cannot do without root", "OPEN: containers that name it use the policy %q, mode %s", p.File, modeOf(p))
	}
}

// modeOf returns a policy's mode, with the reason if it is off.
func modeOf(p *policy.Policy) string {
	if p.Reason == "" {
		return string(p.Mode)
	}
	return fmt.Sprintf("%s (%q)", p.Mode, p.Reason)
}

// wholly returns the rule by which a policy leaves every container of an engine unchanged; nil if there is none. The
// first rule that matches a container wins.
func wholly(p *policy.Policy, engine string) *policy.Rule {
	for i := range p.Rules {
		r := &p.Rules[i]
		if !r.Holds(time.Now()) || len(r.Match.WholeOf()) == 0 || !r.Match.Engine.Take(engine) {
			continue
		}
		if r.Policy.Mode.Exempts() {
			return r
		}
		return nil
	}
	return nil
}

func (r *registered) String() string {
	var all []string
	for name, program := range r.runtimes {
		all = append(all, fmt.Sprintf("%q (%q)", name, program))
	}
	slices.Sort(all)
	if len(all) == 0 {
		return "it has none but its own"
	}
	return strings.Join(all, ", ")
}

// oneGoverned checks that at least one engine knows nonroot-runc: one that only serves another engine, as Docker's
// containerd does, need not.
func (d *doctor) oneGoverned() {
	switch {
	case len(d.engines) == 0:
		d.bad(Warn, "engines", "nonroot-ctl configure docker, containerd, podman or crio, once it is there", "no engine answers: docker, containerd, podman and crio were tried")
	case len(d.governed) == 0:
		d.bad(Fail, "engines", "nonroot-ctl configure "+d.engines[0], "none of %s uses nonroot-runc: NO container is governed", strings.Join(d.engines, ", "))
	default:
		d.ok("engines", "%s of %s", strings.Join(d.governed, ", "), strings.Join(d.engines, ", "))
	}
}

// Installed reports whether an engine's program exists, or, for one with a daemon, its socket or file.
func Installed(e *engines.Engine) bool {
	if find(e.Config.Program) != "" {
		return true
	}
	if e.Config.Program == e.Client { // other programs use its files, too
		return false
	}
	there := func(f string) bool { _, err := os.Stat(f); return err == nil }
	return there(e.Config.Files[0]) || there(e.Sockets[0])
}

// OnlyDocker reports whether an engine is the containerd that comes with Docker, on a machine that is not a node of a
// Kubernetes cluster: no pods use it.
func OnlyDocker(e *engines.Engine) bool {
	if e != &engines.Containerd || !Installed(&engines.Docker) || find(engines.KubeletProgram) != "" {
		return false
	}
	_, err := os.Stat(engines.KubeletDir)
	return err != nil
}

// buildkit checks a separate buildkitd, which runs "buildkit-runc" or "runc" from PATH (SECURITY.md F8).
func (d *doctor) buildkit() {
	if find(engines.BuildKit.Config.Program) == "" {
		return
	}
	if d.guarded() && (find("buildkit-runc") == "" || d.isOurs("buildkit-runc")) {
		d.ok("buildkit: builds", "buildkitd runs \"runc\", which is nonroot-runc")
		return
	}
	d.bad(Warn, "buildkit: builds", "name nonroot-runc in buildkitd.toml: [worker.oci] binary", "OPEN: buildkitd runs builds as root, by \"buildkit-runc\" or \"runc\" from PATH")
}

func (d *doctor) containerd(ctx context.Context) {
	if !Installed(&engines.Containerd) {
		return
	}
	r, err := readContainerd(ctx)
	if err != nil {
		d.bad(Fail, "containerd: registered", "fix its configuration, then nonroot-ctl configure containerd", "read its configuration: %v", err)
		return
	}
	if d.o.Engine != &engines.Containerd && len(r.ours(d.isOurs)) == 0 && OnlyDocker(&engines.Containerd) {
		d.ok("containerd: left out", "it only serves Docker here, by Docker's own runtimes: there is no kubelet")
		return
	}
	if names := d.registration("containerd", r); names == nil {
		return
	}
	var others []string
	for name, program := range r.runtimes {
		if !d.isOurs(program) {
			others = append(others, name)
		}
	}
	slices.Sort(others)
	d.around("containerd", fmt.Sprintf("pods may name %q as their handler, and whoever reaches the socket any runtime (ctr run --runc-binary)", others))
}

// around reports ways to a runtime other than nonroot-runc.
func (d *doctor) around(engine, ways string) {
	if d.guarded() {
		d.ok(engine+": ways around", "\"runc\" is nonroot-runc; other programs can still be named by whoever controls the engine")
		return
	}
	d.bad(Warn, engine+": ways around", "guard runc: nonroot-ctl configure runc --builds off, or --builds rewrite (with Docker: configure docker --guard); and let only administrators use the engine's API", "OPEN: %s", ways)
}

// containerdRuntimes reads a configuration of any version: the CRI plugin's runtimes are in another place from
// version 3 on (containerd, docs/cri/config.md).
func containerdRuntimes(text []byte) (*registered, error) {
	type runtime struct {
		Options map[string]any `toml:"options"`
	}
	type cri struct {
		Containerd struct {
			Default  string             `toml:"default_runtime_name"`
			Runtimes map[string]runtime `toml:"runtimes"`
		} `toml:"containerd"`
	}
	var c struct {
		Plugins struct {
			V1 cri `toml:"cri"`
			V2 cri `toml:"io.containerd.grpc.v1.cri"`    //lint:allow a tag can name no constant: TestContainerdTables
			V3 cri `toml:"io.containerd.cri.v1.runtime"` //lint:allow likewise
		} `toml:"plugins"`
	}
	if err := toml.Unmarshal(text, &c); err != nil {
		return nil, err
	}
	r := &registered{runtimes: map[string]string{}, standard: "runc"}
	for _, p := range []cri{c.Plugins.V1, c.Plugins.V2, c.Plugins.V3} {
		if p.Containerd.Default != "" {
			r.standard = p.Containerd.Default
		}
		for name, rt := range p.Containerd.Runtimes {
			program, _ := rt.Options["BinaryName"].(string)
			if program == "" {
				program = "runc" // the shim's own default
			}
			r.runtimes[name] = program
		}
	}
	return r, nil
}

// podmanFiles returns Podman's configuration files, in order of precedence, lowest first (containers.conf(5)). A user's
// files apply to that user's containers only. home is "" for root, who has none.
func podmanFiles(home string) []string {
	files := slices.Clone(engines.Podman.Config.Files)
	if home != "" {
		for _, file := range engines.Podman.Config.UserFiles {
			files = append(files, filepath.Join(globbed.Replace(home), file))
		}
	}
	return files
}

// globbed escapes the characters that filepath.Glob would read as a pattern.
var globbed = strings.NewReplacer("*", "\\*", "?", "\\?", "[", "\\[", "\\", "\\\\")

func (d *doctor) podman(ctx context.Context) {
	if !Installed(&engines.Podman) {
		return
	}
	home := ""
	if os.Geteuid() != 0 {
		home, _ = os.UserConfigDir() // without a home the user has no files
	}
	r := d.configured("podman", podmanFiles(home), podmanRuntimes)
	if r == nil {
		return
	}
	d.around("podman", "whoever runs podman may name any runtime (--runtime); rootless containers belong to their user anyway")
	d.podmanContainers(ctx, r.ours(d.isOurs))
}

// podmanContainers reports those of the calling user; they keep the runtime that they were created with.
func (d *doctor) podmanContainers(ctx context.Context, names []string) {
	const name, hint = "podman: containers", "remove these containers and create them again"
	if find(engines.Podman.Client) == "" {
		return
	}
	out, err := ask.Run(ctx, nil, engines.Podman.Client, "ps", "--all", "--quiet", "--no-trunc")
	if err != nil {
		d.bad(Warn, name, "see why", "the containers can't be listed: %v", err)
		return
	}
	var all []container
	for ids := range slices.Chunk(strings.Fields(string(out)), 100) {
		out, err := ask.Run(ctx, nil, engines.Podman.Client, append([]string{"container", "inspect", "--format", "json", "--"}, ids...)...)
		some, bad := parsePodman(out)
		if bad != nil || err != nil && len(some) == 0 {
			d.bad(Warn, name, "see why", "the containers can't be inspected: %v", errors.Join(err, bad))
			return
		}
		all = append(all, some...)
	}
	d.containersOf(name, hint, all, names)
}

// parsePodman reads the output of podman inspect. The runtime is a name, or a path if --runtime was one.
func parsePodman(out []byte) ([]container, error) {
	var all []struct {
		ID, Name, OCIRuntime string
		State                struct{ Pid int }
	}
	if err := json.Unmarshal(out, &all); err != nil {
		return nil, err
	}
	var some []container
	for _, c := range all {
		some = append(some, container{name: c.Name, runtime: c.OCIRuntime, id: c.ID, pid: c.State.Pid})
	}
	return some, nil
}

// podmanRuntimes reads the texts of files in which later ones take precedence.
func podmanRuntimes(texts [][]byte) (*registered, error) {
	r := &registered{runtimes: map[string]string{}}
	for _, text := range texts {
		var c struct {
			Engine struct {
				Runtime  string              `toml:"runtime"`
				Runtimes map[string][]string `toml:"runtimes"`
			} `toml:"engine"`
		}
		if err := toml.Unmarshal(text, &c); err != nil {
			return nil, err
		}
		if c.Engine.Runtime != "" {
			r.standard = c.Engine.Runtime
		}
		for name, programs := range c.Engine.Runtimes {
			r.runtimes[name] = ""
			for _, p := range programs { // the first one that exists counts
				if _, err := os.Stat(p); err == nil {
					r.runtimes[name] = p
					break
				}
			}
		}
	}
	if strings.HasPrefix(r.standard, "/") { // a path is a runtime of its own
		r.runtimes[r.standard] = r.standard
	}
	return r, nil
}

func (d *doctor) crio() {
	if !Installed(&engines.CRIO) {
		return
	}
	if d.configured("crio", engines.CRIO.Config.Files, crioRuntimes) != nil {
		d.around("crio", "pods may name another handler of its configuration (RuntimeClass)")
	}
}

// crioRuntimes reads the texts of files in which later ones take precedence.
func crioRuntimes(texts [][]byte) (*registered, error) {
	r := &registered{runtimes: map[string]string{}}
	for _, text := range texts {
		var c struct {
			Crio struct {
				Runtime struct {
					Default  string `toml:"default_runtime"`
					Runtimes map[string]struct {
						Path string `toml:"runtime_path"`
					} `toml:"runtimes"`
				} `toml:"runtime"`
			} `toml:"crio"`
		}
		if err := toml.Unmarshal(text, &c); err != nil {
			return nil, err
		}
		if c.Crio.Runtime.Default != "" {
			r.standard = c.Crio.Runtime.Default
		}
		for name, rt := range c.Crio.Runtime.Runtimes {
			if rt.Path == "" {
				rt.Path = name // CRI-O then looks it up by name
			}
			r.runtimes[name] = rt.Path
		}
	}
	return r, nil
}

// configured makes the checks of an engine that is known only by its files; nil if nonroot-runc is not in them.
func (d *doctor) configured(engine string, files []string, parse func([][]byte) (*registered, error)) *registered {
	r, err := readWith(files, parse)
	if err != nil {
		d.bad(Fail, engine+": registered", "fix its configuration, then nonroot-ctl configure "+engine, "%v", err)
		return nil
	}
	if d.registration(engine, r) == nil {
		return nil
	}
	return r
}

// readAll reads the files that exist, each pattern's in alphabetical order.
func readAll(patterns []string) ([][]byte, error) {
	var texts [][]byte
	for _, pattern := range patterns {
		files, err := filepath.Glob(pattern)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			texts = append(texts, text)
		}
	}
	return texts, nil
}
