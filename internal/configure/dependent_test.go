// SPDX-License-Identifier: Apache-2.0

package configure

import (
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/nonroot-runc/nonroot-runc/internal/testkit"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

func TestDockerDependents(t *testing.T) {
	root := t.TempDir()
	if all, err := DockerDependents(DockerDataRoots(root), "nonroot"); err != nil || all != nil {
		t.Errorf("of none: %v, %v", all, err)
	}
	testkit.Write(t, root, map[string]string{
		"containers/a/hostconfig.json":               `{"Runtime": "nonroot"}`,
		"containers/a/config.v2.json":                `{"Name": "/web", "State": {"Running": true, "StartedAt": "2026-01-01T00:00:00Z"}}`,
		"containers/b/hostconfig.json":               `{"Runtime": "runc"}`,
		"containers/b/config.v2.json":                `{"Name": "/other"}`,
		"containers/c/hostconfig.json":               `{"Runtime": "nonroot"}`, // it is just being created or removed
		"containers/d/nothing":                       "",
		"300000.300000/containers/e/hostconfig.json": `{"Runtime": "nonroot"}`,
		"300000.300000/containers/e/config.v2.json":  `{"Name": "/mapped", "State": {"StartedAt": "0001-01-01T00:00:00Z"}}`,
	})
	all, err := DockerDependents(DockerDataRoots(root), "nonroot")
	if want := []Dependent{{"web", "running"}, {"c", "exited"}, {"mapped", "created"}}; err != nil || !reflect.DeepEqual(all, want) {
		t.Errorf("%v, %v", all, err)
	}
	testkit.Write(t, root, map[string]string{"containers/d/hostconfig.json": `{"Runtime": `})
	if all, err := DockerDependents([]string{root}, "nonroot"); err == nil {
		t.Errorf("a file that says nothing is passed over: %v", all)
	}
}

// TestCRIODependents: Debian has no CRI-O, so the state is that of runc and crun, in the form of CRI-O's runtime_root.
func TestCRIODependents(t *testing.T) {
	dir := t.TempDir()
	root := filepath.Join(dir, "run")
	dropIn := fmt.Appendf(nil, "[crio.runtime.runtimes.nonroot]\nruntime_path = \"/usr/bin/nonroot-runc\"\nruntime_root = %q\n", root)
	if all, err := CRIODependents(dropIn, "nonroot", trusted.CallersOwners(nil)); err != nil || all != nil {
		t.Errorf("of none: %v, %v", all, err)
	}
	testkit.Write(t, dir, map[string]string{
		"run/a/state.json": fmt.Sprintf(`{"id": "a", "init_process_pid": 1, "init_process_start": 1, "config": {"labels": ["bundle=%s/a"]}}`, dir),
		"run/b/status":     fmt.Sprintf(`{"pid": 1, "process-start-time": 1, "bundle": "%s/b"}`, dir),
		"run/c/lock":       "", // not a container
		"a/config.json": `{"annotations": {"io.kubernetes.pod.namespace": "prod", "io.kubernetes.pod.name": "db-0",
			"io.kubernetes.container.name": "db"}}`,
		"b/config.json": `{}`,
	})
	all, err := CRIODependents(dropIn, "nonroot", trusted.CallersOwners(nil))
	if want := []Dependent{{"prod/db-0/db", "running"}, {"b", "running"}}; err != nil || !reflect.DeepEqual(all, want) {
		t.Errorf("%v, %v", all, err)
	}
	if all, err := CRIODependents(dropIn, "other", trusted.CallersOwners(nil)); err != nil || all != nil {
		t.Errorf("of another name: %v, %v", all, err)
	}
}

func TestMonitored(t *testing.T) {
	const conmon = "/usr/bin/conmon --api-version 1 -c 1234 -u 1234 -r /usr/sbin/nonroot-runc -b /b -n web --exit-command /usr/bin/podman " +
		"--exit-command-arg --root --exit-command-arg /r --exit-command-arg --runtime --exit-command-arg nonroot --exit-command-arg container"
	for _, c := range []struct {
		line, want string
		ok         bool
	}{
		{conmon, "web", true},
		{strings.ReplaceAll(conmon, "conmon", "sleep"), "", false},
		{strings.ReplaceAll(conmon, "arg nonroot", "arg runc"), "web", false},
		{strings.ReplaceAll(conmon, "-n web", "-n nonroot"), "nonroot", true},
		{strings.ReplaceAll(conmon, "/r ", "-n "), "web", true}, // a value is not an option
		{conmon[:strings.Index(conmon, " nonroot ")], "web", false},
		{"conmon", "", false},
		{"", "", false},
	} {
		if got, ok := monitored(strings.Split(c.line, " "), "nonroot"); ok != c.ok || ok && got != c.want {
			t.Errorf("%q: %q, %v", c.line, got, ok)
		}
	}
}

func TestDefaults(t *testing.T) {
	for text, want := range map[string]string{
		"": " ", `{"default-runtime": "runc"}`: "runc ",
		`{"default-runtime":"nvidia","runtimes":{"nvidia":{"args":[],"path":"nvidia-container-runtime"}}}`: "nvidia nvidia-container-runtime",
	} {
		if name, program, err := DockerDefault([]byte(text)); err != nil || name+" "+program != want {
			t.Errorf("%s: %q %q, %v", text, name, program, err)
		}
	}
	for text, want := range map[string]string{
		"": " ", "[crio.runtime]\ndefault_runtime = \"crun\"\n": "crun ",
		"[crio.runtime]\ndefault_runtime = \"a\"\n|[crio.runtime]\ndefault_runtime = \"nvidia\"\n[crio.runtime.runtimes.nvidia]\nruntime_path = \"/n\"\n|[crio.runtime.runtimes.nvidia]\nmonitor_path = \"/m\"\n": "nvidia /n",
	} {
		var texts [][]byte
		for part := range strings.SplitSeq(text, "|") {
			texts = append(texts, []byte(part))
		}
		if name, program, err := CRIODefault(texts); err != nil || name+" "+program != want {
			t.Errorf("%s: %q %q, %v", text, name, program, err)
		}
	}
}
