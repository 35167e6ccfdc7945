// SPDX-License-Identifier: Apache-2.0

package check

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nonroot-runc/nonroot-runc/internal/explain"
	"github.com/nonroot-runc/nonroot-runc/internal/testkit"
)

// bundled checks a bundle with a config.json and a policy. Its rootfs has some files. /var/lib/example is a directory on the host that
// belongs to the user that runs the test, usually root.
func bundled(t *testing.T, config, policy string) Result {
	t.Helper()
	closed := filepath.Join(t.TempDir(), "example")
	testkit.Must(t, os.Mkdir(closed, 0o700), os.Chmod(filepath.Dir(closed), 0o755)) // #nosec G302 -- a host's
	text := []byte(strings.ReplaceAll(config, "/var/lib/example", closed))
	dir := testkit.Bundle(t, text, "etc/passwd = root:x:0:0::/root:/bin/sh\n", "usr/bin/app = x", "usr/bin/closed = x", "app/", "srv/data/ closed", "data/", "tmp/")
	testkit.Must(t, os.Chmod(filepath.Join(dir, "rootfs/usr/bin/closed"), 0o700), // #nosec G302 -- a program
		os.Chmod(filepath.Join(dir, "rootfs/tmp"), 0o777|os.ModeSticky)) // #nosec G302 -- an image's
	file := filepath.Join(t.TempDir(), "policy.toml")
	testkit.Must(t, os.WriteFile(file, []byte(policy), 0o600))
	report, err := explain.Bundle(dir, explain.Options{Policy: file})
	testkit.Must(t, err)
	return Bundle("bundle", text, report)
}

// config returns a config.json with more members, in its process and at its top.
func config(user, process, more string) string {
	return `{
  "ociVersion": "1.0.2",
  "process": {
    "user": {` + user + `},
    "args": ["/usr/bin/app"],
    "env": ["PATH=/usr/bin:/bin"],
    "cwd": "/"` + process + `
  },
  "root": {"path": "rootfs"},
  "linux": {"namespaces": [{"type": "mount"}, {"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"}]}` + more + `
}
`
}

// TestBundles: a bundle's verdict comes from config.json, and the policy's effect is the runtime's own decision. Findings are at the lines
// of their causes.
func TestBundles(t *testing.T) {
	const five, root = `"uid": 1005, "gid": 1005`, `"uid": 0, "gid": 0`
	for _, test := range []struct {
		config, policy string
		verdict        Verdict
		ids            string
		says           string // of the policy
		word           string // under the caret of the first finding
	}{
		{config(five, "", ""), "", NonRoot, "", "the policy runs it as 1005:1005: ", ""},
		{config(root, "", ""), "", Root, "bundle-runs-as-root", "the policy runs it as 65532:65532: ", "0"},
		{config(root, "", ""), "mode = \"audit\"", Root, "bundle-runs-as-root", "the policy leaves it as it is (mode audit)", "0"},
		{config(root, "", ""), "mode = \"refuse\"", Root, "bundle-refused bundle-runs-as-root", "the policy refuses it", "{"},
		{config(`"uid": 1005, "gid": 0`, "", ""), "", NonRoot, "bundle-root-group", "the policy runs it as 1005:65532: ", "0"},
		{config(`"uid": 1005, "gid": 1005, "additionalGids": [7, 0]`, "", ""), "", NonRoot, "bundle-root-group", "1005:1005", "0"},
		{strings.Replace(config(five, "", ""), "/usr/bin/app", "/usr/bin/closed", 1), "", NonRoot, "bundle-never-starts", "1005:1005", `"/usr/bin/closed"`},
		{strings.Replace(config(five, "", ""), `"/usr/bin/app"`, `"none"`, 1), "", NonRoot, "bundle-never-starts", "1005:1005", `"none"`},
		{strings.Replace(config(five, "", ""), `"/"`, `"/srv/data"`, 1), "", NonRoot, "closed-directory", "1005:1005", `"/srv/data"`},
		{config(five, "", `, "mounts": [{"destination": "/mnt", "type": "bind", "source": "/var/lib/example", "options": ["rbind"]}]`), "", NonRoot, "bundle-mount", "1005:1005", `"/mnt"`},
		{strings.Replace(config(five, "", ""), `"/usr/bin/app"`, `"/usr/bin/app", "--port", "80"`, 1), "mode = \"rewrite\"\n[adapt]\nlow_ports = false\n", NonRoot, "bundle-port", "1005:1005", `"80"`},
		{`{"ociVersion": "1.0.2", "process": {"user": {"uid": 0, "uid": 5}}}`, "", Invalid, "unreadable", "", ""},
		{`{"ociVersion": "1.0.2"}`, "", Invalid, "unreadable", "", ""},
		{config(five, "", "")[:40], "", Invalid, "unreadable", "", ""},
	} {
		r := bundled(t, test.config, test.policy)
		if got := strings.Join(idsOf(r), " "); r.Verdict != test.verdict || got != test.ids || !strings.HasPrefix(r.Policy, test.says) && !strings.Contains(r.Policy, " "+test.says+": ") {
			t.Errorf("%s%s: %s, %q, %q: %+v", test.config, test.policy, r.Verdict, got, r.Policy, r.Findings)
			continue
		}
		if test.word == "" {
			continue
		}
		if f := r.Findings[0]; f.Length == 0 || f.Source[f.Column-1:f.Column-1+f.Length] != test.word || f.File != "bundle/config.json" {
			t.Errorf("%s: %+v, want a caret below %s", test.config, f, test.word)
		}
	}
	// Many engines write config.json as one line, which is too long to read.
	line := strings.ReplaceAll(config(root, `, "padding": "`+strings.Repeat("x", maxSource)+`"`, ""), "\n", "")
	if r := bundled(t, line, ""); len(r.Findings) != 1 || r.Findings[0].Line != 1 || r.Findings[0].Source != "" || r.Findings[0].Length != 0 {
		t.Errorf("%+v", r.Findings)
	}
}

func FuzzBundlePlaces(f *testing.F) {
	f.Add([]byte(config(`"uid": 0`, "", "")))
	f.Add([]byte(`{"a":[{"b":1},[2,3]],"c":{"d":"e"}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		for pointer, at := range index(text) {
			if at[0] < 0 || at[0] > at[1] || at[1] > len(text) {
				t.Errorf("%s stands at %v of %d bytes", pointer, at, len(text))
			}
		}
	})
}
