// SPDX-License-Identifier: Apache-2.0

package check

import (
	"archive/tar"
	"fmt"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/accounts"
	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/imagefile"
	"github.com/nonroot-runc/nonroot-runc/internal/imageuser"
	"github.com/nonroot-runc/nonroot-runc/internal/layer"
	"github.com/nonroot-runc/nonroot-runc/internal/links"
	"github.com/nonroot-runc/nonroot-runc/internal/plan"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/program"
	"github.com/nonroot-runc/nonroot-runc/internal/quote"
	"github.com/nonroot-runc/nonroot-runc/internal/rootfs"
	"github.com/nonroot-runc/nonroot-runc/internal/trial"
)

// picture is an image that the rules look at.
type picture struct {
	file, object string
	*imagefile.Image
	docker, containerd imageuser.Who
	files              accounts.Files
	result             *Result
}

// Image checks an image that was read from a file.
func Image(file string, image *imagefile.Image, o Options) Result {
	r := Result{File: file, Object: image.Name, User: image.Config.Config.User, Findings: []Finding{}}
	if image.OS == "windows" {
		r.Verdict = Windows
		return r
	}
	p := &picture{file: file, object: image.Name, Image: image, result: &r}
	p.files.Passwd, p.files.Group = image.Accounts()
	as := imageuser.Accounts{Passwd: p.files.Passwd, Group: p.files.Group}
	p.docker, p.containerd = as.Docker(r.User), as.Containerd(r.User)
	r.Verdict = p.verdict()
	says := "has the user " + quote.Value(r.User)
	if r.User == "" {
		says = "names no user"
	}
	r.Steps = []Step{{Text: fmt.Sprintf("its configuration %s: Docker and Podman start %s, containerd starts %s", says, p.docker, p.containerd)}}
	p.who()
	p.privileges()
	if r.Verdict != Never {
		p.starts()
		p.health()
		p.places()
	}
	if o.Policy != nil && r.Verdict != Never {
		p.under(o)
	}
	return r
}

// Unread returns the result of a file that can't be read, which never passes.
func Unread(file string, err error) Result {
	return Result{File: file, Verdict: Invalid, Findings: []Finding{{ID: unreadable.ID, Severity: unreadable.Severity, File: file, Why: fmt.Sprintf("it can't be read: %v", err), Do: unreadable.Do}}}
}

// verdict returns Root if the user is root for any engine.
func (p *picture) verdict() Verdict {
	switch {
	case p.docker.Root() || p.containerd.Root():
		return Root
	case p.docker.Err != nil && p.containerd.Err != nil:
		return Never
	}
	return NonRoot
}

func (p *picture) found(k kind, format string, args ...any) {
	p.result.Findings = append(p.result.Findings, Finding{ID: k.ID, Severity: k.Severity, File: p.file, Object: p.object, Why: fmt.Sprintf(format, args...), Do: k.Do})
}

// who checks the user itself.
func (p *picture) who() {
	user := imageuser.Read(p.result.User)
	switch p.result.Verdict {
	case Root:
		who := fmt.Sprintf("the user %s is root", quote.Value(p.result.User))
		if p.result.User == "" {
			who = "the image names no user, which is root"
		}
		p.found(runsAsRoot, "%s: Docker and Podman start %s, containerd starts %s", who, p.docker, p.containerd)
	case Never:
		p.found(neverStarts, "the user is %s: %v", quote.Value(p.result.User), p.docker.Err)
	default:
		if p.one().GID == 0 {
			p.found(rootGroup, "the user is %s, whose group is root's", p.one())
		}
		if user.Kind == imageuser.Name {
			p.found(userByName, "the user is the name %s", quote.Value(user.Name))
		}
	}
	if !p.docker.Same(p.containerd) {
		p.found(readersDiffer, "of %s Docker and Podman make %s, and containerd makes %s", quote.Value(p.result.User), p.docker, p.containerd)
	}
}

// one returns the user that engines start. If Docker refuses the user, it is containerd's.
func (p *picture) one() imageuser.Who {
	if p.docker.Err != nil {
		return p.containerd
	}
	return p.docker
}

// maxNamed limits the names in a message.
const maxNamed = 8

// privileges checks for setuid, setgid and capabilities, which have no effect under nonroot-runc. Each distribution has a dozen such files,
// so the image isn't at fault.
func (p *picture) privileges() {
	var setid, caps []string
	p.Tree.Walk(func(at string, e *imagefile.Entry) {
		if e.Type != tar.TypeReg {
			return
		}
		if e.Mode&imagefile.SetUID != 0 || e.Mode&imagefile.SetGID != 0 && e.Mode&0o010 != 0 {
			setid = append(setid, at)
		}
		if e.Caps {
			caps = append(caps, at)
		}
	})
	if len(setid) > 0 {
		p.found(setuidThere, "%s, which has no effect under nonroot-runc", listed(setid, "is setuid or setgid", "are setuid or setgid"))
	}
	if len(caps) > 0 {
		p.found(capsThere, "%s, which give nothing under nonroot-runc", listed(caps, "has capabilities", "have capabilities"))
	}
}

// listed returns up to maxNamed names with a verb.
func listed(all []string, one, more string) string {
	if len(all) == 1 {
		return quote.Value(all[0]) + " " + one
	}
	var names []string
	for _, name := range all[:min(len(all), maxNamed)] {
		names = append(names, quote.Value(name))
	}
	if n := len(all) - len(names); n > 0 {
		return fmt.Sprintf("%s and %d more %s", strings.Join(names, ", "), n, more)
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1] + " " + more
}

// starts checks the program.
func (p *picture) starts() {
	c := p.Config.Config
	args := program.Behind(slices.Concat(c.Entrypoint, c.Cmd))
	if len(args) == 0 {
		return
	}
	at, e, against, ok := p.stands(args)
	switch {
	case against.Ends:
		p.found(needsRootToStart, "%s ends where it is not root, by a test of its own", quote.Value(args[0]))
	case against.Switches:
		p.found(stepsDown, "%s: %s changes to another user, which only root can: under nonroot-runc nobody is", quote.Value(args[0]), against.By)
	case against.Installs:
		p.found(atStart, "%s: %s installs packages, which only root can", quote.Value(args[0]), against.By)
	case against.Any():
		p.found(needsRootToStart, "%s: %s %s, which only root can; %s", quote.Value(args[0]), against.By, against.Does, against.Advice)
	}
	if !against.Any() {
		p.writes(args, &e)
	}
	if !ok {
		return
	}
	if e.Mode&imagefile.SetUID != 0 {
		p.found(setuidFile, "the image's program %s is setuid, which has no effect under nonroot-runc", quote.Value(at))
	}
	if e.Caps {
		p.found(capability, "the image's program %s has file capabilities, which give nothing under nonroot-runc", quote.Value(at))
	}
	if p.result.Verdict == NonRoot {
		if why, behind := p.closed(unix.X_OK, at, &e); why != "" {
			p.found(closedProg, "%s, and the image runs as %s", why, p.one())
			p.letIn(behind)
		}
	}
}

// writes checks directories that the image's program creates, according to its command line or its script, where its user can't. It doesn't
// check files, because imagefile.Tree keeps only some of them.
func (p *picture) writes(args []string, e *imagefile.Entry) {
	if p.result.Verdict != NonRoot {
		return
	}
	c := program.Command{Args: args, Cwd: path.Clean("/" + p.Config.Config.WorkingDir)}
	writes, by := c.Written(), "the image's command"
	if len(writes) == 0 && e.Text != nil {
		writes, by = c.WrittenBy(string(e.Text)), quote.Value(args[0])
	}
	var said []string
	for _, w := range writes {
		if w.How != program.Makes {
			continue
		}
		if where, dir, ok := p.above(w.Path); ok && dir.Type == tar.TypeDir && !slices.Contains(said, where) {
			if why, _ := p.closed(unix.W_OK|unix.X_OK, where, &dir); why != "" {
				said = append(said, where)
				p.found(directoryOfRoot, "%s makes %s as %s, and %s", by, quote.Value(w.Path), p.one(), why)
			}
		}
	}
}

// above returns the closest existing parent of a path. ok is false if the path exists, or is in a volume, which another rule checks.
func (p *picture) above(made string) (where string, dir imagefile.Entry, ok bool) {
	for volume := range p.Config.Config.Volumes {
		if links.Within(path.Clean("/"+volume), made) {
			return "", dir, false
		}
	}
	if _, _, there := p.Tree.Where(made); there {
		return "", dir, false
	}
	for at := path.Dir(made); ; at = path.Dir(at) {
		if where, dir, ok = p.Tree.Where(at); ok || at == "/" {
			return where, dir, ok
		}
	}
}

// health checks the image's health check, which engines run as the container's user.
func (p *picture) health() {
	args := program.Behind(probe(p.Config.Config.Healthcheck.Test))
	if len(args) == 0 {
		return
	}
	at, e, against, there := p.stands(args)
	if why, _, ok := unhealthy(against); ok {
		p.found(healthCheck, "the health check %s", why)
	} else if there && p.result.Verdict == NonRoot {
		if why, behind := p.closed(unix.X_OK, at, &e); why != "" {
			p.found(healthCheck, "the health check runs %s: %s, and the image runs as %s", quote.Value(args[0]), why, p.one())
			p.letIn(behind)
		}
	}
}

// stands returns what makes a command of the image need root, by its words or else by its script, and the program's file if it exists.
func (p *picture) stands(args []string) (at string, e imagefile.Entry, against program.Against, there bool) {
	at, e, there = p.program(args[0])
	command := program.Command{Args: args}
	if against = command.Words(); !against.Any() && there && e.Text != nil {
		against = command.Script(string(e.Text))
	}
	return at, e, against, there
}

// maxSearch limits the directories of PATH in which a program is searched for.
const maxSearch = 16

// program finds the program like execvp(3) does.
func (p *picture) program(name string) (at string, e imagefile.Entry, ok bool) {
	if strings.Contains(name, "/") {
		return p.regular(path.Join("/", p.Config.Config.WorkingDir, name), path.IsAbs(name), name)
	}
	search := "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	for _, kv := range p.Config.Config.Env {
		if value, ok := strings.CutPrefix(kv, "PATH="); ok {
			search = value
		}
	}
	for n, dir := range strings.SplitN(search, ":", maxSearch+1) {
		if n < maxSearch && path.IsAbs(dir) {
			if at, e, ok := p.regular(path.Join(dir, name), false, ""); ok && e.Mode&0o111 != 0 {
				return at, e, true
			}
		}
	}
	return "", imagefile.Entry{}, false
}

func (p *picture) regular(at string, absolute bool, name string) (string, imagefile.Entry, bool) {
	if absolute {
		at = path.Clean(name)
	}
	e, ok := p.Tree.At(at)
	return at, e, ok && e.Type == tar.TypeReg
}

// stat converts an entry to what stat(2) returns.
func stat(e *imagefile.Entry) *unix.Stat_t {
	st := &unix.Stat_t{Uid: uint32(e.UID), Gid: uint32(e.GID), Mode: uint32(e.Mode), Nlink: 1, Size: e.Size} // #nosec G115 -- an owner on disk has 32 bits
	switch e.Type {
	case tar.TypeDir:
		st.Mode |= unix.S_IFDIR
	case tar.TypeReg:
		st.Mode |= unix.S_IFREG
	}
	return st
}

// may reports whether the image's user has a right to a file.
func (p *picture) may(right uint32, e *imagefile.Entry) bool {
	who := p.one()
	gids := []uint32{who.GID}
	if u, ok := p.files.UserByID(who.UID); ok {
		gids = append(gids, p.files.Memberships(u.Name)...)
	}
	return rootfs.May(right, stat(e), who.UID, gids)
}

// closed explains what denies the image's user a right to a path: the file's own mode, or the directory behind which it is. why is "" if
// nothing does.
func (p *picture) closed(right uint32, at string, e *imagefile.Entry) (why, behind string) {
	p.Tree.Through(at, func(where string, dir *imagefile.Entry) {
		if why == "" && dir.Type == tar.TypeDir && !p.may(unix.X_OK, dir) {
			behind = where
			why = fmt.Sprintf("%s is behind %s, which is %d:%d with mode %04o", quote.Value(at), quote.Value(where), dir.UID, dir.GID, dir.Mode&0o7777)
		}
	})
	if why == "" && !p.may(right, e) {
		why = fmt.Sprintf("%s is %d:%d with mode %04o", quote.Value(at), e.UID, e.GID, e.Mode&0o7777)
	}
	return why, behind
}

// letIn changes the advice of the last finding: open the directory that is in the way.
func (p *picture) letIn(behind string) {
	if behind != "" {
		p.result.Findings[len(p.result.Findings)-1].Do = "let the image's user into " + quote.Value(behind) + " (mode 0755), or give it to them"
	}
}

// places checks the places that programs commonly write to: volumes, the home and the working directory.
func (p *picture) places() {
	if p.result.Verdict != NonRoot {
		return
	}
	const write = unix.W_OK | unix.X_OK
	volumes := make([]string, 0, len(p.Config.Config.Volumes))
	for dir := range p.Config.Config.Volumes {
		volumes = append(volumes, path.Clean("/"+dir))
	}
	slices.Sort(volumes)
	for _, dir := range volumes {
		if e, ok := p.Tree.At(dir); !ok {
			p.found(volumeOfRoot, "the image has no directory %s, so that a new volume there is root's", quote.Value(dir))
		} else if why, behind := p.closed(write, dir, &e); e.Type == tar.TypeDir && why != "" {
			p.found(volumeOfRoot, "%s, so that a new volume there is not for %s to write", why, p.one())
			p.letIn(behind)
		}
	}
	var closed []string
	for _, dir := range []string{"/tmp", p.Config.Config.WorkingDir, p.home()} {
		e, ok := p.Tree.At(dir)
		if !ok || dir == "" || dir == "/" || e.Type != tar.TypeDir || slices.Contains(closed, dir) {
			continue
		}
		if why, _ := p.closed(write, dir, &e); why != "" {
			closed = append(closed, dir)
		}
	}
	if len(closed) > 0 {
		p.found(closedDirectory, "%s for %s to write", listed(closed, "is not", "are not"), p.one())
	}
}

// home returns the home directory like engines do.
func (p *picture) home() string {
	for _, kv := range p.Config.Config.Env {
		if value, ok := strings.CutPrefix(kv, "HOME="); ok {
			return path.Clean("/" + value)
		}
	}
	if u, ok := p.files.UserByID(p.one().UID); ok {
		return path.Clean("/" + u.Home)
	}
	return ""
}

// under describes what the policy does with a container that is started from the image without options, and which of the image's
// directories would be chowned to its user.
func (p *picture) under(o Options) {
	who := p.one()
	if p.result.Verdict == Root {
		who = imageuser.Who{GID: p.docker.GID}
	}
	built := p.files.BuiltForWith(p.StateOwners())
	c := trial.Container{
		UID: who.UID, GID: who.GID, Env: p.Config.Config.Env, Passwd: splitLines(p.files.Passwd), Group: splitLines(p.files.Group), Intended: &built,
	}
	d, err := c.Run(o.Policy, o.World, o.Now)
	switch {
	case err != nil || d.Mode == decision.Refuse || d.Refused():
		p.result.Policy = "the policy refuses it"
		return
	case d.Mode != decision.Rewrite:
		p.result.Policy = fmt.Sprintf("the policy leaves it as it is (mode %s)", d.Mode)
		return
	}
	p.result.Policy = fmt.Sprintf("the policy runs it as %d:%d: %s", d.Identity.UID, d.Identity.GID, d.Source.Sentence())
	if d.Source == policy.Image {
		p.intended(d.Identity)
	}
	if !d.StandsIn() {
		return
	}
	if given := p.given(o.Policy, d, who.UID); len(given) > 0 {
		p.result.Policy += "; it is given " + strings.Join(given[:min(len(given), maxNamed)], ", ")
		if n := len(given) - maxNamed; n > 0 {
			p.result.Policy += fmt.Sprintf(" and %d more", n)
		}
	}
	p.result.Given = p.given(o.Policy, d, who.UID)
}

// intended names the user that the image was built for in the advice to an image that runs as root.
func (p *picture) intended(who *policy.Identity) {
	for n := range p.result.Findings {
		if f := &p.result.Findings[n]; f.ID == runsAsRoot.ID {
			f.Do = fmt.Sprintf("end with USER %d:%d, the image's service user", who.UID, who.GID)
		}
	}
}

func splitLines(text []byte) []string {
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// given returns the directories of the image that are chowned in the container's own layer: those that the policy names, and those of
// applications. They have to exist and be owned by root. Directories below them are not listed.
func (p *picture) given(rule *policy.Policy, d *decision.Decision, asked uint32) (all []string) {
	of := plan.FileOwners(rule, rule, asked, nil, nil, nil)
	options := layer.For(&plan.Give{UID: d.Identity.UID, GID: d.Identity.GID, Owners: of, Keep: rule.Adapt.Keep, GroupRoot: rule.Adapt.GroupRoot, Applications: rule.Adapt.Applications}, "", "")
	wanted := slices.Clone(rule.Adapt.Own)
	if rule.Adapt.WorkingDir {
		wanted = append(wanted, path.Clean("/"+p.Config.Config.WorkingDir))
	}
	if options.Application != nil {
		for _, parent := range policy.ApplicationsIn {
			for _, name := range p.Tree.Names(parent) {
				if at := path.Join(parent, name); options.Application(at) {
					wanted = append(wanted, at)
				}
			}
		}
	}
	for _, dir := range wanted {
		at, e, ok := p.Tree.Where(dir)
		if !ok || e.Type != tar.TypeDir || slices.Contains(all, at) || !policy.MayGive(at) || !options.GivesDirectory(at, stat(&e)) {
			continue
		}
		all = append(all, at)
	}
	slices.Sort(all)
	return all
}
