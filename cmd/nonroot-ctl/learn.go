// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	subids "github.com/moby/sys/user"
	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/engines"
	"github.com/nonroot-runc/nonroot-runc/internal/facts"
	"github.com/nonroot-runc/nonroot-runc/internal/learn"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

// learnCommand runs a container once and reports what it was denied.
func learnCommand() *cli.Command {
	return &cli.Command{
		Name:      "learn",
		Usage:     "run a container once, watch what it is denied, and print the policy lines that would allow it",
		ArgsUsage: "BUNDLE-DIR",
		UsageText: "nonroot-ctl learn [options] -- docker run ... | podman run ...\nnonroot-ctl learn [options] BUNDLE-DIR",
		Flags: []cli.Flag{
			&cli.DurationFlag{Name: "for", Usage: "stop watching after `TIME` (30s); the container keeps running", DefaultText: "until it ends"},
			&cli.StringFlag{Name: "policy", Usage: "suggest lines for the policy `FILE` instead of the one in force"},
			&cli.StringFlag{Name: "runtime", Value: "nonroot-runc", Usage: "the `BINARY` that runs a bundle"},
			&cli.StringSliceFlag{Name: "docker-exec-root", Usage: "dockerd's --exec-root `DIR`"},
			&cli.StringSliceFlag{Name: "containerd-state", Usage: "containerd's state `DIR`"},
			&cli.StringFlag{Name: "output", Usage: "write the result to `FILE`, apart from the container's output"},
			&cli.BoolFlag{Name: "json", Usage: "print JSON"},
		},
		Action: runLearn,
	}
}

func runLearn(c *cli.Context) error {
	if c.NArg() == 0 {
		return errors.New("learn takes a command line (-- docker run ...) or a bundle's directory")
	}
	p, err := readPolicy(c.String("policy"), c.IsSet("policy"))
	if err != nil {
		return err
	}
	var out io.Writer = c.App.Writer
	if name := c.String("output"); name != "" {
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return err
		}
		defer f.Close() // what could not be written was said then
		out = f
	}
	ctx, stop := signal.NotifyContext(c.Context, unix.SIGINT, unix.SIGTERM)
	defer stop()
	container, end, err := startToLearn(ctx, c)
	if err != nil {
		return needsRootToLearn(err)
	}
	end = sync.OnceFunc(end)
	defer end()
	l, err := watched(ctx, container, p, c.Duration("for"))
	if err != nil {
		return err
	}
	if l.Ended {
		end() // the container's last output comes first, and the terminal is restored
	}
	if c.Bool("json") {
		return printJSON(out, l.forJSON())
	}
	return l.print(out)
}

// watched collects what a container that is about to start is denied, until it ends or, if there is a limit, for that
// long.
func watched(ctx context.Context, container *learn.Container, p *policy.Policy, limit time.Duration) (*learned, error) {
	a, rule, err := advisor(container, p)
	if err != nil {
		return nil, tooShort(err)
	}
	before := ctx
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	left, closeLeft := leaves(container.Pid)
	defer closeLeft()
	began := time.Now()
	seen, err := learn.Trace(ctx, container.Pid, container.Go, a.Denied)
	if err != nil {
		return nil, tooShort(err)
	}
	for _, p := range seen.Programs {
		if p.Setuid {
			a.Setuid(p.Name)
		} else {
			a.Failed(p.Name, p.Status)
		}
	}
	l := &learned{Seen: seen, Seconds: time.Since(began).Seconds(), Findings: a.Findings(), Lines: a.Lines(), More: a.More, Rule: rule, Governed: a.Record.Enforced()}
	if l.Governed {
		l.Notes, l.Home, l.Mounted, l.AskedHome = a.Record.Notes, a.Record.Home, a.Record.Mounted, a.Record.AskedHome
		l.Identity = a.Record.Identity
	}
	if !seen.Ended && errors.Is(before.Err(), context.Canceled) {
		l.Gone = left(afterInterrupt) // Ctrl-C usually ends the container as well
	}
	return l, nil
}

// needsRootToLearn says why an ordinary user can't watch: bundles and processes of containers belong to root.
func needsRootToLearn(err error) error {
	if os.Geteuid() == 0 || !errors.Is(err, os.ErrPermission) {
		return err
	}
	return fmt.Errorf("watching a container that root's engine runs needs root (%w)\nhint: run nonroot-ctl learn as root, with sudo", err)
}

// afterInterrupt is how long a container that was sent the interrupt, too, may take to end.
const afterInterrupt = 3 * time.Second

// leaves returns a function that waits until a process has ended, and says whether it has.
func leaves(pid int) (wait func(time.Duration) bool, closeIt func()) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return func(time.Duration) bool { return errors.Is(err, unix.ESRCH) }, func() {}
	}
	return func(d time.Duration) bool {
		deadline := time.Now().Add(d)
		for {
			left := max(time.Until(deadline), 0)
			n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(left.Milliseconds())) // #nosec G115 -- a descriptor
			if !errors.Is(err, unix.EINTR) {
				return err == nil && n > 0
			}
		}
	}, func() { _ = unix.Close(fd) }
}

// advisor knows what the container has, and the host. The rule is the one that it was decided by; "": the general
// part.
func advisor(container *learn.Container, p *policy.Policy) (a *learn.Advisor, rule string, err error) {
	mounts, rootfs, err := container.Files()
	if err != nil {
		return nil, "", err
	}
	r, err := container.Record(facts.AnyCaller().Owners)
	if err != nil {
		return nil, "", err
	}
	general := p
	// A rule's own lists replace the general part's.
	if at := slices.IndexFunc(p.Rules, func(one policy.Rule) bool { return r != nil && r.Rule == one.Name }); at >= 0 {
		rule, p = p.Rules[at].Name, p.Rules[at].Policy
	}
	account := func(uid uint32) string {
		u, err := user.LookupId(strconv.FormatUint(uint64(uid), 10))
		if err != nil {
			return ""
		}
		return u.Username
	}
	asked, err := container.Asked(facts.AnyCaller().Owners)
	if err != nil {
		return nil, "", err
	}
	return &learn.Advisor{
		Asked: asked, Rootless: os.Geteuid() != 0, Podman: container.Podman,
		Policy: p, General: general, Rootfs: rootfs, Mounts: mounts, Record: r, Account: account, Subordinate: subordinate,
		Groups: facts.HostGroups(),
	}, rule, nil
}

// subordinate says whose subordinate ids an id belongs to, "uid" or "gid" (subuid(5), subgid(5)). A file that can't
// be read says nothing.
func subordinate(kind string, id uint32) string {
	all, _ := subids.ParseSubIDFile("/etc/sub" + kind) // as said above
	for _, r := range all {
		if int64(id) >= r.SubID && int64(id)-r.SubID < r.Count {
			return r.Name
		}
	}
	return ""
}

// tooShort explains that the files of a container don't exist any more.
func tooShort(err error) error {
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("the container ended before it could be watched: %w", err)
	}
	return err
}

// startToLearn starts the container, and returns what is to be done at the end.
func startToLearn(ctx context.Context, c *cli.Context) (*learn.Container, func(), error) {
	if c.NArg() == 1 {
		binary, err := exec.LookPath(c.String("runtime"))
		if err != nil {
			return nil, nil, err
		}
		dir, err := filepath.Abs(c.Args().First())
		if err != nil {
			return nil, nil, err
		}
		b := &learn.Bundle{Dir: dir, Runtime: binary, Owners: facts.AnyCaller().Owners}
		container, err := b.Start(ctx)
		return container, func() {
			if err := b.Remove(); err != nil {
				_, _ = fmt.Fprintf(c.App.ErrWriter, "nonroot-ctl: remove what was learned from: %v\n", err)
			}
		}, err
	}
	e, err := learn.ParseEngine(c.Args().Slice())
	if err != nil {
		return nil, nil, err
	}
	e.ExecRoots, e.States = dockerExecRoots(c, e.Host()), or(c.StringSlice("containerd-state"), engines.Docker.Bundles.States)
	container, err := e.Start(ctx)
	return container, func() {
		if !e.Wait(ctx) {
			_, _ = fmt.Fprintf(c.App.ErrWriter, "nonroot-ctl: the container is still running: its first process does not handle the signal that was to end it\nhint: %s rm --force %s\n", filepath.Base(c.Args().First()), shown(e.ID()))
		}
	}, err
}

// learned is everything there is to report.
type learned struct {
	*learn.Seen
	Seconds   float64
	Findings  []*learn.Finding
	Lines     []string
	More      int
	Rule      string   // of the policy, for the lines
	Gone      bool     // it ended when watching was interrupted
	Governed  bool     // nonroot-runc created it, and it could not be root
	Notes     []string // the notes of its creation
	Home      string   // where HOME points; "": unknown
	Mounted   bool     // to a tmpfs of its own
	AskedHome string   // where it would have pointed; "": to the same place, or nowhere

	Identity *decision.Identity // its user; nil: not governed
}

func (l *learned) ended() string {
	switch {
	case l.Gone:
		return "it ended after the interrupt"
	case !l.Ended:
		return "it goes on"
	case l.Status.Signaled():
		return fmt.Sprintf("it was ended by signal %d", l.Status.Signal())
	}
	return fmt.Sprintf("it ended with %d", l.Status.ExitStatus())
}

// eachCall says why the container was stopped at each call; "": it was stopped at denied ones only.
func (l *learned) eachCall() string {
	if l.EachCall == nil {
		return ""
	}
	return l.EachCall.Error()
}

// learnedJSON is the JSON of learn.
type learnedJSON struct {
	Governed  bool             `json:"governed"` // nonroot-runc created it, and it could not be root
	Late      bool             `json:"late"`     // its first program had started before it was watched
	Processes int              `json:"processes"`
	Seconds   float64          `json:"seconds"` // how long it was watched
	Ended     bool             `json:"ended"`
	Status    string           `json:"status"`              // how it ended, in words
	EachCall  string           `json:"each_call,omitempty"` // why it was stopped at each call, which is slow; left out: at denied ones only
	Findings  []*learn.Finding `json:"findings"`
	More      int              `json:"more,omitempty"`         // findings beyond those
	Rule      string           `json:"rule,omitempty"`         // of the policy, for the lines
	Policy    []string         `json:"policy"`                 // lines that would allow it
	Home      string           `json:"home,omitempty"`         // where HOME points; left out: unknown
	Mounted   bool             `json:"home_mounted,omitempty"` // to a tmpfs of its own
	AskedHome string           `json:"asked_home,omitempty"`   // where HOME would have pointed; left out: to the same place, or nowhere
	Notes     []string         `json:"notes,omitempty"`        // the notes of its creation
}

func (l *learned) forJSON() learnedJSON {
	return learnedJSON{l.Governed, l.Late, l.Processes, l.Seconds, l.Ended || l.Gone, l.ended(), l.eachCall(), list(l.Findings), l.More, l.Rule, list(l.Lines), l.Home, l.Mounted, l.AskedHome, l.Notes}
}

// list makes JSON write [] instead of null.
func list[T any](all []T) []T {
	if all == nil {
		return []T{}
	}
	return all
}

// byItself says where else to look if a container has failed although the kernel denied nothing.
func (l *learned) byItself() string {
	if !l.Ended || l.Status.Signaled() || l.Status.ExitStatus() == 0 {
		return ""
	}
	why := "; a program that sees that it is not root may exit like this, without having tried anything"
	if l.AskedHome != "" {
		why += fmt.Sprintf(", and so can one that looks for its files in %q", l.AskedHome)
	}
	return fmt.Sprintf(" by the kernel: it ended with %d by itself%s. What it has printed, and the notes, say more", l.Status.ExitStatus(), why)
}

func (l *learned) print(to io.Writer) error {
	p := &printer{}
	p.line("watched    %s for %.1f s; %s", counted(l.Processes, "process"), l.Seconds, l.ended())
	if !l.Governed {
		p.line("           nonroot-runc did not create this container, or the policy exempts it: whatever it was denied, others denied it")
	}
	if l.Late {
		p.line("           the container's first program had begun before it could be watched: its first calls were not seen")
	}
	if why := l.eachCall(); why != "" {
		p.line("           it was stopped at each system call, which is slow, and not at denied ones only: %s", shown(why))
	}
	if l.Home != "" {
		of := ""
		if l.Mounted {
			of = " (a tmpfs of its own)"
		}
		if l.AskedHome != "" {
			of += fmt.Sprintf(", where %q was asked for", l.AskedHome)
		}
		p.line("home       %q%s", l.Home, of)
	}
	if len(l.Notes) > 0 {
		p.heading("noted at creation")
		for _, note := range l.Notes {
			p.line("  %s", noted(note, "    "))
		}
	}
	p.heading("denied")
	for _, f := range l.Findings {
		p.line("  %s %q: %s", f.Kind, f.What, shown(f.Why))
		p.line("    %s by %s, %s", shown(strings.Join(f.Calls, ", ")), words(f.By), counted(f.Count, "time"))
	}
	if l.More > 0 {
		p.line("  and %d more", l.More)
	}
	if len(l.Findings) == 0 {
		p.line("  nothing%s", l.byItself())
	}
	if len(l.Findings) == 0 && l.More == 0 && len(l.Lines) == 0 {
		_, err := io.WriteString(to, wrapped(to, p.String()))
		return err
	}
	text := wrapped(to, p.String())
	p.Reset() // what follows is copied
	if l.Rule != "" {
		p.heading(fmt.Sprintf("policy lines, for the rule %q", l.Rule))
	} else {
		p.heading("policy lines")
	}
	for _, line := range l.Lines {
		p.line("  %s", line)
	}
	if len(l.Lines) == 0 {
		p.line("  none that would allow it")
	}
	_, err := io.WriteString(to, text+p.String())
	return err
}
