// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/nonroot-runc/nonroot-runc/internal/adopt"
	"github.com/nonroot-runc/nonroot-runc/internal/auditlog"
	"github.com/nonroot-runc/nonroot-runc/internal/hint"
	"github.com/nonroot-runc/nonroot-runc/internal/layer"
	"github.com/nonroot-runc/nonroot-runc/internal/meaning"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/report"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// reportCommand summarizes the logs of decisions.
func reportCommand() *cli.Command {
	return &cli.Command{
		Name:      "report",
		Usage:     "say what ran as root, what was rewritten and what was refused, from the log of decisions",
		ArgsUsage: "[LOG...]",
		UsageText: "nonroot-ctl report [options] [LOG...]",
		Flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "log", Usage: "read this `FILE` (\"-\": stdin) instead of the policy's log and its rotated files"},
			&cli.StringFlag{Name: "policy", Usage: "use log and exemptions of the policy `FILE` instead of the one in force"},
			&cli.StringFlag{Name: "profile", Usage: "use those of the policy of the binary nonroot-runc.`NAME`"},
			&cli.StringFlag{Name: "since", Usage: "leave out everything before `TIME`: 2006-01-02, RFC 3339, or an age such as 36h or 7d"},
			&cli.StringFlag{Name: "until", Usage: "leave out everything from `TIME` on"},
			&cli.BoolFlag{Name: "json", Usage: "print JSON"},
			&cli.BoolFlag{Name: "csv", Usage: "print CSV"},
			&cli.StringFlag{Name: "html", Usage: "write one HTML page to `FILE`"},
			&cli.StringFlag{Name: "textfile", Usage: "write node-exporter's text format to `FILE`"},
		},
		Action: runReport,
	}
}

func runReport(c *cli.Context) error {
	switch {
	case c.IsSet("policy") && c.IsSet("profile"):
		return errors.New("--policy and --profile exclude each other")
	case c.Bool("json") && c.Bool("csv"):
		return errors.New("--json and --csv exclude each other")
	}
	now := time.Now().UTC()
	since, err := parseTime(c.String("since"), now)
	if err != nil {
		return fmt.Errorf("--since: %w", err)
	}
	until, err := parseTime(c.String("until"), now)
	if err != nil {
		return fmt.Errorf("--until: %w", err)
	}
	p, err := policyNamed(c)
	if err != nil {
		return err
	}
	logs, unread, err := logsOf(append(c.StringSlice("log"), c.Args().Slice()...), p)
	if err != nil {
		return err
	}
	collected := report.NewCollector(since, until, exemptions(p))
	var unreadable []error // an unreadable file must not look like a good result
	for _, name := range logs {
		read := 0
		stop := working(c.App.ErrWriter, "reading "+shown(name))
		malformed, err := report.ReadFile(name, func(l *report.Line) { read++; collected.Add(l) })
		stop()
		if err != nil {
			return err
		}
		collected.Malformed(malformed)
		if malformed > 0 && read == 0 {
			unreadable = append(unreadable, fmt.Errorf("%q is not a log of decisions: none of its %s could be read", name, counted(malformed, "line")))
		}
	}
	s := collected.Summary(now)
	s.Logs, s.Unread = logs, unread
	lookAtVolumes(s.Volumes)
	if lost, err := auditlog.ReadLost(p.State, trusted.CallersOwners(nil)); err == nil && lost.Count > 0 {
		s.Lost = &report.Lost{Count: lost.Count, Last: lost.Last, Reason: lost.Reason}
	}
	if err := writeReport(c, s); err != nil {
		return err
	}
	return errors.Join(unreadable...)
}

// logsOf are the logs that the command line names, else the policy's and those that were rotated away from it.
func logsOf(named []string, p *policy.Policy) (logs, unread []string, err error) {
	if len(named) > 0 {
		return named, nil, nil
	}
	if p.Log.File == "" {
		switch {
		case p.Log.Journald:
			return nil, nil, errors.New("the policy logs to the journal, not to a file\nhint: journalctl -t nonroot-runc -o cat | nonroot-ctl report -")
		case p.Log.Syslog:
			return nil, nil, errors.New("the policy logs to syslog, not to a file\nhint: nonroot-ctl report FILE, where FILE is what the syslog daemon writes")
		}
		return nil, nil, errors.New("the policy logs no decisions, so there is nothing to report\nhint: set log.file = \"/var/log/nonroot-runc.log\" in it, by nonroot-ctl policy apply, and containers that start from then on are in the report")
	}
	logs, unread, err = report.Rotated(p.Log.File)
	for _, name := range unread {
		fmt.Fprintf(os.Stderr, "nonroot-ctl: not in the report: %q, which gzip has not compressed: hand it over unpacked, with \"-\" as the name\n", name)
	}
	return logs, unread, err
}

// lookAtVolumes adds the present state of the volumes that the log names: it names one at each creation, and says
// nothing of its adoption. Only root can look; for others all volumes still have to be adopted.
func lookAtVolumes(all []report.Volume) {
	if os.Geteuid() != 0 {
		return
	}
	owners := trusted.CallersOwners(nil)
	for i := range all {
		dir := all[i].Directory
		switch _, err := os.Lstat(dir); {
		case errors.Is(err, os.ErrNotExist):
			all[i].Now = report.Gone
		case err == nil && layer.IsVolume(dir, owners) && adopt.LeftIn(dir, owners) == (adopt.Left{}):
			all[i].Now = report.Adopted
		}
	}
}

// exemptions are the parts of a policy that leave containers unchanged, by their names in the log.
func exemptions(p *policy.Policy) []report.Exemption {
	var all []report.Exemption
	if p.Mode.Exempts() {
		all = append(all, report.Exemption{Name: p.Rule, Mode: p.Mode})
	}
	if p.Existing.Exempts() {
		all = append(all, report.Exemption{Name: existingRule, Mode: p.Existing})
	}
	if len(p.Build.Bundles) > 0 && p.Build.Mode.Exempts() {
		all = append(all, report.Exemption{Name: "build", Mode: p.Build.Mode})
	}
	for _, r := range p.Rules {
		if r.Policy.Mode.Exempts() {
			all = append(all, report.Exemption{Name: r.Name, Mode: r.Policy.Mode, Until: r.LastDay(), End: r.Until})
		}
	}
	return all
}

// existingRule is the log's name for existing = "leave".
const existingRule = "existing"

// parseTime reads a day, a time, or how long ago; an empty text is the zero time.
func parseTime(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			return now.AddDate(0, 0, -int(n)), nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	return time.Time{}, fmt.Errorf("%q is not a time\nhint: give a day such as 2026-01-31, a time such as 2026-01-31T08:00:00Z, or a time ago such as 36h or 7d", text)
}

// writeReport writes what is asked for: to stdout unless only files are.
func writeReport(c *cli.Context, s *report.Summary) error {
	if name := c.String("textfile"); name != "" {
		if err := replaceFile(name, s.Metrics()); err != nil {
			return err
		}
	}
	if name := c.String("html"); name != "" {
		host, err := os.Hostname()
		if err != nil {
			return err
		}
		var b bytes.Buffer
		if err := s.Page(&b, host); err != nil {
			return err
		}
		if err := replaceFile(name, b.Bytes()); err != nil {
			return err
		}
	}
	switch {
	case c.Bool("json"):
		return printJSON(c.App.Writer, s)
	case c.Bool("csv"):
		return printCSV(c.App.Writer, s)
	case c.IsSet("html") || c.IsSet("textfile"):
		return nil
	}
	return printSummary(c.App.Writer, s)
}

// replaceFile replaces a file atomically: whoever reads it sees the old one or the new one.
func replaceFile(name string, data []byte) error {
	dir, err := trusted.Open(filepath.Dir(name), trusted.CallersOwners(nil))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Replace(filepath.Base(name), data, 0o644, "")
}

// inText bounds the lines of each kind that are printed for people.
const inText = 20

func printSummary(to io.Writer, s *report.Summary) error {
	p := &printer{}
	if s.Lines == 0 {
		p.line("no decision was found")
	} else {
		p.line("%s of the log, from %s to %s", counted(s.Lines, "line"), stamp(s.First), stamp(s.Last))
	}
	if l := s.Lost; l != nil {
		p.line("note: %d lines could not be written on this machine, the last one on %s: %s", l.Count, stamp(l.Last), shown(l.Reason))
	}
	if s.Malformed > 0 {
		p.line("%s could not be read", counted(s.Malformed, "line"))
	}
	p.line("ran as root %d, refused %d, left alone %d, without root %d", s.Total.Root, s.Total.Refused, s.Total.Exempted, s.Total.Rewritten)
	if n := s.Total.Unstarted; n > 0 {
		p.line("created as root %s, with no start in these logs: it failed, or its start is in another log", counted(n, "time"))
	}
	if s.SelfTests > 0 {
		p.line("%s of nonroot-ctl doctor's self-test left out", counted(s.SelfTests, "line"))
	}
	if s.InDocker > 0 {
		p.line("%s about containers called as doctor --engine docker calls its own: counted, as anybody at Docker may take such a name", counted(s.InDocker, "decision"))
	}
	for _, t := range []struct {
		title  string
		groups []report.Group
	}{{"IMAGE", s.Images}, {"NAMESPACE", s.Namespaces}, {"RULE", s.Rules}, {"PROFILE", s.Profiles}} {
		p.groups(t.title, t.groups, screen(to))
	}
	p.changes(s.Changes)
	p.asRoot(s.Containers)
	p.reasons("refused because", s.Refusals)
	p.reasons("would be refused, were it not for mode audit, because", s.Would)
	p.reasons("the policy's [audit] part would have", s.Audited)
	p.volumes(s.Open())
	if len(s.Exemptions) > 0 {
		p.heading("exemptions of the policy")
		for _, e := range s.Exemptions {
			p.line("  %q, mode %s: %s", e.Name, e.Mode, state(e))
		}
	}
	_, err := io.WriteString(to, wrapped(to, p.String()))
	return err
}

func (p *printer) groups(title string, groups []report.Group, width int) {
	if len(groups) == 0 {
		return
	}
	p.line("")
	var rows [][]string
	for _, g := range groups[:min(len(groups), inText)] {
		row := []string{shown(g.Name)}
		for _, n := range []int{g.Root, g.Unstarted, g.Refused, g.Exempted, g.Rewritten} {
			row = append(row, strconv.Itoa(n))
		}
		rows = append(rows, append(row, stamp(g.Last)))
	}
	p.line("%s", table(width, []string{title, "AS ROOT", "NO START", "REFUSED", "LEFT ALONE", "WITHOUT ROOT", "LAST"}, rows))
	p.more(len(groups))
}

func (p *printer) reasons(title string, all []report.Refusal) {
	if len(all) == 0 {
		return
	}
	p.heading(title)
	for _, r := range all[:min(len(all), inText)] {
		finding, advice := hint.Split(r.Reason)
		p.line("  %s: %s (last: %q, %s)", counted(r.Count, "time"), shown(finding), r.Container, stamp(r.Last))
		if advice != "" {
			p.line("    hint: %s", shown(advice))
		}
		if row, ok := meaning.Of(r.Reason); ok {
			p.line("    see: %s", row.See())
		}
	}
	p.more(len(all))
}

// changes lists the times when the policy's mode changed.
func (p *printer) changes(all []report.Change) {
	if len(all) == 0 {
		return
	}
	p.heading("the policy's mode changed")
	for _, c := range all[max(0, len(all)-inText):] {
		profile := ""
		if c.Profile != "" {
			profile = fmt.Sprintf(", profile %q", c.Profile)
		}
		p.line("  %s: from %s to %s%s", stamp(c.Time), c.From, c.To, profile)
	}
}

// volumes lists those that have to be adopted.
func (p *printer) volumes(all []report.Volume) {
	if len(all) == 0 {
		return
	}
	p.heading("volumes to adopt, in which root or root's group has written: the identity can't write there")
	for _, v := range all[:min(len(all), inText)] {
		gone := map[bool]string{true: "; it is not on this machine now"}[v.Now == report.Gone]
		p.line("  %s: %s (last: %q, %s)%s", shown(v.Directory), counted(v.Count, "time"), v.Container, stamp(v.Last), gone)
	}
	p.line("    hint: stop their containers, and run nonroot-ctl volumes adopt --user UID:GID VOLUME (or --group GID, as the note of its container has it), with the ids of those who use them; nonroot-ctl volumes list says which still are")
	p.more(len(all))
}

// asRoot lists the containers that were left as root, the latest first.
func (p *printer) asRoot(all []report.Container) {
	if len(all) == 0 {
		return
	}
	p.heading("left as root")
	for _, c := range all[:min(len(all), inText)] {
		by := fmt.Sprintf("mode %s, rule %q", c.Mode, c.Rule)
		if c.Profile != "" {
			by += fmt.Sprintf(", profile %q", c.Profile)
		}
		if c.Unstarted {
			by += ", no start in these logs"
		}
		if c.SelfTest {
			by += ", called like doctor's self-test"
		}
		p.line("  %q, image %q: %s; created %s, %s, last %s", c.Name, c.Image, by, counted(c.Created, "time"), counted(c.Execs, "exec"), stamp(c.Last))
	}
	p.more(len(all))
}

func (p *printer) more(n int) {
	if n > inText {
		p.line("  and %d more: --json and --csv have all", n-inText)
	}
}

func state(e report.Exemption) string {
	used := "never used in these logs"
	if e.Used > 0 {
		used = fmt.Sprintf("used %s, last %s", counted(e.Used, "time"), stamp(e.Last))
	}
	switch {
	case e.Expired:
		return "has run out: its last day was " + e.Until + ", " + used
	case e.Until != "":
		return used + "; until " + e.Until
	}
	return used
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// printCSV writes a row for each image, namespace, rule, reason of a refusal, and exemption.
func printCSV(to io.Writer, s *report.Summary) error {
	w := csv.NewWriter(to)
	rows := [][]string{{"kind", "name", "as_root", "refused", "left_alone", "without_root", "last", "until", "state", "no_start"}}
	for _, t := range []struct {
		kind   string
		groups []report.Group
	}{{"image", s.Images}, {"namespace", s.Namespaces}, {"rule", s.Rules}, {"profile", s.Profiles}} {
		for _, g := range t.groups {
			rows = append(rows, []string{t.kind, cell(g.Name), strconv.Itoa(g.Root), strconv.Itoa(g.Refused), strconv.Itoa(g.Exempted), strconv.Itoa(g.Rewritten), stamp(g.Last), "", "", strconv.Itoa(g.Unstarted)})
		}
	}
	for _, c := range s.Containers {
		ran, unstarted := c.Created+c.Execs, 0
		if c.Unstarted {
			ran, unstarted = 0, c.Created
		}
		rows = append(rows, []string{"container", cell(c.Name), strconv.Itoa(ran), "", "", "", stamp(c.Last), "", string(c.Mode), strconv.Itoa(unstarted)})
	}
	for _, r := range s.Would {
		rows = append(rows, []string{"would refuse", cell(r.Reason), "", strconv.Itoa(r.Count), "", "", stamp(r.Last), "", "", ""})
	}
	for _, r := range s.Audited {
		rows = append(rows, []string{"audited", cell(r.Reason), "", strconv.Itoa(r.Count), "", "", stamp(r.Last), "", "", ""})
	}
	for _, r := range s.Refusals {
		rows = append(rows, []string{"refusal", cell(r.Reason), "", strconv.Itoa(r.Count), "", "", stamp(r.Last), "", "", ""})
	}
	for _, e := range s.Exemptions {
		until, last := e.Until, ""
		if e.Used > 0 {
			last = stamp(e.Last)
		}
		rows = append(rows, []string{"exemption", cell(e.Name), "", "", strconv.Itoa(e.Used), "", last, until, state(e), ""})
	}
	if err := w.WriteAll(rows); err != nil {
		return err
	}
	return w.Error()
}

// cell protects a text from spreadsheets: one that begins like a formula gets an apostrophe in front.
func cell(s string) string {
	s = shown(s)
	if s != "" && strings.ContainsRune("=+-@", rune(s[0])) {
		return "'" + s
	}
	return s
}
