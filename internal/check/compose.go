// SPDX-License-Identifier: Apache-2.0

package check

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/nonroot-runc/nonroot-runc/internal/compose"
	"github.com/nonroot-runc/nonroot-runc/internal/dockerfile"
	"github.com/nonroot-runc/nonroot-runc/internal/explain"
	"github.com/nonroot-runc/nonroot-runc/internal/imageuser"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/program"
	"github.com/nonroot-runc/nonroot-runc/internal/quote"
	"github.com/nonroot-runc/nonroot-runc/internal/unread"
)

// ComposeOptions are the inputs of a check of services besides their file.
type ComposeOptions struct {
	Dir         string
	Environment map[string]string
	// Root is the directory outside of which nothing is read; "": there is no limit.
	Root string
	// Overrides are merged into the file, in this order.
	Overrides []ComposeFile
	// File returns the owner of a file that is used as a secret; nil: no owner is known.
	File func(name string) (FileOwner, bool)
	// Dockerfile returns the text of a Dockerfile, for services that are built.
	Dockerfile func(b *compose.Build) ([]byte, error)
}

// FileOwner is the owner and mode of a file on the host.
type FileOwner struct{ UID, GID, Mode uint32 }

// ComposeFile is an override file, which is merged into the project.
type ComposeFile struct {
	Name string
	Text []byte
}

// Compose checks the services of a Compose file, and of its overrides.
func Compose(file string, text []byte, o Options, c ComposeOptions) []Result {
	in := []*source{{file: file, lines: strings.Split(string(text), "\n")}}
	var overrides []compose.File
	for _, one := range c.Overrides {
		in = append(in, &source{file: one.Name, lines: strings.Split(string(one.Text), "\n")})
		overrides = append(overrides, compose.File{Name: path.Base(one.Name), Text: one.Text})
	}
	services, files, err := compose.ReadAll(path.Base(file), c.Dir, text, compose.Options{Environment: c.Environment, Overrides: overrides, Root: c.Root})
	if err != nil {
		r := Unread(file, err)
		var e *unread.Error
		if errors.As(err, &e) {
			r.Findings = []Finding{in[e.File].finding(unreadable, e.Line, "", fmt.Sprintf("it can't be read: %v", e.Err))}
		}
		return []Result{r}
	}
	for _, one := range files[min(len(c.Overrides), len(files)):] {
		in = append(in, &source{file: one.Name, lines: strings.Split(string(one.Text), "\n")})
	}
	var all []*tenant
	for n := range services {
		t := &tenant{in: in, s: &services[n], result: &Result{File: file, Object: services[n].Object, Findings: []Finding{}}}
		t.effective(o, c)
		t.who()
		t.program(o)
		t.hooks()
		t.health()
		t.ports()
		t.secrets(c.File)
		if o.Policy != nil && t.known {
			t.result.Policy = under(t.user, o)
		}
		all = append(all, t)
	}
	shared(all, o.Policy)
	results := make([]Result, 0, len(all))
	for _, t := range all {
		slices.SortStableFunc(t.result.Findings, func(a, b Finding) int { return a.Line - b.Line })
		results = append(results, *t.result)
	}
	for n, one := range in {
		if n <= len(c.Overrides) {
			ignoresOf(results, one)
			continue
		}
		for _, comment := range inLines(one.lines) { // what is wrong with one is said of the file itself
			for i := range results {
				if !comment.bad() {
					results[i].ignore(&comment, one)
				}
			}
		}
	}
	return results
}

// tenant is a service that the rules look at.
type tenant struct {
	in     []*source // the file, and its overrides
	s      *compose.Service
	result *Result
	user   imageuser.User
	known  bool
	at     compose.Place

	exposed []string // ports in the EXPOSE instructions of its Dockerfile
}

func (t *tenant) step(at compose.Place, format string, args ...any) {
	one := Step{Line: at.Line, Text: fmt.Sprintf(format, args...)}
	if at.File > 0 {
		one.File = t.in[at.File].file
	}
	t.result.Steps = append(t.result.Steps, one)
}

// nowhere is the place of what has none.
var nowhere compose.Place

func (t *tenant) found(k kind, at compose.Place, word, why string) *Finding {
	f := t.in[at.File].finding(k, at.Line, word, why)
	f.Object = t.result.Object
	t.result.Findings = append(t.result.Findings, f)
	return &t.result.Findings[len(t.result.Findings)-1]
}

// with returns the place of a word at or below a place.
func (t *tenant) with(at compose.Place, word string) compose.Place {
	return compose.Place{File: at.File, Line: t.in[at.File].lineWith(at.Line, word)}
}

// effective sets the service's user: the one in the file, or else the image's, which its Dockerfile may tell.
func (t *tenant) effective(o Options, c ComposeOptions) {
	t.at = t.s.At
	text, windows := t.s.User, false
	switch {
	case text != "":
		if t.known = true; t.s.UserAt.Line > 0 {
			t.at = t.s.UserAt
		}
		t.step(t.s.UserAt, "user is %s", quote.Value(text))
	case t.s.Build != nil:
		text, windows = t.built(o, c)
	case t.s.Image == "":
		// Compose starts no such service. It is a part of a service in another file, or a provider runs it.
		t.result.Verdict = Nothing
		t.step(t.s.At, "it names no image")
		return
	default:
		if o.Build.Base != nil {
			if base, ok := o.Build.Base(t.s.Image); ok {
				t.known, text, windows = true, base.User, base.Windows
				t.step(t.s.At, "%s", saysUser(t.s.Image, base))
				break
			}
		}
		t.step(t.s.At, "nothing is known of the image %s", quote.Value(t.s.Image))
	}
	t.user, t.result.User = imageuser.Read(text), text
	switch {
	case windows:
		t.result.Verdict = Windows
	case !t.known:
		t.result.Verdict = Unknown
	case t.user.Kind == imageuser.Root:
		t.result.Verdict = Root
	case t.user.Kind == imageuser.Invalid:
		t.result.Verdict = Never
	default:
		t.result.Verdict = NonRoot
	}
}

// built returns the user of the image that the service's Dockerfile builds.
func (t *tenant) built(o Options, c ComposeOptions) (user string, windows bool) {
	var text []byte
	err := errors.New("it is not looked for")
	if t.s.Build.Inline != "" {
		text, err = []byte(t.s.Build.Inline), nil
	} else if c.Dockerfile != nil {
		text, err = c.Dockerfile(t.s.Build)
	}
	if err != nil {
		t.step(t.s.At, "its Dockerfile can't be read: %v", err)
		return "", false
	}
	image, err := evaluate(text, dockerfile.Options{Target: t.s.Build.Target, Args: t.s.Build.Args, Contexts: t.s.Build.Contexts, Base: o.Build.Base})
	if err != nil {
		t.step(t.s.At, "no build reads its Dockerfile: %v", err)
		return "", false
	}
	for _, c := range image.Commands {
		if e, ok := c.Command.(*instructions.ExposeCommand); ok && !c.OnBuild {
			t.exposed = append(t.exposed, e.Ports...)
		}
	}
	v := verdict(image, imageuser.Read(image.User), Options{Accounts: o.Accounts})
	for _, s := range image.Steps {
		t.step(nowhere, "its Dockerfile, line %d: %s", s.Line, s.Text)
	}
	t.known = v != Unknown
	if v == Root && imageuser.Read(image.User).Kind == imageuser.Name {
		return "0", false // root by another name
	}
	return image.User, v == Windows
}

func (t *tenant) who() {
	var said []string
	for _, one := range t.result.Steps {
		said = append(said, one.Text)
	}
	because := strings.Join(said, "; ")
	word := t.s.Image
	if t.s.User != "" {
		word = t.s.User
	}
	switch t.result.Verdict {
	case Root:
		t.found(serviceRoot, t.at, word, because)
	case Unknown:
		t.found(serviceUnknown, t.at, word, because+", and the service names no user")
	case Never:
		t.found(serviceNever, t.at, word, because+": "+t.user.Why)
	case NonRoot:
		if t.s.User != "" && t.user.Group != "" && t.user.RootGroup {
			t.found(serviceRootGroup, t.at, t.s.User, "the group of the user "+quote.Value(t.s.User)+" is root's")
		}
		if slices.ContainsFunc(t.s.Groups, imageuser.IsRootGroup) {
			at := t.s.GroupsAt
			if at.Line == 0 {
				at = t.at
			}
			t.found(serviceRootGroup, at, "group_add", "group_add has root's group")
		}
	}
}

// places returns the paths at which volumes are mounted.
func (t *tenant) places() (all []string) {
	for _, m := range t.s.Mounts {
		all = append(all, path.Clean(m.Target))
	}
	return all
}

// prepares reports whether the service only chowns a volume for another user. The runtime recognizes this, too.
func (t *tenant) prepares() (uid, gid uint32, ok bool) {
	return program.Command{Args: t.s.Command}.Prepares(t.places())
}

// program checks the command in the file. Under nonroot-runc, a chown by a container that asks for root succeeds but changes nothing. It
// matters only if another service uses the volume as another user, and shared reports that.
func (t *tenant) program(o Options) {
	if len(t.s.Command) == 0 || t.result.Verdict == Nothing {
		return
	}
	if uid, gid, ok := t.prepares(); ok {
		t.step(nowhere, "it prepares a volume for %d:%d, as which nonroot-runc runs it", uid, gid)
		return
	}
	emulated := t.result.Verdict == Root && o.Policy != nil && o.Policy.Adapt.EmulateOwnership
	a := program.Command{Args: t.s.Command, Chowns: !emulated}.Words()
	switch {
	case a.Ends:
		t.found(needsRootToStart, t.at, "", "the program ends where it is not root, by a test of its own")
	case a.Switches:
		t.found(stepsDown, t.at, "", fmt.Sprintf("%s changes to another user, which only root can: under nonroot-runc nobody is", a.By))
	case a.Installs:
		t.found(atStart, t.at, "", fmt.Sprintf("%s installs packages, which only root can", a.By))
	case a.Any():
		t.found(needsRootToStart, t.at, "", fmt.Sprintf("%s %s, which only root can; %s", a.By, a.Does, a.Advice))
	}
}

// hooks checks commands that run in the container as another user.
func (t *tenant) hooks() {
	for _, h := range t.s.Hooks {
		if h.User != "" && imageuser.Read(h.User).Kind == imageuser.Root {
			t.found(hookRoot, t.at, "", fmt.Sprintf("the hook %s runs %.100q as root; under nonroot-runc it is the container's user", h.When, strings.Join(h.Command, " ")))
		}
	}
}

// health checks the service's health check, which engines run as the container's user.
func (t *tenant) health() {
	if args := program.Behind(probe(t.s.Probe)); len(args) > 0 {
		if why, by, ok := unhealthy(program.Command{Args: args}.Words()); ok {
			t.found(healthCheck, t.with(t.s.ProbeAt, by), by, "the health check "+why)
		}
	}
}

// ports checks ports of the host's network that only root can listen on.
func (t *tenant) ports() {
	if !t.s.HostNetwork || t.result.Verdict != NonRoot {
		return
	}
	said := map[string]bool{}
	for _, p := range slices.Concat(t.s.Ports, t.exposed) {
		number, _, _ := strings.Cut(p, "/")
		n, err := strconv.ParseUint(number, 10, 16) //lint:allow a port
		if err == nil && n > 0 && n < explain.UsualPort && !said[number] {
			said[number] = true
			t.found(closedPort, t.at, "", fmt.Sprintf("with network_mode: host, the port %d is one of the host's, and the service is not root", n))
		}
	}
}

// secrets checks the secrets of a service. Compose writes some of them itself, with the owner and mode in the file (by default root and
// 0444). Others are files on the host, which keep theirs.
func (t *tenant) secrets(of func(file string) (FileOwner, bool)) {
	for _, s := range t.s.Secrets {
		if s.File == "" {
			t.written(s)
			continue
		}
		if of == nil {
			continue
		}
		if f, ok := of(s.File); ok && t.isClosed(f) {
			f := t.found(closedServiceSecret, t.at, "", fmt.Sprintf("the secret %s is the file %s of %d:%d with mode %04o, and %s", quote.Value(s.Name), quote.Value(s.File), f.UID, f.GID, f.Mode, t.reads()))
			f.Do = "give the file to the service's user, or a mode by which that may read it: uid, gid and mode of such a secret count for nothing"
		}
	}
}

func (t *tenant) written(s compose.Secret) {
	var f FileOwner
	for _, id := range []struct {
		text string
		to   *uint32
	}{{s.UID, &f.UID}, {s.GID, &f.GID}} {
		switch owner := imageuser.Read(id.text); owner.Kind {
		case imageuser.Root: // also if the file sets none
		case imageuser.Number:
			*id.to = owner.UID
		default:
			return
		}
	}
	if s.Mode == nil {
		return // 0444
	}
	if f.Mode = uint32(*s.Mode & 0o7777); t.isClosed(f) { // #nosec G115 -- twelve bits
		t.found(closedServiceSecret, t.at, "", fmt.Sprintf("the secret %s belongs to %d:%d with mode %04o, and %s", quote.Value(s.Name), f.UID, f.GID, f.Mode, t.reads()))
	}
}

// reads describes the service's user in a finding about a secret.
func (t *tenant) reads() string {
	if t.result.Verdict == NonRoot {
		return fmt.Sprintf("the service runs as %d", t.user.UID)
	}
	return "the service is not root under nonroot-runc"
}

// isClosed reports whether the service's user certainly can't read a file. All that is known about a service that asks for root is that it
// is not root under nonroot-runc.
func (t *tenant) isClosed(f FileOwner) bool {
	switch {
	case t.result.Verdict == Root:
		return f.UID == 0 && f.Mode&0o044 == 0
	case t.result.Verdict != NonRoot || t.user.Kind != imageuser.Number:
		return false
	case f.UID == t.user.UID:
		return f.Mode&0o400 == 0
	}
	gid, known := t.user.GID()
	switch {
	case known && gid == f.GID:
		return f.Mode&0o040 == 0
	case !known || len(t.s.Groups) > 0: // it may be in the file's group
		return f.Mode&0o044 == 0
	}
	return f.Mode&0o004 == 0
}

// shared checks volumes that several services use as different users.
func shared(all []*tenant, p *policy.Policy) {
	type use struct {
		t *tenant
		m compose.Mount
	}
	by := map[string][]use{}
	for _, t := range all {
		if _, _, ok := t.prepares(); ok || t.result.Verdict == Windows || t.result.Verdict == Never {
			continue
		}
		for _, m := range t.s.Mounts {
			by[m.Source] = append(by[m.Source], use{t, m})
		}
	}
	names := make([]string, 0, len(by))
	for name := range by {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for i, first := range by[name] {
			for _, other := range by[name][i+1:] {
				if first.m.ReadOnly && other.m.ReadOnly || first.t == other.t {
					continue
				}
				later := other.t
				if apart(p, first.t, later) {
					f := later.found(sharedVolume, later.with(later.at, name), name, fmt.Sprintf("the services %s and %s have the volume %s, and the policy gives each an id of its own (identity.share is %q)",
						quote.Value(first.t.s.Name), quote.Value(later.s.Name), quote.Value(name), p.Share))
					f.Do = `set identity.share = "pod" in the policy, by which the services of a project are one user, or give them the same user:`
					continue
				}
				if !first.t.differs(later) {
					continue
				}
				later.found(sharedVolume, later.with(later.at, name), name, fmt.Sprintf("the services %s and %s have the volume %s, and run as %s and %s",
					quote.Value(first.t.s.Name), quote.Value(later.s.Name), quote.Value(name), shownUser(first.t.user), shownUser(later.user)))
			}
		}
	}
}

// apart reports whether the policy assigns different ids to two services that both ask for root.
func apart(p *policy.Policy, a, b *tenant) bool {
	return p != nil && p.Range != (policy.Range{}) && p.Share != policy.SharePod && a.result.Verdict == Root && b.result.Verdict == Root
}

// differs reports whether two services certainly run as different users. Two services that both ask for root are not different, because the
// policy assigns the same id to both.
func (t *tenant) differs(o *tenant) bool {
	if !t.known || !o.known || t.user.Kind == imageuser.Name || o.user.Kind == imageuser.Name {
		return false
	}
	return t.user.Kind != o.user.Kind || t.user.UID != o.user.UID
}

func shownUser(u imageuser.User) string {
	if u.Kind == imageuser.Root {
		return "root"
	}
	return fmt.Sprint(u.UID)
}
