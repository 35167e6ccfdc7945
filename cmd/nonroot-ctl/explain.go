// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/nonroot-runc/nonroot-runc/internal/engines"
	"github.com/nonroot-runc/nonroot-runc/internal/explain"
	"github.com/nonroot-runc/nonroot-runc/internal/locate"
	"github.com/nonroot-runc/nonroot-runc/internal/meaning"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/ps"
)

// explainCommand shows what nonroot-runc does or did with a container, and why.
func explainCommand() *cli.Command {
	return &cli.Command{
		Name:      "explain",
		Usage:     "say what becomes of a container, why, and what may fail",
		ArgsUsage: "NAME",
		UsageText: "nonroot-ctl explain [options] NAME | BUNDLE-DIR\nnonroot-ctl explain [options] --docker NAME | --containerd NAMESPACE/ID | --podman NAME\nnonroot-ctl explain [options] --all\nnonroot-ctl explain --message TEXT",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "all", Usage: "explain every running container on this machine briefly"},
			&cli.StringFlag{Name: "message", Usage: "say what the message `TEXT` of nonroot-runc means, and what helps"},
			&cli.StringFlag{Name: "docker", Usage: "explain the running container `NAME` of Docker"},
			&cli.StringFlag{Name: "containerd", Usage: "explain the task `NAMESPACE/ID` of containerd"},
			&cli.StringFlag{Name: "podman", Usage: "explain the container `NAME` of Podman"},
			&cli.StringFlag{Name: "policy", Usage: "use the policy `FILE` instead of the one in force"},
			&cli.StringFlag{Name: "profile", Usage: "use the policy of the binary nonroot-runc.`NAME`"},
			&cli.StringFlag{Name: "root", Usage: "the runtime's --root, `DIR`, by which rules know engines"},
			&cli.StringFlag{Name: "docker-host", Usage: "the daemon's `ADDRESS`, like docker's --host"},
			&cli.StringSliceFlag{Name: "docker-exec-root", Usage: "dockerd's --exec-root `DIR`"},
			&cli.StringSliceFlag{Name: "containerd-state", Usage: "containerd's state `DIR`"},
			&cli.BoolFlag{Name: "json", Usage: "print JSON"},
		},
		Action: runExplain,
	}
}

// explained is a container of explain --all. Its JSON is documented in nonroot-ctl(8).
type explained struct {
	Engine string          `json:"engine"` // "": unknown
	ID     string          `json:"id"`
	Name   string          `json:"name"`   // the name that people use
	Report *explain.Report `json:"report"` // null: there is none
	Why    string          `json:"why"`    // why there is none
}

// explainAll explains all running containers.
func explainAll(c *cli.Context) error {
	if c.Args().Present() || c.IsSet("docker") || c.IsSet("containerd") || c.IsSet("podman") {
		return errors.New("explain --all takes no container")
	}
	stop := working(c.App.ErrWriter, "looking at every container")
	all, err := explainEach(c)
	stop()
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, all)
	}
	p := &printer{}
	for _, e := range all {
		p.line("%q (%s): %s", e.Name, shown(cmp.Or(e.Engine, "engine not known")), apart(e.text(), "  "))
		if e.Report == nil {
			continue
		}
		for _, t := range e.Report.Problems {
			if !t.Usual() {
				p.line("  %s %q: %s", t.Kind, t.Where, apart(t.Detail, "    "))
			}
		}
	}
	p.line("%s", counted(len(all), "running container"))
	_, err = io.WriteString(c.App.Writer, wrapped(c.App.Writer, p.String()))
	return err
}

// explainEach explains each running container.
func explainEach(c *cli.Context) ([]explained, error) {
	running, err := ps.List(ps.Options{All: true})
	if err != nil {
		return nil, err
	}
	all := []explained{}
	for _, one := range running.Containers {
		e := explained{Engine: one.Engine, ID: one.ID, Name: one.Called(), Why: one.Why}
		if one.Bundle != "" {
			e.Report, err = explain.Bundle(one.Bundle, explain.Options{
				Policy: c.String("policy"), Profile: c.String("profile"), Root: cmp.Or(c.String("root"), one.Root()), Running: true,
			})
			e.Why = ""
			if err != nil {
				e.Report, e.Why = nil, err.Error()
			}
		}
		all = append(all, e)
	}
	return all, nil
}

func (e *explained) text() string {
	if e.Report == nil {
		return "can't be explained: " + e.Why
	}
	return e.Report.Answer
}

// explainMessage prints what docs/troubleshooting.md has about one of the runtime's messages, or a row's id.
func explainMessage(c *cli.Context) error {
	if c.Args().Present() || c.IsSet("docker") || c.IsSet("containerd") || c.IsSet("podman") || c.Bool("all") {
		return errors.New("explain --message takes no container")
	}
	text := c.String("message")
	row, ok := meaning.ByID(text)
	if !ok {
		row, ok = meaning.Of(text)
	}
	if !ok {
		return fmt.Errorf("%s has no message with these words\nhint: give the whole line that begins with \"nonroot-runc: \", or the id from a line that begins with \"see: \"", meaning.Page)
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, explainedMessage{row.ID, row.Words, row.Means, row.Do, row.See()})
	}
	p := &printer{}
	p.line("means: %s", meaning.Plain(row.Means))
	p.line("do:    %s", meaning.Plain(row.Do))
	p.line("see:   %s", row.See())
	_, err := io.WriteString(c.App.Writer, wrapped(c.App.Writer, p.String()))
	return err
}

// explainedMessage is what explain --message prints with --json.
type explainedMessage struct {
	ID    string   `json:"id"`    // of the row in docs/troubleshooting.md
	Words []string `json:"words"` // of the messages, with "…" for each value
	Means string   `json:"means"` // Markdown
	Do    string   `json:"do"`    // what helps, in Markdown
	See   string   `json:"see"`   // link to the row
}

func runExplain(c *cli.Context) error {
	if c.IsSet("message") {
		return explainMessage(c)
	}
	if c.Bool("all") {
		return explainAll(c)
	}
	found, err := whichContainer(c)
	if err != nil {
		return needsRoot(c, err)
	}
	o := explain.Options{
		Policy: c.String("policy"), Profile: c.String("profile"), Root: c.String("root"), Running: found.Running, Runtime: found.Runtime,
	}
	if namespace, _, ok := strings.Cut(c.String("containerd"), "/"); ok && o.Root == "" {
		o.Root = engines.ShimRoot(namespace)
	}
	o.Root = cmp.Or(o.Root, found.Root)
	for _, n := range found.Ports {
		o.Ports = append(o.Ports, explain.Port{Number: n, From: "the image or its user exposes it"})
	}
	told, err := explain.Bundle(found.Bundle, o)
	if err != nil {
		return needsRoot(c, err)
	}
	if told.When == explain.Before && !found.Running && found.ID != "" {
		lastRefusal(c, found.ID, told)
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, told)
	}
	return printReport(c.App.Writer, told)
}

// lastRefusal adds the last refusal of a container that does not run: the time and the reason, from the policy's log, or else a pointer to
// it. Engines that keep such a container's bundle have removed its rootfs, and that is all that a dry run would find.
func lastRefusal(c *cli.Context, id string, told *explain.Report) {
	p, err := policyNamed(c)
	if err != nil {
		return
	}
	if l := lastIn(p)(id); l != nil && l.Mode == policy.Refuse {
		told.Refused(l.Time, l.Reason)
		return
	}
	if p.Log.File == "" {
		unlogged, advice := logOf(p)
		told.Notes = append(told.Notes, cmp.Or(unlogged, "it does not run; if it was refused, the log has the reason")+"; hint: "+advice)
	}
}

// ended is the error for a container that does not run, and of which nothing is left but what was logged.
func ended(c *cli.Context, finding, advice string) error {
	if p, err := policyNamed(c); err == nil {
		unlogged, look := logOf(p)
		if unlogged != "" {
			finding += "; " + unlogged
		}
		advice += "; " + look
	}
	return fmt.Errorf("%s\nhint: %s; nonroot-ctl learn -- docker run IMAGE shows what a container is denied", finding, advice)
}

// logOf says where a policy's log has the notes of a container that has ended. If there is no log, unlogged says so,
// and the advice is to set one.
func logOf(p *policy.Policy) (unlogged, advice string) {
	switch {
	case p.Log.File != "":
		return "", fmt.Sprintf("of one that ends at once, the log has the notes (%q)", p.Log.File)
	case p.Log.Journald:
		return "", "of one that ends at once, the journal has the notes (journalctl -t nonroot-runc)"
	case p.Log.Syslog:
		return "", "of one that ends at once, syslog has the notes (as nonroot-runc)"
	}
	return "nothing is logged, so nothing tells why a container ended or was refused", "set log.file = \"/var/log/nonroot-runc.log\" in the policy (nonroot-ctl policy apply), and start it again"
}

// whichContainer is the container that the command line names, in exactly one way.
func whichContainer(c *cli.Context) (*locate.Container, error) {
	named := c.NArg()
	for _, flag := range []string{"docker", "containerd", "podman"} {
		if c.IsSet(flag) {
			named++
		}
	}
	if named != 1 {
		return nil, errors.New("explain takes one container: a bundle's directory, or one of --docker, --containerd and --podman")
	}
	if c.IsSet("policy") && c.IsSet("profile") {
		return nil, errors.New("--policy and --profile exclude each other")
	}
	states := or(c.StringSlice("containerd-state"), engines.Docker.Bundles.States)
	switch {
	case c.IsSet("docker"):
		found, err := locate.Docker(c.Context, c.String("docker"), c.String("docker-host"), dockerExecRoots(c, c.String("docker-host")), states)
		if gone := (*locate.EndedError)(nil); errors.As(err, &gone) {
			return nil, ended(c, gone.Error(), "start it first")
		}
		return found, err
	case c.IsSet("containerd"):
		return locate.Containerd(c.String("containerd"), states[0])
	case c.IsSet("podman"):
		return locate.Podman(c.Context, c.String("podman"))
	}
	return anyEngines(c, c.Args().First())
}

// anyEngines is the running container of that name, of any engine, or the bundle at that path. A name that could mean
// two is refused.
func anyEngines(c *cli.Context, name string) (*locate.Container, error) {
	_, err := os.Stat(path.Join(name, "config.json"))
	isBundle := err == nil
	if isBundle && (path.IsAbs(name) || strings.HasPrefix(name, ".")) {
		return &locate.Container{Bundle: name}, nil
	}
	running, err := ps.List(ps.Options{All: true})
	if err != nil && !errors.Is(err, ps.ErrNotRoot) {
		return nil, err
	}
	var found []*ps.Container
	if err == nil {
		found = called(running.Containers, name)
	}
	var choices []string
	for _, one := range found {
		choices = append(choices, fmt.Sprintf("%q (%s, %q)", one.Called(), cmp.Or(one.Engine, "engine not known"), one.ID))
	}
	switch {
	case isBundle && len(found) > 0:
		return nil, fmt.Errorf("%q is a bundle's directory, and a container's name: %s\nhint: ./%s is the directory, and its id the container", name, strings.Join(choices, ", "), shown(name))
	case len(found) > 1:
		return nil, fmt.Errorf("%q may be any of %s\nhint: name it by its id", name, strings.Join(choices, ", "))
	case len(found) == 1 && found[0].Bundle == "":
		return nil, fmt.Errorf("the bundle of the container %q was not found: %s", name, found[0].Why)
	case len(found) == 1:
		return &locate.Container{ID: found[0].ID, Bundle: found[0].Bundle, Root: found[0].Root(), Running: true}, nil
	case !isBundle && !strings.Contains(name, "/"):
		if err != nil {
			return nil, fmt.Errorf("there is no bundle %q here, and only root may look for a container of that name\nhint: sudo nonroot-ctl explain %s; for your own: --docker %s or --podman %s", name, shown(name), shown(name), shown(name))
		}
		return nil, ended(c, fmt.Sprintf("there is no bundle %q here, and no container of that name or id runs", name),
			fmt.Sprintf("nonroot-ctl ps --all lists those that run; Podman keeps those that have ended (--podman %s)", shown(name)))
	}
	return &locate.Container{Bundle: name}, nil
}

// shortestID is how many characters of an id are enough to name a container.
const shortestID = 4

// called are the containers of that name, or if there are none, those whose id begins with it. A pod's container may
// be named by its own name, its pod's, or both as ps and the log show them; a container of containerd's by namespace
// and id.
func called(all []*ps.Container, name string) []*ps.Container {
	var exact, byID []*ps.Container
	for _, c := range all {
		switch {
		case slices.Contains([]string{c.Name, c.Called(), c.Pod, c.Container, c.ID, c.Namespace + "/" + c.ID}, name):
			exact = append(exact, c)
		case len(name) >= shortestID && strings.HasPrefix(c.ID, name):
			byID = append(byID, c)
		}
	}
	if len(exact) > 0 {
		return exact
	}
	return byID
}

// dockerExecRoots are those that the command line names, else those where daemons have theirs; host is the client's
// -H, "": as in the environment.
func dockerExecRoots(c *cli.Context, host string) []string {
	if host == "" {
		host = os.Getenv("DOCKER_HOST")
	}
	return or(c.StringSlice("docker-exec-root"), engines.DockerExecRoots(os.Getenv("XDG_RUNTIME_DIR"), host))
}

// needsRoot says why an ordinary user finds nothing: engines' bundles belong to root. Rootless Podman's belong to its
// user.
func needsRoot(c *cli.Context, err error) error {
	if os.Geteuid() == 0 || !errors.Is(err, os.ErrPermission) {
		return err
	}
	return fmt.Errorf("the bundles of containers are root's (%w)\nhint: run nonroot-ctl %s as root, with sudo", err, c.Command.Name)
}

// or is the first list, unless it is empty.
func or(given, usual []string) []string {
	if len(given) > 0 {
		return given
	}
	return usual
}

// printReport prints a report for people. What comes from elsewhere is quoted: no text of a container reaches the
// terminal as it is.
func printReport(to io.Writer, r *explain.Report) error {
	p := &printer{}
	p.line("%s", apart(r.Answer, "  "))
	p.line("why: %s", shown(r.Reason()))
	p.problems(r.Problems)
	p.heading("where")
	p.line("bundle     %q", r.Bundle)
	if r.Container != "" {
		p.line("container  %q", r.Container)
	}
	switch r.When {
	case explain.Before:
		p.line("when       before creation: a dry run with the policy in force, nothing is written")
	default:
		p.line("when       after creation: from the record in the bundle")
	}
	p.asked(r.Asked)
	p.decided(&r.Decided)
	heading, changes := "difference in config.json", r.Changes
	if r.Decided.Mode == policy.Audit {
		heading, changes = "what would change in config.json if it were enforced", r.Would
	}
	p.heading(heading)
	if r.Partial {
		p.line("  config.json from before was not kept; this is what the record knows of it")
	}
	for _, c := range changes {
		p.line("  %s", change(c))
	}
	if len(changes) == 0 {
		p.line("  none")
	}
	if len(r.Notes) > 0 {
		p.heading("notes")
		for _, n := range r.Notes {
			p.line("  %s", noted(n, "    "))
		}
	}
	_, err := io.WriteString(to, wrapped(to, p.String()))
	return err
}

// problems prints the worst ones first; those of every image of a distribution share one line.
func (p *printer) problems(all []explain.Problem) {
	p.heading("what it may trip over")
	var usual []string
	for _, t := range all {
		if t.Usual() {
			usual = append(usual, path.Base(t.Where))
			continue
		}
		p.line("  %s %q: %s", t.Kind, t.Where, apart(t.Detail, "    "))
		if row, ok := meaning.ByID("explain-" + t.Kind); ok {
			p.line("    see: %s", row.See())
		}
	}
	switch {
	case len(all) == 0:
		p.line("  nothing that was looked for: home, working directory, volumes, ports, setuid files, entrypoint")
	case len(usual) > 0:
		p.line("  setuid: %s of the distribution's own, which no longer give root: %s", counted(len(usual), "program"), shown(strings.Join(usual, ", ")))
	}
}

type printer struct{ strings.Builder }

func (p *printer) line(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }

func (p *printer) heading(s string) { p.line("\n%s", s) }

func (p *printer) asked(a *explain.Asked) {
	p.heading("asked")
	if a == nil {
		p.line("  config.json can't be read")
		return
	}
	p.line("  user             %d:%d, groups %s", a.UID, a.GID, groups(a.Groups))
	p.line("  command          %s in %q", words(a.Args), a.Cwd)
	if a.Partial {
		p.line("  what follows is as it is since the rewrite:")
	}
	p.line("  capabilities     %s", words(a.Capabilities))
	p.line("  noNewPrivileges  %v", a.NoNewPrivileges)
	p.line("  seccomp          %v", a.Seccomp)
	for _, s := range a.Privileged {
		p.line("  privileged       %s", shown(s))
	}
}

func (p *printer) decided(d *explain.Decided) {
	p.heading("decided")
	if d.Mode == "" {
		d.Mode = "none"
	}
	p.line("  mode             %s", d.Mode)
	if d.Reason != "" {
		reason := noted
		if d.Mode == policy.Off { // the policy's own words
			reason = apart
		}
		p.line("  reason           %s", reason(d.Reason, "                   "))
	}
	if d.Identity != nil {
		p.line("  user             %d:%d, groups %s", d.Identity.UID, d.Identity.GID, groups(d.Identity.Groups))
		p.line("  source           %s: %s", d.Source, d.Source.Sentence())
	}
	if len(d.Dropped) > 0 {
		p.line("  groups dropped   %s", groups(d.Dropped))
	}
	if d.Home != "" {
		of := "the image's own"
		if d.Mounted {
			of = "a tmpfs of its own"
		}
		p.line("  name, home       %q, %q (%s)", d.Name, d.Home, of)
	}
	if d.Rule != "" {
		p.line("  rule             %q", d.Rule)
	}
	if d.Policy != "" {
		p.line("  policy           %q", d.Policy)
	} else {
		p.line("  policy           the built-in one")
	}
	if d.Runtime != "" {
		p.line("  runtime          %q", d.Runtime)
	}
}

func change(c explain.Change) string {
	switch {
	case c.Asked == "":
		return fmt.Sprintf("+ %s: %s", c.What, shown(c.Decided))
	case c.Decided == "":
		return fmt.Sprintf("- %s: %s", c.What, shown(c.Asked))
	}
	return fmt.Sprintf("~ %s: %s -> %s", c.What, shown(c.Asked), shown(c.Decided))
}

func groups(all []uint32) string {
	if len(all) == 0 {
		return "none"
	}
	return strings.Trim(fmt.Sprint(all), "[]")
}

func words(all []string) string {
	if len(all) == 0 {
		return "none"
	}
	out := make([]string, len(all))
	for i, s := range all {
		out[i] = fmt.Sprintf("%q", s)
	}
	return strings.Join(out, " ")
}
