// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	osexec "os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestDependencies compares docs/dependencies.md with the modules that each program links, and whether our own code
// imports them.
func TestDependencies(t *testing.T) {
	document := paper(t, "docs/dependencies.md")
	for _, program := range []string{"nonroot-runc", "nonroot-ctl", "nonroot-node"} {
		_, part, found := strings.Cut(document, "\n## "+program+"\n")
		if !found {
			t.Fatalf("no part about %s", program)
		}
		part, _, _ = strings.Cut(part, "\n## ")
		var said []string
		for _, m := range regexp.MustCompile(`(?m)^\| ([a-z0-9]+(?:\.[a-z0-9]+)+/[^ ]+) \| ([^|]+) \| \d+ \| [^|]{3,} \| [^|]{3,} \|$`).FindAllStringSubmatch(part, -1) {
			said = append(said, fmt.Sprintf("%s direct=%t", m[1], m[2] == "yes"))
		}
		slices.Sort(said)
		if linked := linkedModules(t, program); !slices.Equal(said, linked) {
			t.Errorf("%s: docs/dependencies.md names\n  %s\nand linked are\n  %s", program, strings.Join(said, "\n  "), strings.Join(linked, "\n  "))
		}
	}
}

// linkedModules asks go for the modules with a package in the program, and whether a package of ours imports it.
func linkedModules(t *testing.T, program string) []string {
	t.Helper()
	const format = `{{with .Module}}{{if .Main}}{{range $.Imports}}import {{.}}{{"\n"}}{{end}}{{else}}module {{.Path}}{{"\n"}}{{end}}{{end}}`
	cmd := osexec.Command("go", "list", "-tags", "urfave_cli_no_docs", "-deps", "-f", format, "../"+program)
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0", "GOFLAGS=") // as hack/build does
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var imports, modules []string
	for line := range strings.Lines(string(out)) {
		kind, path, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch kind {
		case "import":
			imports = append(imports, path)
		case "module":
			modules = append(modules, path)
		}
	}
	slices.Sort(modules)
	modules = slices.Compact(modules)
	for i, m := range modules {
		direct := slices.ContainsFunc(imports, func(p string) bool { return p == m || strings.HasPrefix(p, m+"/") })
		modules[i] = fmt.Sprintf("%s direct=%t", m, direct)
	}
	return modules
}

// TestNoCluster: packages that talk to a cluster or to systemd stay in nonroot-node, a program that no container waits
// for. nonroot-ctl reads manifests with the API server's YAML, and knows Pod Security by its library and the types that
// it needs; nothing of Kubernetes is in nonroot-runc.
func TestNoCluster(t *testing.T) {
	speaks := regexp.MustCompile(`^(k8s\.io/(client-go|cri-api|apiserver|kubernetes)|google\.golang\.org/grpc|github\.com/(prometheus|coreos|godbus))(/| )`)
	kubernetes := regexp.MustCompile(`^(k8s\.io|sigs\.k8s\.io)/`)
	seen := false
	for _, program := range []string{"nonroot-runc", "nonroot-ctl", "nonroot-node"} {
		for _, module := range linkedModules(t, program) {
			seen = seen || speaks.MatchString(module)
			if program == "nonroot-ctl" && speaks.MatchString(module) || program == "nonroot-runc" && (speaks.MatchString(module) || kubernetes.MatchString(module)) {
				t.Errorf("%s is linked into %s", module, program)
			}
		}
	}
	if !seen {
		t.Error("not even nonroot-node speaks to a cluster")
	}
}

// TestStartUp refuses packages that would cost each call of the runtime a tenth of a millisecond or more when they are
// loaded (GODEBUG=inittrace=1), whether or not they are used.
func TestStartUp(t *testing.T) {
	cmd := osexec.Command("go", "list", "-deps", ".")
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0", "GOFLAGS=") // as hack/build does
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for loaded := range strings.FieldsSeq(string(out)) {
		if slices.Contains([]string{"net", "os/exec", "regexp", "text/template"}, loaded) {
			t.Errorf("%s is linked into nonroot-runc", loaded)
		}
	}
}
