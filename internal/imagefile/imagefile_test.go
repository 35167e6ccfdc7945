// SPDX-License-Identifier: Apache-2.0

package imagefile

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/nonroot-runc/nonroot-runc/internal/testkit"
)

func archived(t *testing.T, text []byte) ([]*Image, error) {
	t.Helper()
	return Archive(bytes.NewReader(text), int64(len(text)))
}

func one(t *testing.T, text []byte) *Image {
	t.Helper()
	all, err := archived(t, text)
	if err != nil || len(all) != 1 {
		t.Fatalf("%d images, %v", len(all), err)
	}
	return all[0]
}

func gzipped(t testing.TB, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zstded(t testing.TB, text []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(text, nil)
}

// kept returns the entries of a tree, without directories that no layer mentions.
func kept(im *Image) string {
	var all []string
	im.Tree.Walk(func(p string, e *Entry) {
		if p != "/" {
			all = append(all, fmt.Sprintf("%s %d:%d %04o", p, e.UID, e.GID, e.Mode))
		}
	})
	return strings.Join(all, "; ")
}

// TestForms reads the same image in each format.
func TestForms(t *testing.T) {
	layers := [][]byte{
		testkit.Layer(t, "etc/", "etc/passwd: root:x:0:0::/:/bin/sh\\napp:x:5:6::/:", "etc/group: app:x:6:", "usr/bin/su 0:0 4755", "usr/bin/plain 0:0 0755", "srv/ 5:6 0750"),
		testkit.Layer(t, "start.sh 0:0 0755: #!/bin/sh", "bin/ping 0:0 0755 caps"),
	}
	config := map[string]any{"User": "app", "Entrypoint": []string{"/start.sh"}}
	packed := [][]byte{gzipped(t, layers[0]), zstded(t, layers[1])}
	docker, oci := testkit.DockerArchive(t, "a:1", config, layers...), testkit.OCIArchive(t, "a:1", config, packed, layers...)
	both := testkit.OCIArchive(t, "a:1", config, layers, layers...)
	text := testkit.ImageConfig(t, config, layers...)
	both.Add("manifest.json", testkit.JSON(t, []map[string]any{{"Config": "blobs/sha256/" + testkit.Sum(text), "RepoTags": []string{"a:1"}, "Layers": []string{"blobs/sha256/" + testkit.Sum(layers[0]), "blobs/sha256/" + testkit.Sum(layers[1])}}}))
	dir := t.TempDir()
	for i, name := range oci.Names {
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, oci.Texts[i], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	layout, err := Layout(dir)
	if err != nil || len(layout) != 1 {
		t.Fatal(len(layout), err)
	}
	const want = "/bin 0:0 0755; /bin/ping 0:0 0755; /etc 0:0 0755; /etc/group 0:0 0644; /etc/passwd 0:0 0644; /srv 5:6 0750; /start.sh 0:0 0755; /usr 0:0 0755; /usr/bin 0:0 0755; /usr/bin/su 0:0 4755"
	for form, im := range map[string]*Image{"docker": one(t, docker.Tar(t)), "oci": one(t, oci.Tar(t)), "both": one(t, both.Tar(t)), "layout": layout[0]} {
		passwd, group := im.Accounts()
		e, _ := im.Tree.At("/start.sh")
		ping, _ := im.Tree.At("/bin/ping")
		if got := kept(im); got != want || im.Name != "a:1" || im.Config.Config.User != "app" || !strings.Contains(string(passwd), "app:x:5:6") || string(group) != "app:x:6:\n" ||
			string(e.Text) != "#!/bin/sh\n" || !ping.Caps {
			t.Errorf("%s: %s, %+v", form, got, im)
		}
	}
}

// TestTwo: an archive with two manifests that disagree has two images.
func TestTwo(t *testing.T) {
	layer := testkit.Layer(t, "x/")
	m := testkit.OCIArchive(t, "oci", map[string]any{"User": "0"}, [][]byte{layer}, layer)
	other := testkit.DockerArchive(t, "docker", map[string]any{"User": "1"}, layer)
	for i, name := range other.Names {
		m.Add(name, other.Texts[i])
	}
	all, err := archived(t, m.Tar(t))
	if err != nil || len(all) != 2 || all[0].Config.Config.User == all[1].Config.Config.User {
		t.Errorf("%+v, %v", all, err)
	}
}

// TestLayers: upper layers add, hide or remove entries of lower ones.
func TestLayers(t *testing.T) {
	base := []string{"a/ 1:1 0700", "a/su 0:0 4755", "a/b/ 2:2 0755", "a/b/su2 0:0 4755", "link -> a", "etc/passwd: x:x:1:1::/:", "real/passwd: y:y:2:2::/:"}
	for name, test := range map[string]struct {
		upper []string
		want  string
	}{
		"nothing":                    {nil, "/a 1:1 0700; /a/b 2:2 0755; /a/b/su2 0:0 4755; /a/su 0:0 4755"},
		"a file is gone":             {[]string{"a/.wh.su"}, "/a 1:1 0700; /a/b 2:2 0755; /a/b/su2 0:0 4755"},
		"a directory is gone":        {[]string{"a/.wh.b"}, "/a 1:1 0700; /a/su 0:0 4755"},
		"all below is gone":          {[]string{"a/.wh..wh..opq"}, "/a 1:1 0700"},
		"but for what is new":        {[]string{"a/new/ 5:5 0755", "a/.wh..wh..opq", "a/b/new/ 5:5 0755"}, "/a 1:1 0700; /a/b 0:0 0755; /a/b/new 5:5 0755; /a/new 5:5 0755"},
		"a whiteout behind the new":  {[]string{"a/b/ 7:7 0755", "a/.wh.b"}, "/a 1:1 0700; /a/b 7:7 0755; /a/su 0:0 4755"},
		"a plain file covers it":     {[]string{"a/su 0:0 0755"}, "/a 1:1 0700; /a/b 2:2 0755; /a/b/su2 0:0 4755"},
		"a file covers a directory":  {[]string{"a/b 0:0 0644"}, "/a 1:1 0700; /a/su 0:0 4755"},
		"a directory covers a file":  {[]string{"a/su/ 0:0 0755"}, "/a 1:1 0700; /a/b 2:2 0755; /a/b/su2 0:0 4755; /a/su 0:0 0755"},
		"a directory has others":     {[]string{"a/ 9:9 0711"}, "/a 9:9 0711; /a/b 2:2 0755; /a/b/su2 0:0 4755; /a/su 0:0 4755"},
		"through a link":             {[]string{"link/c/ 3:3 0755"}, "/a 1:1 0700; /a/b 2:2 0755; /a/b/su2 0:0 4755; /a/c 3:3 0755; /a/su 0:0 4755"},
		"a hard link to a privilege": {[]string{"d => a/su 0:0 4755"}, "/a 1:1 0700; /a/b 2:2 0755; /a/b/su2 0:0 4755; /a/su 0:0 4755; /d 0:0 4755"},
		"a hard link that changes":   {[]string{"d => a/su 3:3 0755"}, "/a 1:1 0700; /a/b 2:2 0755; /a/b/su2 0:0 4755; /a/su 3:3 0755"},
		"a hard link that gives":     {[]string{"a/x 0:0 0755", "d => a/x 0:0 4755"}, "/a 1:1 0700; /a/b 2:2 0755; /a/b/su2 0:0 4755; /a/su 0:0 4755; /a/x 0:0 4755; /d 0:0 4755"},
		"AUFS' own":                  {[]string{"a/.wh..wh.plnk"}, "/a 1:1 0700; /a/b 2:2 0755; /a/b/su2 0:0 4755; /a/su 0:0 4755"},
		"a whiteout of nothing":      {[]string{"no/.wh.x", "a/.wh.none", ".wh.none"}, "/a 1:1 0700; /a/b 2:2 0755; /a/b/su2 0:0 4755; /a/su 0:0 4755"},
	} {
		im := one(t, testkit.DockerArchive(t, "x", nil, testkit.Layer(t, base...), testkit.Layer(t, test.upper...)).Tar(t))
		var got []string
		for part := range strings.SplitSeq(kept(im), "; ") {
			if strings.HasPrefix(part, "/a") || strings.HasPrefix(part, "/d") {
				got = append(got, part)
			}
		}
		if s := strings.Join(got, "; "); s != test.want {
			t.Errorf("%s: %s, want %s", name, s, test.want)
		}
		seen := 0
		im.Tree.Walk(func(string, *Entry) { seen++ })
		if seen != im.Tree.nodes+1 {
			t.Errorf("%s: %d nodes are counted, and %d are there", name, im.Tree.nodes, seen-1)
		}
	}
	for link, want := range map[string]string{"../real/passwd": "y", "/real/passwd": "y", "/../../real/passwd": "y", "passwd": "", "/none": "", "/etc": ""} {
		im := one(t, testkit.DockerArchive(t, "x", nil, testkit.Layer(t, base...), testkit.Layer(t, "etc/passwd -> "+link)).Tar(t))
		if passwd, _ := im.Accounts(); !strings.HasPrefix(string(passwd), want) || want == "" && passwd != nil {
			t.Errorf("etc/passwd -> %s: %q", link, passwd)
		}
	}
}

// TestRefused: invalid and inconsistent images have an error that explains it.
func TestRefused(t *testing.T) {
	layer := testkit.Layer(t, "x/")
	config := testkit.ImageConfig(t, nil, layer)
	manifest := func(layers []string, config string) []byte {
		return testkit.JSON(t, []map[string]any{{"Config": config, "Layers": layers}})
	}
	with := func(change func(m *testkit.Members)) []byte {
		m := &testkit.Members{}
		m.Add("l.tar", layer)
		m.Add("c.json", config)
		change(m)
		return m.Tar(t)
	}
	names := func(lines ...string) []byte {
		return testkit.DockerArchive(t, "x", nil, testkit.Layer(t, lines...)).Tar(t)
	}
	broken := gzipped(t, layer)
	var deep []string
	for range maxDepth + 2 {
		deep = append(deep, "d")
	}
	for name, test := range map[string]struct {
		text []byte
		want string
	}{
		"nothing":          {nil, "neither manifest.json nor index.json"},
		"no archive":       {[]byte(strings.Repeat("no archive", 1000)), "not an archive of an image"},
		"another archive":  {testkit.Layer(t, "x/"), "neither"},
		"no such layer":    {with(func(m *testkit.Members) { m.Add("manifest.json", manifest([]string{"none"}, "c.json")) }), "no member"},
		"too few layers":   {with(func(m *testkit.Members) { m.Add("manifest.json", manifest(nil, "c.json")) }), "names 0 layers, and its configuration 1"},
		"no configuration": {with(func(m *testkit.Members) { m.Add("manifest.json", manifest([]string{"l.tar"}, "none")) }), "no member"},
		"another one": {with(func(m *testkit.Members) {
			m.Add(strings.Repeat("0", 64)+".json", config)
			m.Add("manifest.json", manifest([]string{"l.tar"}, strings.Repeat("0", 64)+".json"))
		}), "other content than its digest"},
		"no layer": {with(func(m *testkit.Members) { m.Add("manifest.json", manifest([]string{"c.json"}, "c.json")) }), "its layer"},
		"no JSON":  {with(func(m *testkit.Members) { m.Add("manifest.json", []byte("{")) }), "manifest.json"},
		"no image": {with(func(m *testkit.Members) { m.Add("manifest.json", []byte("[]")) }), "no image"},
		"a digest that leads": {with(func(m *testkit.Members) {
			m.Add("index.json", []byte(`{"manifests":[{"digest":"sha256:../../../etc/passwd"}]}`))
		}), "not a digest"},
		"out of it":        {names("../../etc/passwd: root::0:0::/:"), "leads out"},
		"out of it inside": {names("a/../../b"), "leads out"},
		"deep":             {names(strings.Join(deep, "/") + "/"), "parts"},
		"cut off":          {with(func(m *testkit.Members) { m.Add("manifest.json", manifest([]string{"l.tar"}, "c.json")) })[:700], ""},
		"broken gzip":      {testkit.OCIArchive(t, "x", nil, [][]byte{broken[:len(broken)-20]}, layer).Tar(t), "its layer"},
	} {
		all, err := archived(t, test.text)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, %v, want %q", name, all, err, test.want)
		}
	}
	index := []byte(`{"manifests":[{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"sha256:%s"}]}`)
	m := &testkit.Members{}
	last := []byte("{}")
	for range 7 {
		m.Add("blobs/sha256/"+testkit.Sum(last), last)
		last = fmt.Appendf(nil, string(index), testkit.Sum(last))
	}
	m.Add("index.json", last)
	if _, err := archived(t, m.Tar(t)); err == nil || !strings.Contains(err.Error(), "lead to one another") {
		t.Errorf("indexes in indexes: %v", err)
	}
}

// zeros reads zeros.
type zeros struct{ left int64 }

func (z *zeros) Read(p []byte) (int, error) {
	if z.left <= 0 {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), z.left))
	clear(p[:n])
	z.left -= int64(n)
	return n, nil
}

// TestBomb: reading stops in a layer that unpacks to far more than its size.
func TestBomb(t *testing.T) {
	var b bytes.Buffer
	z, err := zstd.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(z)
	const size = 40 << 20
	if err := w.WriteHeader(&tar.Header{Name: "x", Size: size, Typeflag: tar.TypeReg}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(w, &zeros{size}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if b.Len() > 1<<20 {
		t.Fatalf("it weighs %d", b.Len())
	}
	m := testkit.OCIArchive(t, "x", nil, [][]byte{b.Bytes()}, nil)
	a := archive{file: bytes.NewReader(m.Tar(t)), members: map[string]member{}}
	if _, err := archived(t, m.Tar(t)); err != nil {
		t.Errorf("what is not that much: %v", err)
	}
	text := m.Tar(t)
	for i, name := range m.Names {
		a.members[name] = member{at: int64(bytes.Index(text, m.Texts[i])), size: int64(len(m.Texts[i]))}
	}
	_, err = bound(1 << 20).read(a)
	if err == nil || !strings.Contains(err.Error(), "far more than it weighs") {
		t.Errorf("%v", err)
	}
}

// TestLayersAgain: images that use a layer many times share one limit.
func TestLayersAgain(t *testing.T) {
	layer := gzipped(t, testkit.Layer(t, append([]string{"big: " + strings.Repeat("x", 512<<10)}, "a/")...))
	var names, sums []string
	for range 100 {
		names, sums = append(names, "l.tar"), append(sums, "sha256:"+strings.Repeat("0", 64))
	}
	m := &testkit.Members{}
	m.Add("l.tar", layer)
	m.Add("c.json", testkit.JSON(t, map[string]any{"os": "linux", "rootfs": map[string]any{"diff_ids": sums}}))
	m.Add("manifest.json", testkit.JSON(t, []map[string]any{{"Config": "c.json", "Layers": names}}))
	text := m.Tar(t)
	a := archive{file: bytes.NewReader(text), members: map[string]member{}}
	for i, name := range m.Names {
		a.members[name] = member{at: int64(bytes.Index(text, m.Texts[i])), size: int64(len(m.Texts[i]))}
	}
	if _, err := bound(1 << 20).read(a); err == nil || !strings.Contains(err.Error(), "unpack to far more than they weigh") {
		t.Errorf("%v", err)
	}
	if _, err := archived(t, text); err != nil {
		t.Errorf("what is not that much: %v", err)
	}
	few := &pool{entries: 3, bytes: 1 << 30, seen: map[string]bool{}}
	tree := newTree(nil, nil, few)
	if err := tree.apply(0, bytes.NewReader(testkit.Layer(t, "a/", "b/", "c/", "d/"))); err == nil || !strings.Contains(err.Error(), "too often") {
		t.Errorf("%v", err)
	}
}

// TestTexts: many files with names like passwd do not fill the memory.
func TestTexts(t *testing.T) {
	var lines []string
	for n := range 40 {
		lines = append(lines, fmt.Sprintf("d%d/passwd: %s", n, strings.Repeat("x", 900<<10)))
	}
	if _, err := archived(t, testkit.DockerArchive(t, "x", nil, testkit.Layer(t, lines...)).Tar(t)); err == nil || !strings.Contains(err.Error(), "named like accounts") {
		t.Errorf("%v", err)
	}
}

// TestLinkedAccounts: accounts may be links to files with any name, before or after the link.
func TestLinkedAccounts(t *testing.T) {
	const text = "x: app:x:5:5::/:"
	for _, lines := range [][]string{
		{"etc/passwd -> /store/x", "store/" + text},
		{"store/" + text, "etc/passwd -> ../store/x"},
		{"store/" + text, "etc/passwd => store/x"},
		{"etc -> store", "store/passwd -> y", "store/y -> x", "store/" + text},
		{"lib -> usr/lib", "usr/lib/" + text, "etc/passwd -> /lib/x"},
	} {
		im := one(t, testkit.DockerArchive(t, "x", nil, testkit.Layer(t, lines...)).Tar(t))
		if passwd, _ := im.Accounts(); !strings.HasPrefix(string(passwd), "app:") {
			t.Errorf("%q: %q", lines, passwd)
		}
	}
}

// TestWindows: an image is for Windows only if its files are.
func TestWindows(t *testing.T) {
	for _, test := range []struct {
		lines []string
		want  string
	}{{[]string{"etc/passwd: x"}, "linux"}, {[]string{"Files/Windows/", "Hives/x: y"}, "windows"}, {[]string{"Files/", "bin/sh: x"}, "linux"}, {nil, "windows"}} {
		layer := testkit.Layer(t, test.lines...)
		m := &testkit.Members{}
		m.Add("l.tar", layer)
		m.Add("c.json", testkit.JSON(t, map[string]any{"os": "windows", "rootfs": map[string]any{"diff_ids": []string{"a", "b"}}}))
		m.Add("manifest.json", testkit.JSON(t, []map[string]any{{"Config": "c.json", "Layers": []string{"windows.tar", "l.tar"}}}))
		if test.want == "linux" {
			m.Add("windows.tar", testkit.Layer(t, "Files/"))
		}
		if im := one(t, m.Tar(t)); im.OS != test.want {
			t.Errorf("%q: %s", test.lines, im.OS)
		}
	}
}

// TestMany: an image with too many entries to keep is refused, but not one with many files that do not matter. Both take little memory.
func TestMany(t *testing.T) {
	layer := func(kind byte, n int) []byte {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for i := range n {
			if err := w.WriteHeader(&tar.Header{Name: fmt.Sprintf("usr/%d/%d", i/1000, i), Typeflag: kind, Mode: 0o755}); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	files := testkit.DockerArchive(t, "x", nil, layer(tar.TypeReg, 200_000)).Tar(t)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	all, err := archived(t, files)
	runtime.GC()
	runtime.ReadMemStats(&after)
	if err != nil || all[0].Tree.nodes > 1000 {
		t.Errorf("%v", err)
	}
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 8<<20 {
		t.Errorf("%d bytes stay", grown)
	}
	runtime.KeepAlive(all)
	if _, err := archived(t, testkit.DockerArchive(t, "x", nil, layer(tar.TypeDir, maxNodes+1)).Tar(t)); err == nil || !strings.Contains(err.Error(), "has more than") {
		t.Errorf("%v", err)
	}
}

func FuzzArchive(f *testing.F) {
	layer := testkit.Layer(f, "a/", "a/su 0:0 4755", "l -> a", "etc/passwd: x:x:1:1::/:", "a/.wh.su", "b => a/su")
	f.Add(testkit.DockerArchive(f, "x", map[string]any{"User": "x"}, layer, layer).Tar(f))
	f.Add(testkit.OCIArchive(f, "x", nil, [][]byte{gzipped(f, layer), zstded(f, layer)}, layer, layer).Tar(f))
	f.Fuzz(func(t *testing.T, text []byte) {
		all, err := Archive(bytes.NewReader(text), int64(len(text)))
		if err != nil {
			return
		}
		for _, im := range all {
			var names []string
			im.Tree.Walk(func(p string, _ *Entry) { names = append(names, p) })
			if im.Tree.nodes+1 != len(names) || slices.ContainsFunc(names, func(p string) bool { return strings.Contains(p, "/../") }) {
				t.Errorf("%d: %q", im.Tree.nodes, names)
			}
			im.Accounts()
		}
	})
}
