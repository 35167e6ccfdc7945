// SPDX-License-Identifier: Apache-2.0

// Package targets finds the files to check: a file that is named, or the Dockerfiles, manifests and the like in a directory.
// It only looks at their beginning, to tell their kind.
package targets

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/nonroot-runc/nonroot-runc/internal/compose"
	"github.com/nonroot-runc/nonroot-runc/internal/dockerfile"
	"github.com/nonroot-runc/nonroot-runc/internal/links"
	"github.com/nonroot-runc/nonroot-runc/internal/manifest"
)

// Kind is the kind of a target.
type Kind string

// The kinds.
const (
	Dockerfile Kind = "dockerfile"
	Archive    Kind = "archive"  // of an image, as docker save writes it
	Manifest   Kind = "manifest" // Kubernetes' objects
	Compose    Kind = "compose"
	Layout     Kind = "layout" // a directory of the OCI image layout
	Bundle     Kind = "bundle" // a directory of the OCI runtime specification
)

// Target is one thing to check.
type Target struct {
	Path string
	Kind Kind
	// Override is the path of the file that docker compose merges into a Compose file; "": none.
	Override string
	// Patch: it is a patch of a Kustomization, or one with patches in it.
	Patch bool
}

// Limits on a walk.
const (
	maxEntries = 1 << 20
	maxDepth   = 100
)

// Found is the result of a search.
type Found struct {
	Targets   []Target
	Templates int // of Helm's, which are not
	Patches   int // of Kustomizations, among the targets
	LeftOut   int // Dockerfiles in directories that a .dockerignore leaves out, which are not either
	// Unlike lists files that are named like a Dockerfile, but are not one.
	Unlike []string
	// Links lists symbolic links that are named like a target, and lead out of the repository or to nothing.
	Links []string
}

// Find returns the targets at a path: the file itself, or what is in a directory, and neither ignored by git nor excluded by a pattern in the
// form of a .gitignore. Of symbolic links below the path, it follows those to files in the repository. It is an error if there are no targets.
func Find(name string, exclude ...string) (Found, error) {
	w, err := find(name, exclude)
	f := Found{Targets: w.found, Templates: w.charts, LeftOut: w.leftOut, Unlike: w.unlike, Links: w.outside}
	for _, t := range w.found {
		if t.Patch {
			f.Patches++
		}
	}
	return f, err
}

func find(name string, exclude []string) (walk, error) {
	st, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return walk{}, fmt.Errorf("%w\nhint: an image that Docker has here is docker-daemon:NAME, and one of Podman's containers-storage:NAME", err)
	case err != nil:
		return walk{}, err
	case st.Mode().IsRegular():
		return walk{found: []Target{named(name)}}, nil
	case !st.IsDir():
		return walk{}, fmt.Errorf("%q is neither a regular file nor a directory\nhint: give its text on standard input, and - as the path", name)
	}
	if _, err := os.Stat(filepath.Join(name, "oci-layout")); err == nil {
		return walk{found: []Target{{Path: name, Kind: Layout}}}, nil
	}
	if isBundle(name) {
		return walk{found: []Target{{Path: name, Kind: Bundle}}}, nil
	}
	w := walk{}
	g, top, rel := above(name)
	for _, line := range exclude {
		one, ok := parsePattern(line)
		if !ok {
			return w, fmt.Errorf("%q excludes nothing\nhint: write a pattern as in a .gitignore", line)
		}
		if w.exclude == nil {
			w.exclude = &ignores{dir: rel}
		}
		w.exclude.patterns = append(w.exclude.patterns, one)
	}
	if top != "" {
		index := sync.OnceValue(func() map[string]bool { return tracked(top) })
		w.tracked = func(p string) bool { return index()[p] }
	}
	if err := w.directory(name, rel, g, context{}, 0); err != nil {
		return w, err
	}
	w.follow(name)
	w.mark()
	if err := errors.Join(w.failed...); err != nil {
		return w, err
	}
	if len(w.found) == 0 {
		return w, fmt.Errorf("nothing in %q is a Dockerfile or a manifest that neither git nor a .dockerignore leaves out\nhint: name the file", name)
	}
	return w, nil
}

// Root returns the directory that the files which a file refers to may be in: the repository of the file's directory, the working directory,
// or the directory that was named, whichever is the highest.
func Root(dir, named string) string {
	dir = real(dir)
	root := dir
	for at := dir; filepath.Dir(at) != at; at = filepath.Dir(at) {
		if _, err := os.Lstat(filepath.Join(at, ".git")); err == nil {
			root = at
			break
		}
	}
	for _, other := range []string{real("."), real(named)} {
		if st, err := os.Stat(other); err == nil && st.IsDir() && other != "/" && links.Within(other, root) {
			root = other
		}
	}
	return root
}

// real returns a path without symbolic links, if there is something.
func real(name string) string {
	full, err := filepath.Abs(name)
	if err != nil {
		return name
	}
	if end, err := filepath.EvalSymlinks(full); err == nil {
		return end
	}
	return full
}

// Merge joins each Compose file and the override that docker compose by default merges into it, if both were found in one directory: of
// several, the first in Compose's own order. The override is no target of its own then.
func Merge(places []Found) {
	type candidate struct{ place, target, order int }
	files, overrides := map[string]candidate{}, map[string]candidate{}
	for p, found := range places {
		for n, target := range found.Targets {
			if target.Kind != Compose {
				continue
			}
			dir := filepath.Dir(target.Path)
			file, override := compose.Default(filepath.Base(target.Path))
			for _, one := range []struct {
				first map[string]candidate
				order int
			}{{files, file}, {overrides, override}} {
				if before, ok := one.first[dir]; one.order >= 0 && (!ok || one.order < before.order) {
					one.first[dir] = candidate{p, n, one.order}
				}
			}
		}
	}
	merged := map[string]bool{}
	for dir, override := range overrides {
		if file, ok := files[dir]; ok {
			path := places[override.place].Targets[override.target].Path
			places[file.place].Targets[file.target].Override = path
			merged[path] = true
		}
	}
	for p := range places {
		places[p].Targets = slices.DeleteFunc(places[p].Targets, func(t Target) bool { return t.Kind == Compose && merged[t.Path] })
	}
}

// maxConfig is how much of a config.json is read to tell its kind.
const maxConfig = 16 << 20

// isBundle reports whether a directory is an OCI bundle. Many programs have a config.json, but only this kind has a version
// of the runtime specification in it (config.md, "Specification version").
func isBundle(dir string) bool {
	text, ok := head(filepath.Join(dir, "config.json"), maxConfig)
	return ok && strings.Contains(text, `"ociVersion"`)
}

type walk struct {
	found     []Target
	charts    int
	leftOut   int
	unlike    []string
	seen      int
	exclude   *ignores
	links     []link
	linked    map[string]string // where the links lead that are followed
	failed    []error           // of directories that can't be read
	outside   []string          // links that lead out of the repository, or to nothing
	others    []string          // names for YAML that are no targets
	patches   map[string]bool   // files that a Kustomization has as patches, and Kustomizations with patches in them
	resources map[string]bool   // files that a Kustomization has as resources
	// tracked reports whether a path is in git's index.
	tracked func(p string) bool
}

// yaml adds a file with Kubernetes objects. Files in templates next to a Chart.yaml are skipped, because only Helm can
// render them.
func (w *walk) yaml(dir, name string) {
	text, ok := w.head(name, manifest.MaxBytes)
	if !ok {
		w.found = append(w.found, Target{Path: name, Kind: Manifest}) // whatever it is, that it can't be read has to be said
		return
	}
	if compose.IsLike(filepath.Base(name)) && compose.Is([]byte(text)) && !manifest.Is([]byte(text)) {
		w.found = append(w.found, Target{Path: name, Kind: Compose})
		return
	}
	if !manifest.Is([]byte(text)) || manifest.IsOther([]byte(text)) {
		w.others = append(w.others, name)
		return
	}
	for at := dir; len(at) > 1; at = filepath.Dir(at) {
		if filepath.Base(at) == "templates" {
			if _, err := os.Lstat(filepath.Join(filepath.Dir(at), "Chart.yaml")); err == nil {
				w.charts++
				return
			}
		}
		if filepath.Dir(at) == at {
			break
		}
	}
	w.found = append(w.found, Target{Path: name, Kind: Manifest})
}

// isYAML goes by the file's name. JSON with Kubernetes objects counts as YAML.
func isYAML(name string) bool {
	ext := strings.ToLower(path.Ext(name))
	return ext == ".yaml" || ext == ".yml" || ext == ".json"
}

func (w *walk) directory(dir, rel string, g *ignores, c context, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("%q lies too deep: no more than %d levels are looked at", dir, maxDepth)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		w.failed = append(w.failed, err) // the rest is looked at
		return nil
	}
	g, c = g.with(rel, filepath.Join(dir, ".gitignore")), c.in(dir, rel)
	for _, e := range entries {
		if w.seen++; w.seen > maxEntries {
			return errors.New("there are more than a million files\nhint: name a smaller directory")
		}
		below, name := path.Join(rel, e.Name()), filepath.Join(dir, e.Name())
		switch {
		case e.Name() == ".git" || g.ignored(below, e.IsDir()) && (w.tracked == nil || !w.tracked(below)):
		case w.exclude.ignored(below, e.IsDir()):
		case e.IsDir():
			if err := w.directory(name, below, g, c, depth+1); err != nil {
				return err
			}
		case e.Type()&fs.ModeSymlink != 0:
			w.links = append(w.links, link{dir, name, c.without(rel)})
		case e.Type().IsRegular():
			w.file(dir, name, c.without(rel))
		}
	}
	return nil
}

// file adds a file, if it has the name of a target.
func (w *walk) file(dir, name string, without bool) {
	base := filepath.Base(name)
	switch {
	case isDockerfile(base) != no:
		w.dockerfile(name, without)
	case compose.IsName(base):
		w.found = append(w.found, Target{Path: name, Kind: Compose})
	case manifest.IsKustomization(base):
		w.kustomization(dir, name)
		w.yaml(dir, name)
	case isYAML(base):
		w.yaml(dir, name)
	}
}

// head returns the beginning of a file, also behind a link that is followed.
func (w *walk) head(name string, most int64) (text string, ok bool) {
	if to, ok := w.linked[name]; ok {
		name = to
	}
	return head(name, most)
}

// link is a symbolic link of a walk.
type link struct {
	dir, name string
	without   bool
}

// follow adds the files in the repository to which symbolic links lead, unless they are targets by their own names. Directories are not
// followed: what is in them is found where it is.
func (w *walk) follow(top string) {
	if len(w.links) == 0 {
		return
	}
	root, own := Root(top, top), map[string]bool{}
	w.linked = map[string]string{}
	for _, t := range w.found {
		own[real(t.Path)] = true
	}
	for _, l := range w.links {
		if base := filepath.Base(l.name); isDockerfile(base) != yes && !compose.IsName(base) && !isYAML(base) {
			continue
		}
		to, err := filepath.EvalSymlinks(l.name)
		st, statErr := os.Stat(l.name)
		switch {
		case err != nil || statErr != nil || st.IsDir():
		case own[real(to)]:
		case !links.Within(root, real(to)):
			w.outside = append(w.outside, l.name)
		case st.Mode().IsRegular():
			own[real(to)] = true
			w.linked[l.name] = to
			w.file(l.dir, l.name, l.without)
		}
	}
}

// kustomization records the patches of a Kustomization, and its resources: a file that is both is a workload.
func (w *walk) kustomization(dir, name string) {
	text, _ := head(name, manifest.MaxBytes) // a link is not followed
	if w.patches == nil {
		w.patches, w.resources = map[string]bool{}, map[string]bool{}
	}
	for _, p := range manifest.Patches([]byte(text)) {
		if p.File == "" {
			w.patches[name] = true
		} else if !filepath.IsAbs(p.File) {
			w.patches[filepath.Join(dir, p.File)] = true
		}
	}
	for _, file := range manifest.Resources([]byte(text)) {
		w.resources[filepath.Join(dir, file)] = true
	}
}

func patchesOf(kustomization string) []manifest.Patch {
	text, ok := head(kustomization, manifest.MaxBytes)
	if !ok {
		return nil
	}
	return manifest.Patches([]byte(text))
}

// mark marks the targets that are patches. One that is no object of Kubernetes' is a list of operations, or a Kustomization without a kind.
func (w *walk) mark() {
	for n, t := range w.found {
		if t.Kind == Manifest && w.patches[t.Path] && !w.resources[t.Path] {
			w.found[n].Patch = true
			delete(w.patches, t.Path)
		}
	}
	for _, name := range w.others {
		if w.patches[name] {
			w.found = append(w.found, Target{Path: name, Kind: Manifest, Patch: true})
		}
	}
}

// named returns the target of a file that was named explicitly. It may be a patch of the Kustomization beside it, or above.
func named(name string) Target {
	t := Target{Path: name, Kind: ofFile(name)}
	if t.Kind == Dockerfile && compose.IsName(filepath.Base(name)) {
		t.Kind = Compose // one that only includes others
	}
	if manifest.IsKustomization(name) {
		t.Patch = slices.ContainsFunc(patchesOf(name), func(p manifest.Patch) bool { return p.File == "" })
	}
	full, err := filepath.Abs(name)
	if err != nil || !isYAML(name) {
		return t
	}
	for dir, levels := filepath.Dir(full), 0; levels < 3 && !t.Patch; dir, levels = filepath.Dir(dir), levels+1 {
		for _, at := range []string{"kustomization.yaml", "kustomization.yml", "Kustomization"} {
			t.Patch = t.Patch || slices.ContainsFunc(patchesOf(filepath.Join(dir, at)), func(p manifest.Patch) bool { return p.File != "" && filepath.Join(dir, p.File) == full })
		}
	}
	if t.Patch {
		t.Kind = Manifest
	}
	return t
}

// dockerfile adds a file that has the name of a Dockerfile, or a similar name and the text of one.
func (w *walk) dockerfile(name string, without bool) {
	if isDockerfile(filepath.Base(name)) == maybe {
		text, ok := w.head(name, dockerfile.MaxBytes+1)
		if ok && !dockerfile.Is([]byte(text)) {
			w.unlike = append(w.unlike, name)
			return
		}
	}
	if without {
		w.leftOut++
		return
	}
	w.found = append(w.found, Target{Path: name, Kind: Dockerfile})
}

// Sniffed is how much of a file is read to tell its kind.
const Sniffed = 64 << 10

// ofFile returns the kind of a file that was named explicitly.
func ofFile(name string) Kind {
	f, err := os.Open(name)
	if err != nil {
		return Dockerfile
	}
	defer f.Close() // it was only read
	text := make([]byte, Sniffed)
	n, _ := io.ReadFull(f, text)
	return Of(text[:n])
}

// Of returns the kind of a file, from its beginning.
func Of(text []byte) Kind {
	if len(text) >= 262 && string(text[257:262]) == "ustar" {
		return Archive
	}
	// A Dockerfile may write a manifest or a Compose file, and a Compose file may have a manifest in a string.
	isCompose := compose.Is(text) && !bytes.Contains(append([]byte("\n"), text...), []byte("\napiVersion"))
	switch {
	case beginsDockerfile(text):
		return Dockerfile
	case isCompose:
		return Compose
	case manifest.Is(text):
		return Manifest
	}
	return Dockerfile
}

// beginsDockerfile reports whether the first instruction of a text is one that a Dockerfile begins with.
func beginsDockerfile(text []byte) bool {
	for line := range bytes.Lines(bytes.TrimPrefix(text, []byte("\ufeff"))) {
		words := bytes.Fields(line)
		if len(words) == 0 || words[0][0] == '#' {
			continue
		}
		return len(words) > 1 && (bytes.EqualFold(words[0], []byte("FROM")) || bytes.EqualFold(words[0], []byte("ARG")))
	}
	return false
}

// answer is what a file's name says about its kind.
type answer string

const (
	yes   answer = "yes"
	no    answer = "no"
	maybe answer = "maybe" // it depends on what the file says
)

// ofOthers are name suffixes of other kinds: source code, text, templates of Dockerfiles.
var ofOthers = []string{
	".md", ".go", ".py", ".js", ".mjs", ".ts", ".rs", ".rb", ".java", ".sh", ".toml", ".txt", ".xml", ".html", ".lock",
	".tmpl", ".tpl", ".template", ".gotmpl", ".j2", ".jinja", ".jinja2", ".erb", ".in", ".mustache", ".orig", ".bak",
	".adoc", ".c", ".cpp", ".css", ".cue", ".diff", ".h", ".hcl", ".kt", ".lua", ".nix", ".patch", ".php", ".pl", ".ps1", ".rego", ".rst", ".snap", ".svg", ".swift", ".tf", ".vim",
}

// isDockerfile goes by the names that builders and editors know: Dockerfile, Containerfile, api.Dockerfile, Dockerfile.dev.
// A text about Dockerfiles may have such a name as well (Dockerfile.md), and some Dockerfiles have other names
// (Dockerfile-dev).
func isDockerfile(name string) answer {
	lower := strings.ToLower(name)
	if slices.Contains([]string{".dockerignore", ".yaml", ".yml", ".json"}, path.Ext(lower)) {
		return no
	}
	for _, one := range []string{"dockerfile", "containerfile"} {
		switch {
		case lower == one || (strings.HasPrefix(lower, one+".") || strings.HasSuffix(lower, "."+one)) && !slices.Contains(ofOthers, path.Ext(lower)):
			return yes
		case strings.Contains(lower, one):
			return maybe
		}
	}
	return no
}
