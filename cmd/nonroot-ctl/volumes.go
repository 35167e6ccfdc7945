// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/nonroot-runc/nonroot-runc/internal/adopt"
	"github.com/nonroot-runc/nonroot-runc/internal/ids"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/report"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// volumesCommand is for volumes from before the roll-out.
func volumesCommand() *cli.Command {
	file := &cli.StringFlag{Name: "policy", Usage: "use the policy in `FILE` instead of the one in force"}
	asJSON := &cli.BoolFlag{Name: "json", Usage: "print JSON"}
	user := &cli.StringFlag{Name: "user", Usage: "the new owner of root's files, `UID[:GID]` on disk (default: the user that its containers run as)"}
	from := &cli.StringFlag{Name: "from", Usage: "root's ids on disk, `UID[:GID]`: the first ids of a user namespace's map (default: 0:0)"}
	group := &cli.StringFlag{Name: "group", Usage: "give the group `GID` (on disk) the access of root's group; owners do not change"}
	force := &cli.BoolFlag{Name: "force", Usage: "change a volume even while a container uses it"}
	dry := &cli.BoolFlag{Name: "dry-run", Usage: "print the changes without making them"}
	return &cli.Command{
		Name: "volumes", Usage: "change the owner of volumes that root has written to, to the user that uses them now", HideHelpCommand: true,
		UsageText: "nonroot-ctl volumes list|adopt|undo [options] [VOLUME...]",
		Subcommands: []*cli.Command{
			{
				Name: "list", Usage: "list volumes of Docker and Podman that root wrote to", HideHelpCommand: true,
				UsageText: "nonroot-ctl volumes list [options]", Flags: []cli.Flag{asJSON}, Action: volumesList,
			},
			{
				Name: "adopt", Usage: "change the owner of root's files in volumes", ArgsUsage: "VOLUME...", HideHelpCommand: true,
				UsageText: "nonroot-ctl volumes adopt [options] VOLUME...", Flags: []cli.Flag{file, user, group, from, force, dry, asJSON},
				Action: func(c *cli.Context) error { return volumesChange(c, adopt.Adopt, true) },
			},
			{
				Name: "undo", Usage: "revert what adopt changed", ArgsUsage: "VOLUME...", HideHelpCommand: true,
				UsageText: "nonroot-ctl volumes undo [options] VOLUME...", Flags: []cli.Flag{file, user, dry, asJSON},
				Action: func(c *cli.Context) error { return volumesChange(c, adopt.Undo, false) },
			},
		},
	}
}

func volumesList(c *cli.Context) error {
	if c.NArg() > 0 {
		return errors.New("volumes list takes no arguments")
	}
	if os.Geteuid() != 0 {
		return errVolumesNeedRoot
	}
	owners := trusted.CallersOwners(nil)
	found, groups, parts := []string{}, []string{}, []part{}
	for _, dir := range adopt.All(owners) {
		switch left := adopt.LeftIn(dir, owners); {
		case left.Roots:
			found = append(found, dir)
		case left.Groups:
			groups = append(groups, dir)
		case left.Part != "":
			parts = append(parts, part{dir, left.Part, left.Who.UID, left.Who.GID})
		}
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, toAdopt{groups, parts, found})
	}
	p := &printer{}
	for _, dir := range found {
		named := ""
		if adopt.Named(dir, owners) {
			named = ": its access control list (getfacl) already lets others write there"
		}
		p.line("%s%s", shown(dir), named)
	}
	for _, v := range parts {
		p.line("%s belongs to %d:%d, and %s in it is root's: they can't write it", shown(v.Volume), v.UID, v.GID, shown(v.Name))
	}
	if len(parts) > 0 {
		p.line("hint: stop their containers, and run nonroot-ctl volumes adopt --user UID:GID VOLUME, with the ids it belongs to (an image's own files that are only read can stay root's)")
	}
	if len(found)+len(parts)+len(groups) == 0 {
		p.line("no volume of Docker's or Podman's is root's")
	}
	if len(found) > 0 {
		p.line("%s root's: containers that are not root can't write in them", counted(len(found), "volume")+map[bool]string{true: " is", false: " are"}[len(found) == 1])
		p.line("hint: stop their containers, and run nonroot-ctl volumes adopt VOLUME (with --user UID:GID where it can't tell whose it is: nonroot-ctl explain shows the ids of a container)")
	}
	for _, dir := range groups {
		p.line("%s is open to root's group, which no container has", shown(dir))
	}
	if len(groups) > 0 {
		p.line("hint: stop their containers, and run nonroot-ctl volumes adopt --group GID VOLUME, with the group of those that write there (nonroot-ctl explain shows it)")
	}
	_, err := io.WriteString(c.App.Writer, wrapped(c.App.Writer, p.String()))
	return err
}

// part is a volume of another user that contains files of root's. toAdopt is the JSON of volumes list.
type toAdopt struct {
	Groups  []string `json:"group_volumes"` // open to root's group
	Parts   []part   `json:"part_volumes"`  // of other users, with files of root's in them
	Volumes []string `json:"volumes"`       // that root has written to
}

type part struct {
	Volume string `json:"volume"`
	Name   string `json:"name"` // what belongs to root in it
	UID    uint32 `json:"uid"`
	GID    uint32 `json:"gid"`
}

var errVolumesNeedRoot = errors.New("volumes belong to root\nhint: run nonroot-ctl volumes as root, with sudo")

func volumesChange(c *cli.Context, do func(*adopt.Options) (*adopt.Result, error), gives bool) error {
	if !c.Args().Present() {
		return fmt.Errorf("volumes %s needs the name or the path of a volume\nhint: nonroot-ctl volumes list names them", c.Command.Name)
	}
	if os.Geteuid() != 0 {
		return errVolumesNeedRoot
	}
	owners := trusted.CallersOwners(nil)
	p, err := readPolicy(c.String("policy"), false)
	if err != nil {
		return err
	}
	var to adopt.ID
	if text := c.String("user"); text != "" {
		if to, err = parseID("user", text); err != nil {
			return err
		}
	}
	if text := c.String("group"); text != "" {
		gid, ok := ids.Plain(text)
		switch {
		case !ok || gid == 0:
			return fmt.Errorf("--group is %q\nhint: name a gid above 0", text)
		case to.UID != 0:
			return errors.New("--user and --group exclude each other\nhint: use the one in the container's note")
		}
		to = adopt.ID{GID: gid}
	}
	var from adopt.ID
	if text := c.String("from"); text != "" {
		if from, err = parseID("from", text); err != nil {
			return err
		}
	}
	audited := auditedIn(p)
	results, leaves := []*adopt.Result{}, []string{}
	for _, volume := range c.Args().Slice() {
		dir, err := adopt.Find(volume, owners)
		if err != nil {
			return err
		}
		its := to
		if gives {
			if its, err = givenTo(c, dir, to, from, audited); err != nil {
				return err
			}
		}
		if gives && from.UID != 0 {
			// Its containers may all be in a user namespace, which --from was found by: none of them is reported
			// then.
			users, _ := adopt.Users(c.Context, dir, audited)
			leaves = append(leaves, adopt.Leaves(users, from, its)...)
		}
		r, err := do(&adopt.Options{Volume: dir, To: its, Group: c.String("group") != "", From: from, State: p.State, DryRun: c.Bool("dry-run")})
		if err != nil {
			return err
		}
		results = append(results, r)
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, results)
	}
	out := &printer{}
	done := map[bool]string{true: "would change", false: "changed"}[c.Bool("dry-run")]
	what := map[bool]string{true: "group", false: "owner"}[c.String("group") != ""]
	for _, r := range results {
		others := ""
		if what == "owner" && r.Others > 0 {
			others = ", and left " + counted(r.Others, "file") + " of other users alone"
		}
		out.line("%s: %s the %s of %s%s", shown(r.Volume), done, what, counted(r.Given, "file"), others)
		for _, s := range r.Skipped {
			out.line("  not changed: %s", shown(s))
		}
	}
	for _, name := range leaves {
		out.line("%q was %d:%d at its last start, and is so when it is started again\nhint: create it again", name, from.UID, from.GID)
	}
	_, err = io.WriteString(c.App.Writer, out.String())
	return err
}

// givenTo returns the new owner of a volume: the one on the command line, or else the user of its containers. Unless --force or --dry-run is
// set, it fails if a running container has the volume, because another user would own its open files.
func givenTo(c *cli.Context, dir string, named, from adopt.ID, audited adopt.Audited) (adopt.ID, error) {
	if !c.Bool("force") && !c.Bool("dry-run") {
		running, err := adopt.Running(dir)
		if err != nil {
			return named, err
		}
		if len(running) > 0 {
			return named, adopt.StillRun(dir, running)
		}
	}
	switch {
	case named.GID != 0:
		return named, nil
	case from.UID != 0:
		return named, errors.New("--from needs --user: what a container in a user namespace is on disk can't be told from its volume\nhint: the note in the log has both")
	}
	users, err := adopt.Users(c.Context, dir, audited)
	if err != nil {
		return named, fmt.Errorf("find the containers of the volume %q: %w\nhint: name its user with --user UID:GID", dir, err)
	}
	return adopt.Whose(dir, users)
}

// lastIn finds the last line in the policy's log about the creation of a container; the log is read when it is first
// asked for. nil: none.
func lastIn(p *policy.Policy) func(id string) *report.Line {
	var last map[string]*report.Line
	return func(id string) *report.Line {
		if last == nil {
			last = map[string]*report.Line{}
			if p.Log.File == "" {
				return nil
			}
			logs, _, err := report.Rotated(p.Log.File)
			if err != nil {
				return nil
			}
			for _, name := range logs {
				_, _ = report.ReadFile(name, func(l *report.Line) { // what can't be read says nothing
					if (l.Event == "create" || l.Event == "run") && (last[l.ID] == nil || last[l.ID].Time.Before(l.Time)) {
						last[l.ID] = l
					}
				})
			}
		}
		return last[id]
	}
}

// auditedIn finds, in the policy's log, the identity that an audited container would have had.
func auditedIn(p *policy.Policy) adopt.Audited {
	last := lastIn(p)
	return func(id string) (policy.LastStart, bool) {
		l := last(id)
		if l == nil || l.Mode != policy.Audit || l.To == nil || l.To.UID == 0 || l.To.GID == 0 || l.Reason != "" {
			return policy.LastStart{}, false
		}
		return policy.LastStart{Identity: policy.Identity{UID: l.To.UID, GID: l.To.GID}, Source: policy.Source(l.Source)}, true
	}
}

// parseID reads UID or UID:GID; without a group, the gid is the same number.
func parseID(option, text string) (adopt.ID, error) {
	uid, gid, hasGroup := strings.Cut(text, ":")
	if !hasGroup {
		gid = uid
	}
	u, ok := ids.Plain(uid)
	g, ok2 := ids.Plain(gid)
	if !ok || !ok2 || u == 0 || g == 0 {
		return adopt.ID{}, fmt.Errorf("--%s is %q\nhint: name ids above 0, such as 999 or 999:999", option, text)
	}
	return adopt.ID{UID: u, GID: g}, nil
}
