// SPDX-License-Identifier: Apache-2.0

// Command peers holds nonroot-ctl check against other tools on the same files, and prints the tables of docs/check.md. Every tool is run;
// one that is not there has a row that says so, and no answer is made up for it. The right answers are those of internal/dockerfile's
// corpus (BuildKit's front end) and of internal/check's hazards.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/nonroot-runc/nonroot-runc/internal/imageuser"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: peers NONROOT-CTL DIRECTORY-OF-PEERS")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

// answer is what a tool says of a file.
type answer struct {
	verdict string   // root, non-root, unknown, never starts, invalid; "": it has no opinion
	rules   []string // what it reports
}

// tool is one that is compared.
type tool struct {
	name string
	run  func(files []string) (map[string]answer, error) // nil: it is not there
	why  string                                          // it is not, or what its verdict is taken from
}

func run(ctl, peers string) error {
	dir, err := os.MkdirTemp("", "nonroot-peers-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) // a directory of temporary files
	tools := []tool{
		{"nonroot-ctl check", func(files []string) (map[string]answer, error) { return ours(ctl, dir, files) }, ""},
		{"Trivy config", nil, "it is not built here"},
		{"BuildKit's checks", func(files []string) (map[string]answer, error) {
			return buildkit(filepath.Join(peers, "checks"), files)
		}, "no rule is about root"},
		{"dockerfilelint", nil, "it is not installed here"},
		{"KICS", nil, "it is not built here"},
	}
	if kics := filepath.Join(peers, "kics"); there(kics) && there(filepath.Join(peers, "kics-queries")) {
		tools[4].run, tools[4].why = func(files []string) (map[string]answer, error) {
			return kicsScan(kics, filepath.Join(peers, "kics-queries"), dir, files)
		}, "root by two of its rules"
	}
	if trivy := filepath.Join(peers, "trivy"); there(trivy) {
		tools[1].run, tools[1].why = func(files []string) (map[string]answer, error) { return trivyConfig(trivy, dir, files) }, "root by its rule DS-0002"
	}
	if lint := filepath.Join(peers, "node_modules/.bin/dockerfilelint"); there(lint) {
		tools[3].run, tools[3].why = func(files []string) (map[string]answer, error) { return dockerfilelint(lint, files) }, "no rule is about root"
	}
	if err := dockerfiles(dir, tools); err != nil {
		return err
	}
	if err := hazards(dir, tools); err != nil {
		return err
	}
	return manifests(ctl, peers, dir)
}

func there(name string) bool { _, err := os.Stat(name); return err == nil }

// corpusUser is who BuildKit says that an image runs as.
type corpusUser struct {
	User                    string
	Invalid, Error, Unknown bool
}

func (u corpusUser) verdict() string {
	switch {
	case u.Invalid || u.Error:
		return "invalid"
	case u.Unknown:
		return "unknown"
	}
	switch imageuser.Read(u.User).Kind {
	case imageuser.Root:
		return "root"
	case imageuser.Invalid:
		return "never starts"
	}
	return "non-root"
}

// dockerfiles counts right verdicts about the corpus, of the files that need no option and no base but Debian's: others can't be told
// that of the corpus's own images.
func dockerfiles(dir string, tools []tool) error {
	corpus, err := txtar.ParseFile("internal/dockerfile/testdata/corpus.txtar")
	if err != nil {
		return err
	}
	answers := map[string]corpusUser{}
	text, err := os.ReadFile("internal/dockerfile/testdata/answers.json")
	if err == nil {
		err = json.Unmarshal(text, &answers)
	}
	if err != nil {
		return err
	}
	options := map[string]bool{}
	for _, f := range corpus.Files {
		if name, ok := strings.CutSuffix(f.Name, ".options"); ok {
			options[name] = true
		}
	}
	var files []string
	want := map[string]string{}
	for _, f := range corpus.Files {
		if strings.HasSuffix(f.Name, ".options") || options[f.Name] || ownImage(string(f.Data)) {
			continue
		}
		name, err := write(filepath.Join(dir, "corpus", f.Name), f.Data)
		if err != nil {
			return err
		}
		files = append(files, name)
		want[name] = answers[f.Name].verdict()
		if user := imageuser.Read(answers[f.Name].User); user.Kind == imageuser.Name && strings.HasPrefix(string(f.Data), "FROM scratch\n") {
			want[name] = "never starts" // nothing has accounts there
		}
	}
	kinds := []string{"root", "non-root", "unknown", "never starts", "invalid"}
	total := map[string]int{}
	for _, name := range files {
		total[want[name]]++
	}
	fmt.Printf("| of %d Dockerfiles | right |", len(files))
	for _, k := range kinds {
		fmt.Printf(" %s (%d) |", k, total[k])
	}
	fmt.Printf("\n|---|---|%s\n", strings.Repeat("---|", len(kinds)))
	for _, t := range tools {
		if t.run == nil {
			fmt.Printf("| %s | not run: %s |%s\n", t.name, t.why, strings.Repeat(" |", len(kinds)))
			continue
		}
		got, err := t.run(files)
		if err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		right := map[string]int{}
		sum := 0
		for _, name := range files {
			if got[name].verdict == want[name] {
				right[want[name]]++
				sum++
			} else if t.why == "" {
				fmt.Fprintf(os.Stderr, "peers: %s: %s, and BuildKit has %s\n", filepath.Dir(name), got[name].verdict, want[name])
			}
		}
		fmt.Printf("| %s | %d |", titled(t), sum)
		for _, k := range kinds {
			fmt.Printf(" %d |", right[k])
		}
		fmt.Println()
	}
	fmt.Println()
	return nil
}

func titled(t tool) string {
	if t.why == "" {
		return t.name
	}
	return t.name + " (" + t.why + ")"
}

// ownImage reports whether a file begins with an image of the corpus's own.
func ownImage(text string) bool {
	for line := range strings.Lines(strings.ToLower(text)) {
		words := slices.DeleteFunc(strings.Fields(line), func(w string) bool { return strings.HasPrefix(w, "--") })
		if len(words) > 1 && words[0] == "from" && (strings.HasPrefix(words[1], "with") || slices.Contains([]string{"base", "a:latest", "0", "b"}, words[1]) || strings.HasPrefix(words[1], "$")) {
			return true
		}
	}
	return false
}

// hazards counts those of which a tool reports something that it does not of the clean twin, and clean twins of which it reports
// something that is about who runs what: by its own rules that are also found with some hazard.
func hazards(dir string, tools []tool) error {
	corpus, err := txtar.ParseFile("internal/check/testdata/hazards.txtar")
	if err != nil {
		return err
	}
	var bad, all []string
	for _, f := range corpus.Files {
		name, isBad := strings.CutSuffix(f.Name, ".bad")
		twin, isGood := strings.CutSuffix(f.Name, ".good")
		if context, ok := strings.CutPrefix(f.Name, "context/"); ok {
			for _, n := range all { // each is a context of its own
				if err := os.WriteFile(filepath.Join(filepath.Dir(n), context), f.Data, 0o600); err != nil {
					return err
				}
			}
		}
		switch {
		case isBad:
			file, err := write(filepath.Join(dir, "hazards", name, "bad"), f.Data)
			if err != nil {
				return err
			}
			bad, all = append(bad, file), append(all, file)
		case isGood:
			file, err := write(filepath.Join(dir, "hazards", twin, "good"), f.Data)
			if err != nil {
				return err
			}
			all = append(all, file)
		}
	}
	fmt.Printf("| of %d hazards | named: it reports what it does not of the clean twin | clean twins with a report of such a rule |\n|---|---|---|\n", len(bad))
	for _, t := range tools {
		if t.run == nil {
			fmt.Printf("| %s | not run: %s | |\n", t.name, t.why)
			continue
		}
		got, err := t.run(all)
		if err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		named, said := 0, map[string]bool{}
		for _, file := range bad {
			twin := got[filepath.Join(filepath.Dir(filepath.Dir(file)), "good", filepath.Base(file))]
			if more := slices.DeleteFunc(slices.Clone(got[file].rules), func(r string) bool { return slices.Contains(twin.rules, r) }); len(more) > 0 {
				named++
				for _, r := range more {
					said[r] = true
				}
			}
		}
		alarms := 0
		for _, file := range all {
			if !slices.Contains(bad, file) && slices.ContainsFunc(got[file].rules, func(r string) bool { return said[r] }) {
				alarms++
			}
		}
		fmt.Printf("| %s | %d | %d |\n", t.name, named, alarms)
	}
	return nil
}

// pods are manifests of internal/check's table, by their files, and whether a container of each may be root by the kubelet's rule. What the
// API server refuses, an update, pods of Windows, and such as do not start whoever the image's user is have no answer here.
func pods(dir string) (files []string, root map[string]bool, err error) {
	table, err := txtar.ParseFile("internal/check/testdata/manifests.txtar")
	if err != nil {
		return nil, nil, err
	}
	var answers map[string]struct {
		Refused, Custom bool
		Pods            []struct{ Containers map[string]string }
	}
	text, err := os.ReadFile("internal/check/testdata/answers.json")
	if err == nil {
		err = json.Unmarshal(text, &answers)
	}
	if err != nil {
		return nil, nil, err
	}
	root = map[string]bool{}
	for _, f := range table.Files {
		a, ok := answers[f.Name]
		if !ok || a.Refused || strings.HasPrefix(f.Name, "windows-") || slices.ContainsFunc(table.Files, func(o txtar.File) bool { return o.Name == f.Name+".before" }) {
			continue
		}
		may, counts := false, len(a.Pods) > 0
		for _, p := range a.Pods {
			for _, verdict := range p.Containers {
				may = may || verdict == "root" || verdict == "unknown"
				counts = counts && verdict != "never starts"
			}
		}
		if !counts {
			continue
		}
		name := filepath.Join(dir, f.Name+".yaml")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, nil, err
		}
		if err := os.WriteFile(name, f.Data, 0o600); err != nil {
			return nil, nil, err
		}
		files, root[name] = append(files, name), may
	}
	return files, root, nil
}

// manifests counts those of which a tool says by its rules about root what is right: that a container may be root, or that none is.
func manifests(ctl, peers, dir string) error {
	dir = filepath.Join(dir, "manifests")
	files, root, err := pods(dir)
	if err != nil {
		return err
	}
	mayBe := 0
	for _, name := range files {
		if root[name] {
			mayBe++
		}
	}
	fmt.Printf("\n| of %d manifests | right | a container may be root (%d) | none is (%d) |\n|---|---|---|---|\n", len(files), mayBe, len(files)-mayBe)
	trivy, kubeScore := filepath.Join(peers, "trivy"), filepath.Join(peers, "kube-score")
	for _, t := range []tool{
		{"nonroot-ctl check", func(files []string) (map[string]answer, error) { return ours(ctl, dir, files) }, ""},
		{"Trivy config", func(files []string) (map[string]answer, error) { return trivyPods(trivy, files, "KSV-0012") }, "its rule KSV-0012, runAsNonRoot"},
		{"Trivy config", func(files []string) (map[string]answer, error) { return trivyPods(trivy, files, "KSV-0105") }, "its rule KSV-0105, runAsUser is 0"},
		{"kube-score", func(files []string) (map[string]answer, error) { return scored(kubeScore, files) }, "its check container-security-context-user-group-id"},
	} {
		program := map[string]string{"Trivy config": trivy, "kube-score": kubeScore}[t.name]
		if program != "" && !there(program) {
			fmt.Printf("| %s | not run: it is not built here | | |\n", titled(t))
			continue
		}
		got, err := t.run(files)
		if err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		right := map[bool]int{}
		for _, name := range files {
			a := got[name]
			says := a.verdict == "root" || slices.ContainsFunc(a.rules, func(id string) bool {
				return slices.Contains([]string{"pod-runs-as-root", "pod-user-unknown", "pod-root-in-namespace"}, id)
			})
			if says == root[name] {
				right[says]++
			} else if t.why == "" {
				fmt.Fprintf(os.Stderr, "peers: %s: %q, and by the kubelet's rule it may be root: %v\n", filepath.Base(name), a.rules, root[name])
			}
		}
		fmt.Printf("| %s | %d | %d | %d |\n", titled(t), right[true]+right[false], right[true], right[false])
	}
	return nil
}

// trivyPods takes for root what one of its rules fails.
func trivyPods(trivy string, files []string, rule string) (map[string]answer, error) {
	dir := filepath.Dir(files[0])
	out, err := output(trivy, "config", "--quiet", "--format", "json", "--skip-check-update", "--skip-version-check", "--disable-telemetry", dir)
	if err != nil {
		return nil, err
	}
	var report struct {
		Results []struct {
			Target            string
			Misconfigurations []struct{ ID string }
		}
	}
	if err := json.Unmarshal(out, &report); err != nil {
		return nil, err
	}
	all := map[string]answer{}
	for _, r := range report.Results {
		for _, m := range r.Misconfigurations {
			if strings.TrimPrefix(m.ID, "AVD-") == rule {
				all[filepath.Join(dir, r.Target)] = answer{verdict: "root"}
			}
		}
	}
	return all, nil
}

// scored takes for root what kube-score's check about user and group finds critical.
func scored(program string, files []string) (map[string]answer, error) {
	all := map[string]answer{}
	for _, name := range files { // one that it can't read ends the others
		out, err := output(program, "score", "--output-format", "json", name)
		if err != nil {
			continue
		}
		var report []struct {
			Checks []struct {
				Check struct{ ID string }
				Grade int
			}
		}
		if err := json.Unmarshal(out, &report); err != nil {
			continue
		}
		for _, object := range report {
			for _, c := range object.Checks {
				if c.Check.ID == "container-security-context-user-group-id" && c.Grade == 1 {
					all[name] = answer{verdict: "root"}
				}
			}
		}
	}
	return all, nil
}

// write makes a directory with a Dockerfile, by which every tool knows it.
func write(dir string, text []byte) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil { // #nosec G301 -- temporary
		return "", err
	}
	name := filepath.Join(dir, "Dockerfile")
	return name, os.WriteFile(name, text, 0o600)
}

// output is what a tool prints, which ends with another status than 0 where it has found something.
func output(program string, args ...string) ([]byte, error) {
	var said bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.Stderr = &said
	out, err := cmd.Output()
	var status *exec.ExitError
	if err != nil && (!errors.As(err, &status) || len(out) == 0) {
		return nil, fmt.Errorf("%w: %s", err, said.String())
	}
	return out, nil
}

func ours(ctl, dir string, files []string) (map[string]answer, error) {
	policy := filepath.Join(dir, "policy.toml")
	if err := os.WriteFile(policy, nil, 0o600); err != nil {
		return nil, err
	}
	out, err := output(ctl, append([]string{"check", "--json", "--policy", policy}, files...)...)
	if err != nil {
		return nil, err
	}
	var report struct {
		Results []struct {
			File, Verdict string
			Findings      []struct{ ID string }
		}
	}
	if err := json.Unmarshal(out, &report); err != nil {
		return nil, err
	}
	all := map[string]answer{}
	for _, r := range report.Results {
		a := all[r.File] // of a manifest there is one for each container
		a.verdict = r.Verdict
		for _, f := range r.Findings {
			a.rules = append(a.rules, f.ID)
		}
		all[r.File] = a
	}
	return all, nil
}

// trivyConfig has no answer but that its rule about root fails, or does not; a file that it can't read has no result.
func trivyConfig(trivy, dir string, files []string) (map[string]answer, error) {
	top := filepath.Join(dir, strings.SplitN(strings.TrimPrefix(files[0], dir+"/"), "/", 2)[0])
	out, err := output(trivy, "config", "--quiet", "--format", "json", "--include-non-failures", "--skip-check-update", "--skip-version-check", "--disable-telemetry", top)
	if err != nil {
		return nil, err
	}
	var report struct {
		Results []struct {
			Target            string
			Misconfigurations []struct{ ID, Status string }
		}
	}
	if err := json.Unmarshal(out, &report); err != nil {
		return nil, err
	}
	all := map[string]answer{}
	for _, name := range files {
		all[name] = answer{verdict: "invalid"}
	}
	for _, r := range report.Results {
		a := answer{verdict: "non-root"}
		for _, m := range r.Misconfigurations {
			if m.Status != "FAIL" {
				continue
			}
			a.rules = append(a.rules, m.ID)
			if strings.TrimLeft(strings.TrimPrefix(strings.TrimPrefix(m.ID, "AVD-"), "DS"), "-0") == "2" {
				a.verdict = "root"
			}
		}
		all[filepath.Join(top, r.Target)] = a
	}
	return all, nil
}

// kicsRoot are its rules about root: "Missing User Instruction" and "Last User Is 'root'".
var kicsRoot = []string{"fd54f200-402c-4333-a5a4-36ef6709af2f", "67fd0c4a-68cf-46d7-8c41-bc9fba7e40ae"}

// kicsScan has no answer but that one of its rules about root fails, or none does; of a file that it can't read it says nothing.
func kicsScan(kics, queries, dir string, files []string) (map[string]answer, error) {
	top := filepath.Join(dir, strings.SplitN(strings.TrimPrefix(files[0], dir+"/"), "/", 2)[0])
	out := filepath.Join(dir, "kics-"+filepath.Base(top))
	// It ends with another status than 0 where it has found something.
	said, err := exec.Command(kics, "scan", "--path", top, "--queries-path", queries, "--type", "Dockerfile", "--report-formats", "json", "--output-path", out, "--no-progress", "--silent").CombinedOutput()
	text, reading := os.ReadFile(filepath.Join(out, "results.json"))
	if reading != nil {
		return nil, fmt.Errorf("%w: %w: %s", reading, err, said)
	}
	var report struct {
		Queries []struct {
			ID    string `json:"query_id"`
			Files []struct {
				Name string `json:"file_name"`
			}
		}
	}
	if err := json.Unmarshal(text, &report); err != nil {
		return nil, err
	}
	all := map[string]answer{}
	for _, name := range files {
		all[name] = answer{verdict: "non-root"}
	}
	for _, q := range report.Queries {
		for _, f := range q.Files {
			at := slices.IndexFunc(files, func(name string) bool {
				return strings.HasSuffix(filepath.Clean("/"+f.Name), strings.TrimPrefix(name, dir))
			})
			if at < 0 {
				return nil, fmt.Errorf("a file %q that it was not given", f.Name)
			}
			a := all[files[at]]
			a.rules = append(a.rules, q.ID)
			if slices.Contains(kicsRoot, q.ID) {
				a.verdict = "root"
			}
			all[files[at]] = a
		}
	}
	return all, nil
}

func buildkit(program string, files []string) (map[string]answer, error) {
	out, err := output(program, files...)
	if err != nil {
		return nil, err
	}
	var report map[string][]string
	if err := json.Unmarshal(out, &report); err != nil {
		return nil, err
	}
	all := map[string]answer{}
	for name, rules := range report {
		a := answer{rules: rules}
		if slices.Contains(rules, "error") {
			a.verdict = "invalid"
		}
		all[name] = a
	}
	return all, nil
}

func dockerfilelint(program string, files []string) (map[string]answer, error) {
	all := map[string]answer{}
	for _, name := range files {
		out, err := output(program, "-o", "json", name)
		var status *exec.ExitError
		if errors.As(err, &status) {
			all[name] = answer{verdict: "invalid"} // it breaks off
			continue
		}
		if err != nil {
			return nil, err
		}
		var report struct {
			Files []struct{ Issues []struct{ Title string } }
		}
		if err := json.Unmarshal(out, &report); err != nil {
			all[name] = answer{verdict: "invalid"}
			continue
		}
		var a answer
		for _, f := range report.Files {
			for _, i := range f.Issues {
				a.rules = append(a.rules, i.Title)
			}
		}
		all[name] = a
	}
	return all, nil
}
