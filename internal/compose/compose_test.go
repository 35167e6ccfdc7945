// SPDX-License-Identifier: Apache-2.0

package compose

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestIs(t *testing.T) {
	for text, want := range map[string]bool{"services:\n  a: {}": true, "name: x\nservices:": true, "x: y": false, " services:": false, "FROM services:": false, "{\n\"services\": {}}": true} {
		if Is([]byte(text)) != want {
			t.Errorf("%q: want %t", text, want)
		}
	}
	for name, want := range map[string]bool{"compose.yaml": true, "docker-compose.yml": true, "docker-compose.override.yml": true, "compose-dev.yaml": true, "composer.json": false, "compose.json": false, "my-compose.yaml": false} {
		if IsName(name) != want {
			t.Errorf("%q: want %t", name, want)
		}
	}
}

// TestLines: services, images and users have the right lines.
func TestLines(t *testing.T) {
	all, err := Read("compose.yaml", t.TempDir(), []byte("services:\n  a:\n    image: x\n    user: \"5\"\n  b:\n    build: .\n"), Options{})
	if err != nil || all[0].At.Line != 3 || all[0].UserAt.Line != 4 || all[1].At.Line != 5 {
		t.Errorf("%+v, %v", all, err)
	}
}

// list formats the numbers below n, with commas between them.
func list(n int, format string) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(format, i)
	}
	return strings.Join(all, ",")
}

// TestBounds: files that would take much time or memory are refused at once, and nothing is fetched.
func TestBounds(t *testing.T) {
	bomb := "x-a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
	for i := range 8 {
		n := string(rune('0' + i))
		m := string(rune('1' + i))
		bomb += "x-a" + m + ": &a" + m + " [" + strings.TrimSuffix(strings.Repeat("*a"+n+",", 10), ",") + "]\n"
	}
	for name, text := range map[string]string{
		"bytes":      "services:\n" + strings.Repeat("# x\n", MaxBytes/4),
		"anchors":    "services: {a: {image: x}}\n" + bomb,
		"depth":      "services: {a: {image: x, labels: " + strings.Repeat("[", 20000) + "}}\n",
		"extends":    "services:\n  b: {image: x, environment: {" + list(5000, "E%d: y") + "}}\n" + strings.ReplaceAll(list(300, "  s%d: {extends: b}"), ",", "\n") + "\n",
		"pre_start":  "services:\n  b: {image: x, environment: {" + list(5000, "E%d: y") + "}, pre_start: [" + list(100, "{command: c%d}") + "]}\n",
		"both":       "services:\n  b: {image: x, pre_start: [" + list(100, "{command: c%d}") + "]}\n" + strings.ReplaceAll(list(1000, "  s%d: {extends: b}"), ",", "\n") + "\n",
		"merges":     "x-e: &e {" + list(1000, "E%d: y") + "}\nservices:\n" + strings.ReplaceAll(strings.ReplaceAll(list(300, "  s%d: {image: x; environment: {<<: *e}}"), ",", "\n"), ";", ",") + "\n",
		"a far file": "include: [https://example.org/x.yaml]\nservices: {a: {image: x}}\n",
		"a far one":  "services: {a: {extends: {file: 'https://example.org/x.git', service: x}}}\n",
	} {
		if all, err := Read("compose.yaml", t.TempDir(), []byte(text), Options{}); err == nil {
			t.Errorf("%s: %+v", name, all)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("services:\n  a: {image: x, user: '0', volumes: ['data:/d'], post_start: [{command: x, user: root}]}\nvolumes: {data: {}}\n"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte) {
		if all, err := Read("compose.yaml", dir, text, Options{}); err == nil && len(all) == 0 {
			t.Error("nothing, and no error")
		}
	})
}

// TestEnv: the variables in .env next to the file count, and the environment takes precedence.
func TestEnv(t *testing.T) {
	for text, want := range map[string]string{
		"U=0\n": "0", "U='7:7' # x\n": "7:7", "G=5\nU=1:${G}\n": "1:5", "U=${GIVEN}\n": "9", "GIVEN=0\nU=$GIVEN\n": "9", "X=1\n": "1000", "": "1000",
		"A=" + strings.Repeat("x", 1000) + "\n" + strings.Repeat("A=$A$A\n", 40): "error", "U='\n": "error", strings.Repeat("#", maxEnv+1): "error",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, ".env"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got := "error"
		all, err := Read("compose.yaml", dir, []byte("services:\n  a: {image: x, user: \"${U:-1000}\"}\n"), Options{Environment: map[string]string{"GIVEN": "9"}})
		if err == nil {
			got = all[0].User
		}
		if got != want {
			t.Errorf("%.60q: %q, %v, want %q", text, got, err, want)
		}
	}
}

// TestNamedFiles: a named file that could never be read to its end is an error, unless it isn't read.
func TestNamedFiles(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"zero.yaml": "services:\n  x:\n    extends: {file: /dev/zero, service: x}\n", "plain.yaml": "services:\n  x: {image: y, user: '5'}\n",
		"sub/again.yaml": "include: [deep.yaml]\nservices:\n  x: {image: y}\n", "sub/deep.yaml": "include: [/dev/zero]\nservices:\n  z: {image: y}\n",
		"bomb/plain.yaml": "services:\n  x: {image: y}\n", "bomb/.env": "A=" + strings.Repeat("x", 1000) + "\n" + strings.Repeat("A=$A$A\n", 60),
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const rest = "\nservices:\n  a: {image: x}\n"
	for text, want := range map[string]bool{
		"services:\n  a:\n    extends: {file: /dev/zero, service: x}":                   false,
		"services:\n  a:\n    extends: {file: pipe, service: x}":                        false,
		"services:\n  a:\n    extends: {file: '${P}', service: x}":                      false,
		"services:\n  a:\n    extends: {file: zero.yaml, service: x}":                   false,
		"services:\n  a:\n    extends: {file: plain.yaml, service: x}":                  true,
		"x-x: &x {extends: {file: /dev/zero, service: x}}\nservices:\n  a:\n    <<: *x": false,
		"x-x: &x /dev/zero\nservices:\n  a:\n    extends: {file: *x, service: x}":       false,
		"include: [/dev/zero]" + rest:                                                   false,
		"x-x: &x {file: pipe, service: x}\nservices:\n  a:\n    extends: *x":            false,
		"x-x: &x {file: pipe, service: x}\nservices:\n  a:\n    extends: {<<: *x}":      false,
		"x-x: &x {file: plain.yaml, service: x}\nservices:\n  a:\n    extends: *x":      true,
		"x-x: &x extends\nservices:\n  a:\n    *x : {file: pipe, service: x}":           false,
		"x-x: &x [pipe]\ninclude: *x" + rest:                                            false,
		"include: [{path: [plain.yaml, pipe]}]" + rest:                                  false,
		"include: [{path: plain.yaml, env_file: /dev/zero}]" + rest:                     false,
		"include: [{path: plain.yaml, env_file: bomb/.env}]" + rest:                     false,
		"include: [{path: plain.yaml, project_directory: bomb}]" + rest:                 false,
		"include: [bomb/plain.yaml]" + rest:                                             false,
		"include: [sub/again.yaml]" + rest:                                              false,
		"include: [plain.yaml]" + rest:                                                  true,
		"include: [{path: plain.yaml, env_file: zero.yaml}, zero.yaml]" + rest:          false, // once as variables, once as services
		"services:\n  a: {image: x, label_file: /dev/zero, env_file: pipe}\n":           true,
	} {
		done := make(chan error, 1)
		go func() {
			_, err := Read("compose.yaml", dir, []byte(text), Options{Environment: map[string]string{"P": "/dev/zero"}})
			done <- err
		}()
		select {
		case err := <-done:
			if (err == nil) != want {
				t.Errorf("%s: %v", text, err)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("%s: it does not end", text)
		}
	}
}

// TestOverrides: an override file is merged into the project as docker compose does it, and each place has its file.
func TestOverrides(t *testing.T) {
	const base = "services:\n  a:\n    image: x\n    user: \"5\"\n    environment: {U: 1}\n  b:\n    image: y\n"
	for text, want := range map[string]string{
		"":                                                        "a x 5 0:3 0:4; b y  0:7 0:0",
		"services:\n  a:\n    user: root\n":                       "a x root 0:3 1:3; b y  0:7 0:0",
		"services:\n  b:\n    user: \"$U\"\n":                     "a x 5 0:3 0:4; b y 8 0:7 1:3",
		"services:\n\n  b: {image: z}\n":                          "a x 5 0:3 0:4; b z  1:3 0:0",
		"services:\n  c: {image: z, user: '0'}":                   "a x 5 0:3 0:4; b y  0:7 0:0; c z 0 1:2 1:2",
		"services:\n  a:\n    user: !reset null":                  "a x  0:3 1:3; b y  0:7 0:0",
		"services:\n  a: !override {image: z}":                    "a z  1:2 0:4; b y  0:7 0:0",
		"x-a: 1\n---\nservices:\n  b:\n    user: '9'\n":           "a x 5 0:3 0:4; b y 9 0:7 1:5",
		"services:\n  a:\n    pre_start: [{command: c}]\n":        "a x 5 0:3 0:4; a, pre_start 1 x 5 1:3 0:0; b y  0:7 0:0",
		"services: {a: {extends: {file: part.yaml, service: p}}}": "a p 3 1:1 0:0; b y  0:7 0:0",
		"services: {b: {extends: {file: part.yaml, service: p}}}": "a x 5 0:3 0:4; b p 3 1:1 0:0",
		"include: [/dev/zero]\n":                                  "error",
		"services:\n  a:\n    usr: root\n":                        "error",
		"services: [":                                             "error",
		"services:\n" + strings.Repeat("# x\n", MaxBytes/4):       "error",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "part.yaml"), []byte("services:\n  p: {image: p, user: '3'}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		var with []File
		if text != "" {
			with = []File{{"compose.override.yaml", []byte(text)}}
		}
		all, err := Read("compose.yaml", dir, []byte(base), Options{Environment: map[string]string{"U": "8"}, Overrides: with})
		var got []string
		for _, s := range all {
			got = append(got, fmt.Sprintf("%s %s %s %d:%d %d:%d", s.Name, s.Image, s.User, s.At.File, s.At.Line, s.UserAt.File, s.UserAt.Line))
		}
		said := strings.Join(got, "; ")
		if err != nil {
			said = "error"
		}
		if said != want {
			t.Errorf("%.60q: %s, %v, want %s", text, said, err, want)
		}
	}
}

// TestReadsOnce: a file that is named often is read once, and so are files that name each other.
func TestReadsOnce(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"a.yaml": "include: [b.yaml]\nservices: {a: {extends: {file: b.yaml, service: b}}}\n", "b.yaml": "services: {b: {image: x}}\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f := &projectFiles{root: dir, seen: map[string]*file{}}
	if err := f.guard(f.add("compose.yaml", []byte("include: [a.yaml, b.yaml]\nservices: {c: {extends: {file: a.yaml, service: a}}, d: {extends: {file: '${X:-b.yaml}', service: b}}}\n"))); err != nil {
		t.Fatal(err)
	}
	if len(f.seen) != 3 || f.reads != 2 {
		t.Errorf("%d files, %d times read", len(f.seen), f.reads)
	}
}

// TestOutside: no file outside of the root is read, also through a symbolic link, and not one of variables.
func TestOutside(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"out/part.yaml": "services: {p: {image: p, user: '3'}}\n", "out/s.env": "U=7\n", "root/shared/part.yaml": "services: {p: {image: p, user: '3'}}\n", "root/a/plain.yaml": "services: {q: {image: p, user: '$U'}}\n",
		"root/b/part.yaml": "include: [../../out/part.yaml]\nservices: {q: {image: p}}\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range map[string]string{"root/a/link.yaml": "../../out/part.yaml", "root/a/in.yaml": "../shared/part.yaml", "root/c/.env": "../../out/s.env", "root/d": "../out"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	const rest = "\nservices: {a: {image: x}}\n"
	for text, want := range map[string]bool{
		"include: [../shared/part.yaml]" + rest: true, "include: [in.yaml]" + rest: true, "include: [plain.yaml]" + rest: true,
		"include: [../../out/part.yaml]" + rest: false, "include: [" + dir + "/out/part.yaml]" + rest: false, "include: [link.yaml]" + rest: false, "include: [../d/part.yaml]" + rest: false,
		"include: [{path: plain.yaml, env_file: ../../out/s.env}]" + rest: false, "include: [../b/part.yaml]" + rest: false, "include: [{path: plain.yaml, project_directory: ../c}]" + rest: false,
		"services: {a: {extends: {file: ../../out/part.yaml, service: p}}}\n": false, "services: {a: {extends: {file: in.yaml, service: p}}}\n": true,
	} {
		_, err := Read("compose.yaml", filepath.Join(dir, "root/a"), []byte(text), Options{Root: filepath.Join(dir, "root")})
		if (err == nil) != want {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := Read("compose.yaml", filepath.Join(dir, "root/c"), []byte("services: {a: {image: x, user: '$U'}}"), Options{Root: filepath.Join(dir, "root")}); err == nil {
		t.Error("the .env of another directory is read")
	}
}

// TestIncluded: a service of an included file has its place there.
func TestIncluded(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"top/one/compose.yaml": "include: [../two.yaml]\nservices:\n  one:\n    image: x\n    user: root\n", "top/two.yaml": "services:\n\n\n  two: {image: y}\n", "top/over.yaml": "services:\n  two:\n    user: '3'\n",
		"top/part.yaml": "services:\n  two: {image: z}\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	for text, want := range map[string]string{
		"services: {a: {extends: {file: part.yaml, service: two}}}\ninclude: [one/compose.yaml]\n": "a compose.yaml:1 compose.yaml:0; one top/one/compose.yaml:4 top/one/compose.yaml:5; two top/two.yaml:4 compose.yaml:0",
		"include: [{path: [two.yaml, over.yaml]}]\n":                                               "two top/two.yaml:4 top/over.yaml:3",
		"services: {a: {image: x}}\n":                                                              "a compose.yaml:1 compose.yaml:0",
	} {
		all, files, err := ReadAll("compose.yaml", "top", []byte(text), Options{})
		var got []string
		for _, s := range all {
			name := func(n int) string {
				if n == 0 {
					return "compose.yaml"
				}
				return files[n-1].Name
			}
			got = append(got, fmt.Sprintf("%s %s:%d %s:%d", s.Name, name(s.At.File), s.At.Line, name(s.UserAt.File), s.UserAt.Line))
		}
		if said := strings.Join(got, "; "); err != nil || said != want {
			t.Errorf("%s: %s, %v, want %s", text, said, err, want)
		}
	}
}
