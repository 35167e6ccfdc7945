// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// write makes files below a directory.
func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// git returns the untracked files that git doesn't ignore.
func git(t *testing.T, dir string) (files []string) {
	t.Helper()
	cmd := exec.Command("git", "ls-files", "-z", "--others", "--exclude-standard")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GIT_CONFIG_GLOBAL=/nonexistent", "GIT_CONFIG_SYSTEM=/nonexistent", "HOME=/nonexistent", "XDG_CONFIG_HOME=/nonexistent")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range bytes.Split(bytes.TrimSuffix(out, []byte{0}), []byte{0}) {
		files = append(files, string(name))
	}
	return files
}

// initialized creates a repository.
func initialized(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("git", "init", "-q", dir).CombinedOutput(); err != nil {
		t.Fatalf("git init: %v: %s", err, out)
	}
	return dir
}

// TestIgnores compares the patterns with git.
func TestIgnores(t *testing.T) {
	patterns := []string{
		"a", "/a", "a/", "*.x", "!keep.x", "a/b", "/a/b/", "**/b", "a/**", "a/**/c", "**", "*", "!*/", "!**/c", "?", "[ab]", "[!ab]", "[a-c].x", "[^a]",
		"\\#a", "# a", "\\!a", "a\\*", "a ", "a\\ ", "[]a]", "[", "a[", "[a-", "a/*/c", "*/c", "c/", "b/c", ".x", "*.*", "**/a/**", "a**", "**a", "[[:alpha:]]", "[\\]]", "-", "[-a]", "[a-]", "/", "//", "a//b", "\\", "é*", "[/]", "!", "!/a", "a\t",
	}
	files := map[string]string{}
	for _, name := range []string{
		"a", "b", "c", "#a", "!a", "a ", "a*", "keep.x", "a.x", "d/a", "d/b/c", "d/b/keep.x", "d/e/a/f/c", "e/a/b/c", "e/b", ".x", "aa", "ba", "é1", "-", "]", "[", "dd/a/c", "dd/c/x",
	} {
		files[name] = "FROM x"
	}
	random := rand.New(rand.NewPCG(1, 2))
	different := 0
	for range 50 {
		dir := initialized(t)
		own := map[string]string{}
		pick := func() string {
			var lines []string
			for range 1 + random.IntN(4) {
				lines = append(lines, patterns[random.IntN(len(patterns))])
			}
			return strings.Join(lines, "\n") + "\n"
		}
		own[".gitignore"] = pick()
		if random.IntN(2) == 0 {
			own["d/.gitignore"] = pick()
		}
		write(t, dir, files)
		write(t, dir, own)
		want := git(t, dir)
		var got []string
		all(t, dir, "", nil, &got)
		slices.Sort(got)
		slices.Sort(want)
		if len(want) == 1 && want[0] == "" {
			want = nil
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q, and git has %q", own, got, want)
		}
		if len(want) < len(files) {
			different++
		}
	}
	if different < 35 {
		t.Errorf("only %d have ignored anything", different)
	}
}

// all collects the files that a walk visits.
func all(t *testing.T, dir, rel string, g *ignores, got *[]string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, rel))
	if err != nil {
		t.Fatal(err)
	}
	g = g.with(rel, filepath.Join(dir, rel, ".gitignore"))
	for _, e := range entries {
		below := filepath.Join(rel, e.Name())
		switch {
		case e.Name() == ".git" || g.ignored(below, e.IsDir()):
		case e.IsDir():
			all(t, dir, below, g, got)
		default:
			*got = append(*got, below)
		}
	}
}

// TestFind finds the targets in a directory, which depend on its repository.
func TestFind(t *testing.T) {
	dir := initialized(t)
	write(t, dir, map[string]string{
		".gitignore": "/out/\nvendor/\n!/app/vendor/\n", "Dockerfile": "", "pkg/dockerfile.go": "", "app/dockerfile.md": "", "app/api.Dockerfile": "", "app/Dockerfile.dev": "", "out/Dockerfile": "", "app/vendor/Containerfile": "",
		"lib/vendor/Dockerfile": "", "app/Dockerfile.dockerignore": "", "app/dockerfile": "", "app/Dockerfile.md": "", "app/notes": "", "app/Dockerfile.go": "# for Go\nARG V=1\nFROM golang:$V\n", "app/Dockerfile-dev": "FROM debian\n", "app/dev.dockerfile.txt": "FROM debian\nRUN x", "app/Dockerfile.tmpl": "FROM {{ .Base }}\n{{ if .X }}\nRUN x\n", "app/Dockerfile.yaml": "apiVersion: v1\nkind: Pod\n", "app/Containerfile.rs": "FROM", "app/dockerfile_test.go": "package x", ".git/info/exclude": "hidden\n", "app/hidden/Dockerfile": "",
	})
	write(t, dir, map[string]string{"box/config.json": `{"ociVersion": "1.0.2"}`, "box/rootfs/Dockerfile": "", "app/config.json": `{"version": 2}`})
	if found, err := Find(filepath.Join(dir, "box")); err != nil || len(found.Targets) != 1 || found.Targets[0].Kind != Bundle {
		t.Errorf("%+v, %v", found, err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "box")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc", filepath.Join(dir, "app/link")); err != nil {
		t.Fatal(err)
	}
	write(t, dir, map[string]string{
		"k/pod.yaml": "kind: Pod\napiVersion: v1\n", "k/values.yaml": "x: y\n", "k/late.yaml": strings.Repeat("# a comment\n", 10000) + "apiVersion: v1\nkind: Pod\n", "k/pod.json": `{"apiVersion":"v1","kind":"Pod"}`, "package.json": "{}",
		"chart/Chart.yaml": "apiVersion: v2\nname: x\n", "chart/templates/x/pod.yaml": "apiVersion: v1\nkind: Pod\n", "k/templates/pod.yml": "apiVersion: v1\nkind: Pod\n",
	})
	found, err := Find(dir)
	if err != nil || found.Templates != 1 {
		t.Errorf("%+v, %v", found, err)
	}
	if got := strings.ReplaceAll(strings.Join(found.Unlike, " "), dir+"/", ""); got != "app/Containerfile.rs app/Dockerfile.md app/Dockerfile.tmpl app/dockerfile.md app/dockerfile_test.go pkg/dockerfile.go" {
		t.Errorf("named like Dockerfiles: %s", got)
	}
	find := func(name string) string {
		found, err := Find(filepath.Join(dir, name))
		if err != nil {
			return err.Error()
		}
		var names []string
		for _, f := range found.Targets {
			rel, err := filepath.Rel(dir, f.Path)
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, rel)
		}
		return strings.Join(names, " ")
	}
	for name, want := range map[string]string{
		"":               "Dockerfile app/Dockerfile-dev app/Dockerfile.dev app/Dockerfile.go app/Dockerfile.yaml app/api.Dockerfile app/dev.dockerfile.txt app/dockerfile app/vendor/Containerfile k/late.yaml k/pod.json k/pod.yaml k/templates/pod.yml",
		"app":            "app/Dockerfile-dev app/Dockerfile.dev app/Dockerfile.go app/Dockerfile.yaml app/api.Dockerfile app/dev.dockerfile.txt app/dockerfile app/vendor/Containerfile",
		"app/notes":      "app/notes",
		"out/Dockerfile": "out/Dockerfile", // it was named
	} {
		if got := find(name); got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
	}
	if got := find("none"); !strings.Contains(got, "docker-daemon:NAME") {
		t.Errorf("who names an image is not told how: %s", got)
	}
	for _, name := range []string{"lib", "none"} {
		if got := find(name); !strings.Contains(got, "nothing in") && !strings.Contains(got, "no such file") {
			t.Errorf("%q: %s", name, got)
		}
	}
}

// TestTracked: tracked files are checked even if a .gitignore matches them, but not the files next to them in an ignored directory.
func TestTracked(t *testing.T) {
	for _, version := range []string{"2", "3", "4"} {
		dir := initialized(t)
		write(t, dir, map[string]string{"Dockerfile": "", "out/a/Dockerfile": "", "out/a/Dockerfile.new": "", "out/b/Dockerfile": "", "out/a/deep/Dockerfile": "", "new/Dockerfile": "", "sub/Dockerfile": ""})
		git := func(args ...string) {
			t.Helper()
			cmd := exec.Command("git", args...)
			cmd.Dir, cmd.Env = dir, append(os.Environ(), "GIT_CONFIG_GLOBAL=/nonexistent", "GIT_CONFIG_SYSTEM=/nonexistent")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("git %q: %v: %s", args, err, out)
			}
		}
		git("add", "Dockerfile", "out/a/Dockerfile", "out/a/deep/Dockerfile", "sub/Dockerfile")
		if version == "3" {
			git("add", "-N", "new/Dockerfile") // intent-to-add entries need version 3
		}
		git("update-index", "--index-version", version)
		text, err := os.ReadFile(filepath.Join(dir, ".git/index"))
		if err != nil || text[7] != version[0]-'0' {
			t.Errorf("version %s: %v, %v", version, text[:8], err)
		}
		write(t, dir, map[string]string{".gitignore": "*ockerfile*\nout\n"})
		for below, want := range map[string]string{"": "Dockerfile out/a/Dockerfile out/a/deep/Dockerfile sub/Dockerfile", "out": "out/a/Dockerfile out/a/deep/Dockerfile"} {
			if version == "3" && below == "" {
				want = strings.Replace(want, "out/a/D", "new/Dockerfile out/a/D", 1)
			}
			found, err := Find(filepath.Join(dir, below))
			var names []string
			for _, f := range found.Targets {
				names = append(names, strings.TrimPrefix(f.Path, dir+"/"))
			}
			if got := strings.Join(names, " "); err != nil || got != want {
				t.Errorf("version %s, %q: %s, %v, want %s", version, below, got, err, want)
			}
		}
	}
}

func FuzzIndex(f *testing.F) {
	dir := f.TempDir()
	for _, args := range [][]string{{"init", "-q"}, {"add", "-N", "."}, {"update-index", "--index-version", "4"}} {
		if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
			f.Fatal(err)
		}
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			f.Fatalf("%v: %s", err, out)
		}
		if text, err := os.ReadFile(filepath.Join(dir, ".git/index")); err == nil {
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		names, err := namesOf(text)
		if err == nil && len(names)*beforeFlags > len(text) {
			t.Errorf("%d names of %d bytes", len(names), len(text))
		}
	})
}

// TestLeftOut: a file is left out if BuildKit's library excludes it from the context, and never because of a file that no build could read.
func TestLeftOut(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		".dockerignore":     "# a comment\n*.sh\n!keep.sh\nnode_modules\n**/gen\n",
		"api.dockerignore":  "",
		"bad/.dockerignore": "[\n*",
		"big/.dockerignore": strings.Repeat("x\n", maxContextPatterns) + "*",
	})
	for _, test := range []struct {
		dir, dockerfile, name string
		want                  bool
	}{
		{"", "", "a.sh", true},
		{"", "Dockerfile", "a.sh", true},
		{"", "api", "a.sh", false},
		{"", "", "./keep.sh", false},
		{"", "", "/a.sh", true},
		{"", "", "x/a.sh", false}, // no pattern matches it: "*" ends at a slash
		{"", "", "node_modules/x/y.sh", true},
		{"", "", "x/gen/y", true},
		{"", "", "../a.sh", true},
		{"bad", "", "x", false},
		{"big", "", "x", false},
		{"none", "", "x", false},
	} {
		if got := LeftOut(filepath.Join(dir, test.dir), test.dockerfile)(test.name); got != test.want {
			t.Errorf("%+v: %v", test, got)
		}
	}
}

// TestFindLeftOut: Dockerfiles in directories that a context excludes are counted, but not checked. Manifests are checked, because they are
// not part of a context, and so is the Dockerfile next to a .dockerignore, whatever that excludes.
func TestFindLeftOut(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		".dockerignore": "**/Dockerfile\nvendor\nk\napp\n", "Dockerfile": "", "vendor/x/Dockerfile": "", "k/pod.yaml": "kind: Pod\napiVersion: v1\n",
		"app/.dockerignore": "lib", "app/Dockerfile": "", "app/lib/Dockerfile": "", "all/.dockerignore": "**\n!src\n", "all/Dockerfile": "", "all/lib/Dockerfile": "", "other/Dockerfile": "",
	})
	found, err := Find(dir)
	if err != nil || found.LeftOut != 2 {
		t.Errorf("%+v, %v", found, err)
	}
	var names []string
	for _, f := range found.Targets {
		names = append(names, strings.TrimPrefix(f.Path, dir+"/"))
	}
	if got := strings.Join(names, " "); got != "Dockerfile all/Dockerfile all/lib/Dockerfile app/Dockerfile k/pod.yaml other/Dockerfile" {
		t.Errorf("found %s", got)
	}
}

// TestOf: the kind of a file is the kind of its beginning, whatever is embedded in it.
func TestOf(t *testing.T) {
	const pod = "apiVersion: v1\nkind: Pod\n"
	for text, want := range map[string]Kind{
		pod: Manifest, "services:\n  a: {image: x}\n": Compose, "FROM debian\n": Dockerfile,
		"FROM debian\nCOPY <<EOF /x\n" + pod + "EOF\n":                                                      Dockerfile,
		"# syntax=docker/dockerfile:1\n\narg V=1\nFROM debian:$V\nRUN <<EOF\nservices:\nEOF\n":              Dockerfile,
		"services:\n  a: {image: x}\nconfigs:\n  c:\n    content: |\n      apiVersion: v1\n      kind: x\n": Compose,
		pod + "services:\n": Manifest,
		"from: x\n" + pod:   Manifest,
	} {
		if got := Of([]byte(text)); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// TestUnreadable: a file that can't be read is a target, so that it is reported.
func TestUnreadable(t *testing.T) {
	dir := t.TempDir()
	var w walk
	w.yaml(dir, filepath.Join(dir, "pod.yaml"))
	w.dockerfile(filepath.Join(dir, "Dockerfile-dev"), false)
	if len(w.found) != 2 || len(w.unlike) != 0 {
		t.Errorf("%+v", w)
	}
}

func FuzzLeftOut(f *testing.F) {
	f.Add("*.sh\n!keep.sh\n**/x[a-z]\n", "a/b.sh")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text, name string) {
		if err := os.WriteFile(filepath.Join(dir, ".dockerignore"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if LeftOut(dir, "")(name) && strings.TrimSpace(text) == "" {
			t.Error("an empty file leaves something out")
		}
	})
}

func FuzzPattern(f *testing.F) {
	f.Add("!/a/**/[!x-z]*.[[:alpha:]]?\\ ", "a/b/c")
	f.Fuzz(func(t *testing.T, line, p string) {
		if one, ok := parsePattern(line); ok {
			one.match.MatchString(p)
		}
	})
}

// TestOverrides: the override file that docker compose merges belongs to the file beside it, in a directory or where both are named.
func TestOverrides(t *testing.T) {
	dir := t.TempDir()
	const services = "services: {a: {image: x}}\n"
	write(t, dir, map[string]string{
		"a/compose.yaml": services, "a/compose.override.yaml": services, "a/compose.prod.yaml": services,
		"b/docker-compose.yml": services, "b/docker-compose.override.yml": services, "b/docker-compose.override.yaml": services,
		"c/compose.override.yml": services, "d/compose.yaml": services, "d/docker-compose.yml": services, "d/docker-compose.override.yml": services,
		"e/compose.yaml": services, "e/compose.override.yaml": services, "e/.gitignore": "*.override.yaml\n",
	})
	if out, err := exec.Command("git", "init", "-q", dir).CombinedOutput(); err != nil {
		t.Fatalf("git init: %v: %s", err, out)
	}
	for _, one := range []struct {
		names []string
		want  string
	}{
		{[]string{"."}, "a/compose.prod.yaml a/compose.yaml+a/compose.override.yaml b/docker-compose.override.yaml b/docker-compose.yml+b/docker-compose.override.yml c/compose.override.yml d/compose.yaml+d/docker-compose.override.yml d/docker-compose.yml e/compose.yaml"},
		{[]string{"a/compose.yaml"}, "a/compose.yaml"},
		{[]string{"a/compose.override.yaml"}, "a/compose.override.yaml"},
		{[]string{"a/compose.override.yaml", "./a/compose.yaml"}, "./a/compose.yaml+a/compose.override.yaml"},
		{[]string{"a/compose.prod.yaml", "a/compose.override.yaml"}, "a/compose.prod.yaml a/compose.override.yaml"},
		{[]string{"a", "b/docker-compose.yml"}, "a/compose.prod.yaml a/compose.yaml+a/compose.override.yaml b/docker-compose.yml"},
	} {
		t.Chdir(dir)
		var places []Found
		for _, name := range one.names {
			found, err := Find(name)
			if err != nil {
				t.Fatal(err)
			}
			places = append(places, found)
		}
		Merge(places)
		var got []string
		for _, found := range places {
			for _, target := range found.Targets {
				name := target.Path
				if target.Override != "" {
					name += "+" + target.Override
				}
				got = append(got, name)
			}
		}
		if said := strings.Join(got, " "); said != one.want {
			t.Errorf("%q: %s, want %s", one.names, said, one.want)
		}
	}
}

// TestPatches: a Kustomization's patches are found as such, also where they are no objects, and where they are named.
func TestPatches(t *testing.T) {
	dir := t.TempDir()
	const object = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n"
	write(t, dir, map[string]string{
		"base/app.yaml": object, "base/kustomization.yaml": "resources: [app.yaml]\n", "both/kustomization.yaml": "resources: [app.yaml]\npatches: [{path: app.yaml}]\n", "both/app.yaml": object,
		"over/kustomization.yaml": "resources: [../base]\npatches:\n- path: app.yaml\n- path: ./more/op.yaml\n  target: {kind: Deployment}\n- path: ../shared/user.yaml\n- path: none.yaml\n- path: /etc/passwd\n",
		"over/app.yaml":           object, "over/own.yaml": object, "over/more/op.yaml": "- {op: remove, path: /spec}\n", "shared/user.yaml": object, "over/values.yaml": "x: y\n",
		"old/Kustomization": "patchesStrategicMerge: [app.yaml]\npatchesJson6902:\n- path: op.json\n", "old/app.yaml": object, "old/op.json": "[]",
		"in/kustomization.yml": "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\npatches:\n- patch: |-\n    - op: remove\n      path: /spec\n",
	})
	found, err := Find(dir)
	if err != nil {
		t.Fatal(err)
	}
	var patches, others []string
	for _, target := range found.Targets {
		rel, err := filepath.Rel(dir, target.Path)
		if err != nil || target.Kind != Manifest {
			t.Errorf("%+v, %v", target, err)
		}
		if target.Patch {
			patches = append(patches, rel)
		} else {
			others = append(others, rel)
		}
	}
	slices.Sort(patches)
	if got := strings.Join(patches, " "); got != "in/kustomization.yml old/app.yaml old/op.json over/app.yaml over/more/op.yaml shared/user.yaml" || found.Patches != len(patches) {
		t.Errorf("patches: %s, %d", got, found.Patches)
	}
	if got := strings.Join(others, " "); got != "base/app.yaml both/app.yaml over/own.yaml" {
		t.Errorf("others: %s", got)
	}
	for name, want := range map[string]bool{
		"over/app.yaml": true, "over/more/op.yaml": true, "over/own.yaml": false, "base/app.yaml": false, "old/app.yaml": true, "in/kustomization.yml": true, "over/kustomization.yaml": false,
		"shared/user.yaml": false, // what lies elsewhere isn't looked for
	} {
		found, err := Find(filepath.Join(dir, name))
		if err != nil || len(found.Targets) != 1 || found.Targets[0].Patch != want {
			t.Errorf("%s: %+v, %v, want %t", name, found, err, want)
		}
	}
}

// TestRoot: what a file refers to has to be in its repository, in the working directory, or in what was named.
func TestRoot(t *testing.T) {
	dir := real(t.TempDir())
	write(t, dir, map[string]string{"repo/.git/HEAD": "", "repo/a/b/x": "", "plain/a/b/x": "", "work/x": ""})
	for _, one := range [][4]string{
		{"work", "repo/a/b", "repo/a/b/x", "repo"},
		{"repo/a", "repo/a/b", "repo/a/b", "repo"},
		{".", "repo/a/b", "repo/a", "."},
		{"work", "plain/a/b", "plain/a/b/x", "plain/a/b"},
		{"work", "plain/a/b", "plain", "plain"},
		{"plain", "plain/a/b", "plain/a/b/x", "plain"},
	} {
		t.Chdir(filepath.Join(dir, one[0]))
		if got := Root(filepath.Join(dir, one[1]), filepath.Join(dir, one[2])); got != filepath.Join(dir, one[3]) {
			t.Errorf("%q: %s", one, got)
		}
	}
	t.Chdir("/")
	if got := Root(filepath.Join(dir, "plain/a"), filepath.Join(dir, "plain/a")); got != filepath.Join(dir, "plain/a") {
		t.Errorf("in /: %s", got)
	}
}

// TestLinks: of symbolic links, those to files of the repository are followed, unless the file is found by its own name.
func TestLinks(t *testing.T) {
	dir := initialized(t)
	write(t, dir, map[string]string{
		"common/base.df": "FROM debian\n", "common/Dockerfile": "FROM debian\n", "common/app": "apiVersion: v1\nkind: Pod\n", "common/values": "x: y\n", "d/x/Dockerfile": "FROM debian\n",
	})
	for name, to := range map[string]string{
		"a/Dockerfile": "../common/base.df", "b/Dockerfile": "../common/Dockerfile", "c/Dockerfile": "/etc/hostname", "c/gone.yaml": "none", "e": "d/x", "f/app.yaml": "../common/app", "f/values.yaml": "../common/values",
		"g/Dockerfile": "../common/base.df", "h/Dockerfile": "../d/x", "i/Dockerfile": "Dockerfile", "j/notes": "/etc/hostname",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	found, err := Find(dir)
	var names []string
	for _, f := range found.Targets {
		names = append(names, strings.TrimPrefix(f.Path, dir+"/"))
	}
	if got := strings.Join(names, " "); err != nil || got != "common/Dockerfile d/x/Dockerfile a/Dockerfile f/app.yaml" {
		t.Errorf("%s, %v", got, err)
	}
	if got := strings.ReplaceAll(strings.Join(found.Links, " "), dir+"/", ""); got != "c/Dockerfile" {
		t.Errorf("outside: %s", got)
	}
}

// TestExclude: what a pattern excludes is not looked at, whether git ignores it or not.
func TestExclude(t *testing.T) {
	dir := initialized(t)
	write(t, dir, map[string]string{"Dockerfile": "", "a/testdata/Dockerfile": "", "a/Dockerfile": "", "a/keep/Dockerfile": "", "b/c/Dockerfile.dev": "", "k/pod.yaml": "apiVersion: v1\nkind: Pod\n"})
	for _, one := range []struct {
		at, patterns, want string
	}{
		{"", "testdata/", "Dockerfile a/Dockerfile a/keep/Dockerfile b/c/Dockerfile.dev k/pod.yaml"},
		{"", "/a/* !/a/keep *.dev", "Dockerfile a/keep/Dockerfile k/pod.yaml"},
		{"a", "/testdata /keep", "a/Dockerfile"},
		{"", "*", "error"},
		{"", "#", "error"},
	} {
		found, err := Find(filepath.Join(dir, one.at), strings.Fields(one.patterns)...)
		var names []string
		for _, f := range found.Targets {
			names = append(names, strings.TrimPrefix(f.Path, dir+"/"))
		}
		got := strings.Join(names, " ")
		if err != nil {
			got = "error"
		}
		if got != one.want {
			t.Errorf("%+v: %s, %v", one, got, err)
		}
	}
}

// TestLikeCompose: a file with a name like Compose's is one if it says so.
func TestLikeCompose(t *testing.T) {
	dir := t.TempDir()
	const services = "services:\n  a: {image: x}\n"
	write(t, dir, map[string]string{"my-compose.yaml": services, "prod.compose.yml": services, "docker-stack.yml": services, "docker_compose.yaml": services, "services.yaml": services, "composer.json": "{}", "stack.yaml": "resolver: x\n", ".gitlab-ci.yml": services})
	found, err := Find(dir)
	var names []string
	for _, f := range found.Targets {
		if f.Kind != Compose {
			t.Errorf("%+v", f)
		}
		names = append(names, strings.TrimPrefix(f.Path, dir+"/"))
	}
	if got := strings.Join(names, " "); err != nil || got != "docker-stack.yml docker_compose.yaml my-compose.yaml prod.compose.yml" {
		t.Errorf("%s, %v", got, err)
	}
}

// TestGoesOn: a directory that can't be read is an error, and what lies behind it is found.
func TestGoesOn(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"a/x": "", "b/Dockerfile": "FROM debian\n"})
	t.Chdir(filepath.Join(dir, "a"))
	for range 25 { // until the path is longer than any that can be opened
		name := strings.Repeat("x", 200)
		if err := os.Mkdir(name, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := unix.Chdir(name); err != nil {
			t.Fatal(err)
		}
	}
	found, err := Find(dir)
	if err == nil || len(found.Targets) != 1 {
		t.Errorf("%d, %v", len(found.Targets), err)
	}
	if err := unix.Chdir(dir); err != nil {
		t.Fatal(err)
	}
}

// TestHook: the pre-commit hook gets the files whose names are enough for a scan, and no other: a file that is named has to be one.
func TestHook(t *testing.T) {
	text, err := os.ReadFile("../../.pre-commit-hooks.yaml")
	if err != nil {
		t.Fatal(err)
	}
	pattern := func(key string) *regexp.Regexp {
		m := regexp.MustCompile(`(?m)^  ` + key + `: (.*)$`).FindSubmatch(text)
		if m == nil {
			t.Fatal(key)
		}
		return regexp.MustCompile(string(m[1]))
	}
	files, exclude := pattern("files"), pattern("exclude")
	gets := func(name string) bool { return files.MatchString(name) && !exclude.MatchString(name) }
	for _, name := range []string{"Dockerfile", "a/Dockerfile.dev", "x.Dockerfile", "Containerfile", "compose.yaml", "a/docker-compose.yml", "docker-compose.override.yml", "compose-dev.yaml", "my-compose.yaml", "prod.compose.yml", "docker-stack.yml"} {
		if !gets(name) {
			t.Errorf("%s: left out", name)
		}
	}
	for _, name := range append([]string{"composer.yaml", "composer.json", "stack.yaml", "decompose.yaml", "Dockerfile-dev", "mydockerfile", "Dockerfile.dockerignore", "values.yaml", "Dockerfile.yaml"}, ofOthers...) {
		if strings.HasPrefix(name, ".") {
			name = "a/Dockerfile.dev" + name
		}
		if gets(name) {
			t.Errorf("%s: not left out", name)
		}
	}
}
