// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/nonroot-runc/nonroot-runc/internal/apply"
	"github.com/nonroot-runc/nonroot-runc/internal/auditlog"
	"github.com/nonroot-runc/nonroot-runc/internal/configure"
	"github.com/nonroot-runc/nonroot-runc/internal/facts"
	"github.com/nonroot-runc/nonroot-runc/internal/hint"
	"github.com/nonroot-runc/nonroot-runc/internal/pin"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/rollout"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

func profileFlag() cli.Flag {
	return &cli.StringFlag{Name: "profile", Usage: "the policy of the binary nonroot-runc.`NAME`, instead of the general one"}
}

func applyCommand() *cli.Command {
	return &cli.Command{
		Name: "apply", Usage: "check a policy, say what it changes for running containers, and put it into force", ArgsUsage: "FILE", HideHelpCommand: true,
		UsageText: "nonroot-ctl policy apply [options] FILE | -\nnonroot-ctl policy apply --rollback [options]",
		Flags: []cli.Flag{
			profileFlag(),
			&cli.StringSliceFlag{Name: "test", Usage: "first compare it with the expectations in `FILE`"},
			&cli.BoolFlag{Name: "rollback", Usage: "restore the policy from before the last apply"},
			&cli.BoolFlag{Name: "dry-run", Usage: "replace nothing"},
			&cli.BoolFlag{Name: "json", Usage: "print JSON"},
		},
		Action: policyApply,
	}
}

// applied is the JSON of policy apply.
type applied struct {
	File     string        `json:"file"`
	From     string        `json:"from"`
	Mode     policy.Mode   `json:"mode"`
	Rules    int           `json:"rules"`
	Digest   string        `json:"policy_sha256"`
	Hints    []string      `json:"hints"`
	Diff     *rollout.Diff `json:"containers"` // null: it can't be told
	Applied  bool          `json:"applied"`
	Rollback bool          `json:"rollback"`      // it puts the previous policy back
	Kept     bool          `json:"can_roll_back"` // the policy that was replaced is kept
	Pinned   bool          `json:"pinned"`
}

func policyApply(c *cli.Context) error {
	if c.Bool("rollback") == c.Args().Present() || c.NArg() > 1 {
		return errors.New("policy apply takes one file, or --rollback")
	}
	owners := trusted.CallersOwners(nil)
	target, err := rollout.Look(c.String("profile"), owners)
	if err != nil {
		return err
	}
	text, from, err := newPolicy(c, target)
	if err != nil {
		return err
	}
	p, err := facts.Candidate(text, from, target.File, target.Profile, owners)
	if err != nil {
		return err
	}
	p, kept, err := withGuard(p, from, target, owners)
	if err != nil {
		return err
	}
	a := &applied{File: target.File, From: from, Mode: p.Mode, Rules: len(p.Rules), Digest: p.Digest, Hints: idle(p, time.Now()), Rollback: c.Bool("rollback")}
	a.Hints = append(a.Hints, kept...)
	say, result := c.App.Writer, c.App.Writer
	if c.Bool("json") {
		say, result = io.Discard, io.Discard
	} else if wasShown(c) {
		say = io.Discard
	}
	fmt.Fprintf(say, "ok: %s: mode %s, %d rules\n", shown(from), p.Mode, len(p.Rules))
	if err := a.check(c, p, say, owners); err != nil {
		return err
	}
	if target.Broken != nil {
		broken, _ := hint.Split(target.Broken.Error()) // this command is that advice
		a.hint("the policy in force can't be read: %s", broken)
	}
	stop := working(c.App.ErrWriter, "looking at running containers")
	diff, err := target.Compare(p)
	stop()
	if err != nil {
		a.hint("running containers were not checked: %v", err)
	} else {
		a.Diff = diff
	}
	for _, hint := range a.Hints {
		fmt.Fprintf(say, "hint: %s\n", shown(hint))
	}
	printDiff(say, a.Diff)
	switch {
	case target.Is(p):
		fmt.Fprintf(say, "%q has this text already: nothing is replaced\n", a.File)
		if !c.Bool("dry-run") {
			if err := apply.KeepGood(p, owners); err != nil {
				return err
			}
		}
	case c.Bool("dry-run"):
		fmt.Fprintf(say, "dry run: %q is unchanged\n", a.File)
	default:
		if a.Pinned, a.Kept, err = target.Replace(p); err != nil {
			return err
		}
		a.Applied = true
		a.done(result, target)
	}
	if c.Bool("json") {
		a.Hints = append([]string{}, a.Hints...)
		return printJSON(c.App.Writer, a)
	}
	return nil
}

// newPolicy is the text to put in force, and where it comes from.
func newPolicy(c *cli.Context, target *rollout.Target) (text []byte, from string, err error) {
	if c.Bool("rollback") {
		return target.Previous()
	}
	if from = c.Args().First(); from == "-" {
		text, err = io.ReadAll(c.App.Reader)
		return text, "standard input", err
	}
	text, err = os.ReadFile(from)
	return text, from, err
}

// withGuard adds [build], which the guard has written into the policy in force, to a policy that lacks it: otherwise
// image builds, which the guard leads to nonroot-runc, would follow the general part, and most would fail. said is
// what to tell about that.
func withGuard(p *policy.Policy, from string, target *rollout.Target, owners trusted.Owners) (with *policy.Policy, said []string, err error) {
	if target.Profile != "" {
		return p, nil, nil // builds follow the general part
	}
	file, err := configure.Open(target.File)
	if err != nil || file.Receipt == nil {
		return p, nil, err
	}
	if _, on := file.Receipt.Notes[guardName]; !on {
		return p, nil, nil
	}
	if target.InForce == nil {
		return p, []string{"the guard has a table [build] in the policy in force, which can't be read: nonroot-ctl configure runc writes it again"}, nil
	}
	b := target.InForce.Build
	text, added, err := configure.Build{Off: b.Mode == policy.Off, Reason: b.Reason, Bundles: b.Bundles}.Carry(p.Text)
	if err != nil || !added || len(b.Bundles) == 0 {
		return p, nil, err
	}
	with, err = facts.Candidate(text, from, target.File, target.Profile, owners)
	return with, []string{fmt.Sprintf("%s has no [build]: the guard's, by which image builds go, is kept (mode %s)", from, b.Mode)}, err
}

func (a *applied) hint(format string, args ...any) {
	a.Hints = append(a.Hints, fmt.Sprintf(format, args...))
}

// check tries the policy on this machine, and on the expectations that are named.
func (a *applied) check(c *cli.Context, p *policy.Policy, say io.Writer, owners trusted.Owners) error {
	lost := auditlog.Probe(&p.Log, owners)
	for _, err := range lost {
		a.hint("no line would be logged: %v", err)
	}
	if len(lost) > 0 && p.Log.Required {
		return fmt.Errorf("log.required would refuse every container: %w", errors.Join(lost...))
	}
	if p.UsersFile != "" {
		if list := facts.People(p, owners); list.Fault != nil {
			return list.Fault
		}
	}
	var all []expectation
	for _, name := range c.StringSlice("test") {
		suite, err := readSuite(name)
		if err != nil {
			return err
		}
		results, err := runSuite(name, suite, p)
		if err != nil {
			return err
		}
		all = append(all, results...)
	}
	if err := printExpectations(say, all); err != nil {
		return err
	}
	if n := notHeld(all); n > 0 {
		return fmt.Errorf("%d of %d expectations do not hold: nothing is replaced", n, len(all))
	}
	return nil
}

// printDiff prints what changes, containers that change first.
func printDiff(to io.Writer, d *rollout.Diff) {
	if d == nil {
		return
	}
	if len(d.Changed) > 0 {
		fmt.Fprintf(to, "changes for %s, when started again:\n", counted(len(d.Changed), "running container"))
	}
	for _, c := range d.Changed {
		after := c.After.String()
		if before := c.Before.String(); after == before {
			after = "the same, by another config.json"
		}
		if len(c.Parts) > 0 {
			after += " (" + strings.Join(c.Parts, ", ") + ")"
		}
		fmt.Fprintf(to, "  %q: %s -> %s\n", c.Name, shown(c.Before.String()), shown(after))
	}
	switch {
	case d.Same > 0:
		fmt.Fprintf(to, "no change for %s\n", counted(d.Same, "running container"))
	case len(d.Changed) == 0:
		fmt.Fprintln(to, "no running container is affected")
	}
	if d.Elsewhere > 0 {
		fmt.Fprintf(to, "%s by another policy file\n", goes(d.Elsewhere))
	}
	if d.Ungoverned > 0 {
		fmt.Fprintf(to, "%s not governed by nonroot-runc (nonroot-ctl ps names them)\n", counted(d.Ungoverned, "running container"))
	}
	for _, u := range d.Unseen {
		fmt.Fprintf(to, "not checked: %q: %s\n", u.Name, shown(u.Why))
	}
}

func goes(n int) string {
	if n == 1 {
		return "1 running container goes"
	}
	return counted(n, "running container") + " go"
}

// done says what was done, and how to undo it.
func (a *applied) done(say io.Writer, target *rollout.Target) {
	switch {
	case a.Rollback:
		fmt.Fprintf(say, "rolled back: %q is as it was before the last apply; the same command brings back what it replaced\n", a.File)
	case a.Kept:
		option := ""
		if target.Profile != "" {
			option = " --profile " + target.Profile
		}
		fmt.Fprintf(say, "replaced %q; the way back: nonroot-ctl policy apply --rollback%s\n", a.File, shown(option))
	default:
		fmt.Fprintf(say, "replaced %q, of which nothing is kept, as it could not be read\n", a.File)
	}
	if a.Pinned {
		fmt.Fprintf(say, "pinned again in %q\n", pin.File)
	}
}

func pinCommand() *cli.Command {
	return &cli.Command{
		Name: "pin", Usage: "refuse every call whose policy differs from the present one", HideHelpCommand: true,
		Flags: []cli.Flag{
			profileFlag(),
			&cli.BoolFlag{Name: "remove", Usage: "remove the pin"},
			&cli.BoolFlag{Name: "json", Usage: "print JSON"},
		},
		Action: policyPin,
	}
}

// policyPin pins the present files, provided that they can be read as policies. Whether they match their present pins
// doesn't matter.
func policyPin(c *cli.Context) error {
	if c.Args().Present() {
		return fmt.Errorf("unexpected argument %q\nhint: policy pin takes options only", c.Args().First())
	}
	owners := trusted.CallersOwners(nil)
	target, err := rollout.Look(c.String("profile"), owners)
	if err != nil {
		return err
	}
	if c.Bool("remove") {
		pins, err := pin.Read(owners)
		if err != nil {
			return err
		}
		if !pins.Has(target.File) {
			return fmt.Errorf("%q is not pinned", target.File)
		}
		if err := pin.Set(owners, target.File); err != nil {
			return err
		}
		return pinned{File: target.File, Pin: pin.File}.print(c)
	}
	text, err := trusted.ReadPath(target.File, owners)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("there is no %q to pin: an empty file is the built-in policy", target.File)
	}
	if err != nil {
		return err
	}
	p, err := facts.Candidate(text, target.File, target.File, target.Profile, owners)
	if err != nil {
		return err
	}
	if err := pin.Set(owners, target.File, p.Digest); err != nil {
		return err
	}
	return pinned{File: target.File, Pin: pin.File, Digest: p.Digest}.print(c)
}

// pinned is the JSON of policy pin.
type pinned struct {
	File   string `json:"file"`
	Pin    string `json:"pin"`    // the file in which it is pinned
	Digest string `json:"sha256"` // "": the pin was removed
}

func (p pinned) print(c *cli.Context) error {
	if c.Bool("json") {
		return printJSON(c.App.Writer, p)
	}
	said := fmt.Sprintf("pinned %q in %q: sha256 %s\n", p.File, p.Pin, p.Digest)
	if p.Digest == "" {
		said = fmt.Sprintf("%q is no longer pinned\n", p.File)
	}
	_, err := io.WriteString(c.App.Writer, said)
	return err
}
