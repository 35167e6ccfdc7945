// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/nonroot-runc/nonroot-runc/internal/auditlog"
	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/facts"
	"github.com/nonroot-runc/nonroot-runc/internal/host"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/trial"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// policyCommand is for authors of policies. It decides about described containers, by the policy's own code.
func policyCommand() *cli.Command {
	file := &cli.StringFlag{Name: "policy", Usage: "the policy `FILE`, instead of the one in force"}
	return &cli.Command{
		Name:            "policy",
		Usage:           "check a policy, show what applies to a container, test expectations, put it in force, pin it",
		HideHelpCommand: true,
		Action: func(*cli.Context) error {
			return errors.New("name what to do: policy check, policy show, policy test, policy apply or policy pin")
		},
		Subcommands: []*cli.Command{
			{
				Name: "check", Usage: "read a policy like the runtime", ArgsUsage: "[FILE]", HideHelpCommand: true,
				Flags: []cli.Flag{
					&cli.BoolFlag{Name: "text", Usage: "only check the text: the file may be anywhere and belong to anyone"},
					&cli.BoolFlag{Name: "json", Usage: "print JSON"},
				},
				Action: policyCheck,
			},
			{
				Name: "show", Usage: "print what applies to a container that the options describe", HideHelpCommand: true,
				Flags: []cli.Flag{
					file,
					&cli.StringFlag{Name: "engine", Usage: "`ENGINE`: " + trial.EngineNames() + "; kubernetes if a namespace, pod, container or image is set"},
					&cli.StringFlag{Name: "root", Usage: "the runtime's --root, `DIR`, instead of an engine"},
					&cli.StringFlag{Name: "namespace", Usage: "Kubernetes' or containerd's `NAME`"},
					&cli.StringFlag{Name: "pod", Usage: "the pod's `NAME`"},
					&cli.StringFlag{Name: "container", Usage: "the container's `NAME` in its pod"},
					&cli.StringFlag{Name: "image", Usage: "the image's `NAME`, as written by whoever creates the container"},
					&cli.StringFlag{Name: "bundle", Usage: "the bundle's directory, `DIR`, for builds"},
					&cli.StringFlag{Name: "id", Usage: "the container's `ID`, for a range"},
					&cli.StringFlag{Name: "project", Usage: "the Compose project `NAME` of a Docker container"},
					&cli.StringSliceFlag{Name: "device", Usage: "the `PATH` of a character device of the container"},
					&cli.StringSliceFlag{Name: "annotation", Usage: "`KEY=VALUE`"},
					&cli.Uint64Flag{Name: "uid", Usage: "the requested `UID`"},
					&cli.Uint64Flag{Name: "gid", Usage: "the requested `GID`"},
					&cli.Uint64SliceFlag{Name: "group", Usage: "an additional `GID`"},
					&cli.StringSliceFlag{Name: "env", Usage: "`KEY=VALUE`"},
					&cli.StringFlag{Name: "date", Usage: "decide as on this `DAY`, such as 2027-01-31"},
					&cli.BoolFlag{Name: "json", Usage: "print JSON"},
				},
				Action: policyShow,
			},
			{
				Name: "test", Usage: "compare a policy with files of expectations", ArgsUsage: "FILE...", HideHelpCommand: true,
				Flags: []cli.Flag{file, &cli.BoolFlag{Name: "json", Usage: "print JSON"}}, Action: policyTest,
			},
			applyCommand(), pinCommand(),
		},
	}
}

// checkedPolicy is the JSON of policy check.
type checkedPolicy struct {
	File   string      `json:"file"` // "": none, and the built-in policy was checked
	Digest string      `json:"sha256"`
	Mode   policy.Mode `json:"mode"`
	Rules  int         `json:"rules"`
	Hints  []string    `json:"hints"`  // settings without effect, and decisions that would not be logged
	Faults []string    `json:"faults"` // why it is refused: nothing else is known of it then
}

// policyCheck reads the policy. Besides faults, it reports settings without effect.
func policyCheck(c *cli.Context) error {
	if c.NArg() > 1 {
		return errors.New("policy check takes one file")
	}
	p, err := readPolicy(c.Args().First(), c.Bool("text"))
	if err != nil {
		faults := faultsOf(c.Args().First(), c.Bool("text"), err)
		if c.Bool("json") {
			refused := checkedPolicy{File: c.Args().First(), Hints: []string{}}
			for _, fault := range faults {
				refused.Faults = append(refused.Faults, fault.Error())
			}
			err = printJSON(c.App.Writer, refused)
			return errors.Join(append([]error{err}, faults...)...)
		}
		return errors.Join(faults...)
	}
	checked := checkedPolicy{Faults: []string{}, File: p.File, Digest: p.Digest, Mode: p.Mode, Rules: len(p.Rules), Hints: append([]string{}, idle(p, time.Now())...)}
	var lost []error
	if !c.Bool("text") { // with it, the policy may be for another machine
		lost = auditlog.Probe(&p.Log, facts.AnyCaller().Owners)
		for _, err := range lost {
			checked.Hints = append(checked.Hints, fmt.Sprintf("no line would be logged: %v", err))
		}
	}
	if c.Bool("json") {
		err = printJSON(c.App.Writer, checked)
	} else {
		err = checked.print(c.App.Writer)
	}
	if err == nil && len(lost) > 0 && p.Log.Required {
		return errors.New("until then, log.required refuses every container")
	}
	return err
}

// faultsOf lists all faults of a policy that was refused, the first one first.
func faultsOf(name string, text bool, first error) []error {
	all := []error{first}
	file := cmp.Or(name, policy.DefaultFile)
	if !text {
		if absolute, err := filepath.Abs(file); err == nil {
			file = absolute
		}
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return all
	}
	for _, fault := range policy.Faults(file, data) {
		if !strings.Contains(first.Error(), fault.Error()) {
			all = append(all, fault)
		}
	}
	return all
}

func (p *checkedPolicy) print(to io.Writer) error {
	var b strings.Builder
	name := p.File
	if name == "" {
		name = "no file: the built-in policy"
	}
	fmt.Fprintf(&b, "ok: %s: mode %s, %s\n", shown(name), p.Mode, counted(p.Rules, "rule"))
	for _, hint := range p.Hints {
		fmt.Fprintf(&b, "hint: %s\n", shown(hint))
	}
	_, err := io.WriteString(to, b.String())
	return err
}

// idle lists rules without effect.
func idle(p *policy.Policy, now time.Time) []string {
	var hints []string
	for i := range p.Rules {
		r := &p.Rules[i]
		if !r.Holds(now) {
			hints = append(hints, fmt.Sprintf("rule %q has run out on %s", r.Name, r.Until.AddDate(0, 0, -1).Format(time.DateOnly)))
			continue
		}
		if !slices.ContainsFunc(trial.Engines(), r.Match.Engine.Take) {
			hints = append(hints, fmt.Sprintf("rule %q matches no container: its engines are not among %s", r.Name, strings.Join(trial.Engines(), ", ")))
		}
		if r.Match.Unbounded() && i < len(p.Rules)-1 {
			hints = append(hints, fmt.Sprintf("rule %q matches every container: no rule behind it is ever asked", r.Name))
		}
	}
	return hints
}

// readPolicy reads the file that is named, else the one in force; as a text, whoever owns it.
func readPolicy(name string, text bool) (*policy.Policy, error) {
	if text {
		if name == "" {
			return nil, errors.New("--text needs a file")
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		return policy.Parse(name, data)
	}
	return facts.Policy(name, "", facts.AnyCaller().Owners)
}

// policyNamed is the policy that --policy or --profile names, else the one in force.
func policyNamed(c *cli.Context) (*policy.Policy, error) {
	binary := "nonroot-runc"
	if c.IsSet("profile") {
		binary += "." + c.String("profile")
	}
	return facts.Policy(c.String("policy"), binary, trusted.CallersOwners(nil))
}

func policyShow(c *cli.Context) error {
	if c.Args().Present() {
		return fmt.Errorf("unexpected argument %q\nhint: policy show takes options only", c.Args().First())
	}
	p, err := readPolicy(c.String("policy"), c.IsSet("policy"))
	if err != nil {
		return err
	}
	described := trial.Container{
		Engine: c.String("engine"), Root: c.String("root"), Namespace: c.String("namespace"), Pod: c.String("pod"),
		Container: c.String("container"), Image: c.String("image"), Bundle: c.String("bundle"), Env: c.StringSlice("env"),
		ID: c.String("id"), Project: c.String("project"), Devices: c.StringSlice("device"),
	}
	// Only Kubernetes has all of these, and a namespace without an engine is usually meant as one of Kubernetes.
	meant := ""
	if described.Engine+described.Root == "" && described.Namespace+described.Pod+described.Container+described.Image != "" {
		meant, described.Engine = policy.Kubernetes, policy.Kubernetes
	}
	for _, a := range c.StringSlice("annotation") {
		key, value, ok := strings.Cut(a, "=")
		if !ok {
			return fmt.Errorf("--annotation %q is not KEY=VALUE", a)
		}
		if described.Annotations == nil {
			described.Annotations = map[string]string{}
		}
		described.Annotations[key] = value
	}
	for _, id := range []struct {
		name string
		to   *uint32
	}{{"uid", &described.UID}, {"gid", &described.GID}} {
		if *id.to, err = id32(c.Uint64(id.name)); err != nil {
			return fmt.Errorf("--%s: %w", id.name, err)
		}
	}
	for _, g := range c.Uint64Slice("group") {
		gid, err := id32(g)
		if err != nil {
			return fmt.Errorf("--group: %w", err)
		}
		described.Groups = append(described.Groups, gid)
	}
	now := time.Now()
	if day := c.String("date"); day != "" {
		if now, err = time.Parse(time.DateOnly, day); err != nil {
			return fmt.Errorf("--date %q is not a date such as 2027-01-31", day)
		}
	}
	r, err := described.Run(p, machine(), now)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, json.RawMessage(r.Append(nil, decision.Test)))
	}
	w := &printer{}
	if meant != "" {
		fmt.Fprintf(w, "engine    %s, as none is named\n", meant)
	}
	fmt.Fprintf(w, "rule      %q\nmode      %s\n", r.Rule, r.Mode)
	for _, line := range []struct{ what, text string }{{"reason", r.Reason}, {"source", string(r.Source)}, {"audited", r.Audited}} {
		if line.text != "" {
			fmt.Fprintf(w, "%-9s %s\n", line.what, apart(line.text, "          "))
		}
	}
	if r.Identity != nil {
		fmt.Fprintf(w, "runs as   %d:%d, groups %d\n", r.Identity.UID, r.Identity.GID, r.Identity.Groups)
	}
	if r.Person != "" {
		fmt.Fprintf(w, "name      %s\n", shown(r.Person))
	}
	if len(r.Dropped) > 0 {
		fmt.Fprintf(w, "dropped   %d\n", r.Dropped)
	}
	for _, note := range r.Notes {
		fmt.Fprintf(w, "note      %s\n", noted(note, "          "))
	}
	_, err = io.WriteString(c.App.Writer, wrapped(c.App.Writer, w.String()))
	return err
}

func id32(n uint64) (uint32, error) {
	if n > math.MaxUint32 {
		return 0, fmt.Errorf("%d is not an id", n)
	}
	return uint32(n), nil // its bounds were checked just above
}

// machine is what decisions on this machine rest on.
func machine() trial.World {
	return trial.World{
		Groups: facts.HostGroups(),
		People: func(p *policy.Policy) *policy.People { return facts.People(p, facts.AnyCaller().Owners) },
		Device: host.DeviceGroup,
	}
}

// expectation is one of policy test, in JSON.
type expectation struct {
	File  string   `json:"file"`
	Name  string   `json:"name"`
	OK    bool     `json:"ok"`
	Wrong []string `json:"wrong"` // how the decision differs
}

// expectations is the JSON of policy test.
type expectations struct {
	Tests []expectation `json:"tests"`
}

// policyTest checks each file of expectations, and fails if one is not met.
func policyTest(c *cli.Context) error {
	if !c.Args().Present() {
		return errors.New("policy test takes files of expectations, such as policy_test.toml")
	}
	all := []expectation{}
	for _, name := range c.Args().Slice() {
		suite, err := readSuite(name)
		if err != nil {
			return err
		}
		file := c.String("policy")
		if file == "" && suite.Policy != "" {
			file = filepath.Join(filepath.Dir(name), suite.Policy)
		}
		if file == "" {
			return fmt.Errorf("%s names no policy\nhint: add policy = \"config.toml\", or give --policy", name)
		}
		p, err := readPolicy(file, true)
		if err != nil {
			return err
		}
		results, err := runSuite(name, suite, p)
		if err != nil {
			return err
		}
		all = append(all, results...)
	}
	var err error
	if c.Bool("json") {
		err = printJSON(c.App.Writer, expectations{all})
	} else {
		err = printExpectations(c.App.Writer, all)
	}
	if n := notHeld(all); n > 0 {
		return errors.Join(err, fmt.Errorf("not held: %d of %s", n, counted(len(all), "expectation")))
	}
	return err
}

func readSuite(name string) (*trial.Suite, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return trial.ParseSuite(name, data)
}

// runSuite tests a policy against the expectations of a file.
func runSuite(name string, suite *trial.Suite, p *policy.Policy) ([]expectation, error) {
	var all []expectation
	for i := range suite.Tests {
		t := &suite.Tests[i]
		wrong, err := t.Run(p, suite.World(machine()), time.Now())
		if err != nil {
			return nil, fmt.Errorf("%s: test %q: %w", name, t.Name, err)
		}
		all = append(all, expectation{name, t.Name, len(wrong) == 0, append([]string{}, wrong...)})
	}
	return all, nil
}

// printExpectations says of each whether it is met.
func printExpectations(to io.Writer, all []expectation) error {
	var b strings.Builder
	for _, e := range all {
		if e.OK {
			fmt.Fprintf(&b, "ok   %s\n", shown(e.Name))
			continue
		}
		fmt.Fprintf(&b, "FAIL %s: %s\n", shown(e.Name), shown(strings.Join(e.Wrong, "; ")))
	}
	_, err := io.WriteString(to, b.String())
	return err
}

func notHeld(all []expectation) int {
	n := 0
	for _, e := range all {
		if !e.OK {
			n++
		}
	}
	return n
}
