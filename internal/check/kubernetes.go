// SPDX-License-Identifier: Apache-2.0

package check

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/dockerfile"
	"github.com/nonroot-runc/nonroot-runc/internal/explain"
	"github.com/nonroot-runc/nonroot-runc/internal/imageuser"
	"github.com/nonroot-runc/nonroot-runc/internal/manifest"
	"github.com/nonroot-runc/nonroot-runc/internal/program"
	"github.com/nonroot-runc/nonroot-runc/internal/quote"
	"github.com/nonroot-runc/nonroot-runc/internal/unread"
)

// Objects is a file with Kubernetes objects.
type Objects struct {
	in   *source
	file manifest.File
	pods []manifest.Pod // with their complete data; nil: not needed so far
	err  error
}

// ReadObjects reads a file with Kubernetes objects. Check reports what is wrong with it.
func ReadObjects(file string, text []byte) *Objects {
	o := &Objects{in: &source{file: file, lines: strings.Split(string(text), "\n")}}
	o.file, o.err = manifest.Read(text)
	return o
}

// Check checks the containers of each pod in the file. A file without pods has a single result.
func (f *Objects) Check(o Options) []Result {
	if f.err != nil {
		r := Unread(f.in.file, f.err)
		var e *unread.Error
		if errors.As(f.err, &e) {
			r.Findings = []Finding{f.in.finding(unreadable, e.Line, "", fmt.Sprintf("it can't be read: %v", e.Err))}
		}
		return []Result{r}
	}
	all := []Result{}
	var own Namespaces
	own.Add(f)
	o.Namespaces = own.with(o.Namespaces)
	for n := range f.file.Pods {
		pod, first := &f.file.Pods[n], len(all)
		for i := range pod.Containers {
			if r, ok := podContainer(f.in, pod, &pod.Containers[i], o); ok {
				all = append(all, r)
			}
		}
		if len(all) > first {
			f.admitted(n, &all[first], o)
		}
	}
	if len(all) == 0 || len(f.file.Patches) > 0 {
		all = append(all, Result{File: f.in.file, Verdict: Nothing, Findings: []Finding{}})
		all[len(all)-1].weakened(f.in, f.file.Patches)
	}
	all[0].Findings = append(all[0].Findings, f.wrongLabels()...)
	ignoresOf(all, f.in)
	return all
}

// Manifests checks a file with Kubernetes objects.
func Manifests(file string, text []byte, o Options) []Result { return ReadObjects(file, text).Check(o) }

// ignoresOf moves findings that comments ignore. A comment applies to all results with a finding in its line.
func ignoresOf(all []Result, in *source) {
	ignores := inLines(in.lines)
	if len(ignores) == 0 {
		return
	}
	for n := range all {
		for i := range ignores {
			if n > 0 && ignores[i].bad() {
				continue // report it only once
			}
			all[n].ignore(&ignores[i], in)
		}
	}
	for i := range ignores {
		if !ignores[i].used {
			all[0].Findings = append(all[0].Findings, ignores[i].unused(in))
		}
	}
}

// resident is a container of a pod that the rules look at.
type resident struct {
	in     *source
	pod    *manifest.Pod
	c      *manifest.Container
	result *Result
	user   *int64 // in the manifest; nil: the image's user
	line   int    // of the setting
	level  string
	strict bool // runAsNonRoot
	image  imageuser.User
	known  bool
}

func podContainer(in *source, pod *manifest.Pod, c *manifest.Container, o Options) (Result, bool) {
	r := Result{File: in.file, Object: pod.Title() + ", " + c.Role + " " + c.Name, Findings: []Finding{}}
	if pod.Windows {
		r.Verdict = Windows
		return r, true
	}
	s := &resident{in: in, pod: pod, c: c, result: &r}
	if pod.Unclear != "" {
		r.Verdict = Unknown
		s.step(0, "%s", pod.Unclear)
		s.found(podUnknown, c.Line, "", pod.Unclear)
		r.Findings[0].Do = "set the user where no template changes it, or check what Argo makes of the workflow: kubectl get pod NAME --output yaml"
		return r, true
	}
	s.effective()
	if c.Image == "" && s.user == nil {
		return r, false // a patch that doesn't set a user
	}
	s.ofImage(o)
	r.Verdict = s.verdict()
	s.who(o)
	s.secrets()
	s.ports()
	s.probes()
	s.starts()
	if r.Verdict == Root || r.Verdict == NonRoot {
		s.under(o)
	}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int { return a.Line - b.Line })
	return r, true
}

// effective sets the user from the security contexts. A container's setting replaces the pod's, even if it is weaker.
func (s *resident) effective() {
	switch {
	case s.c.RunAsUser != nil:
		s.user, s.line, s.level = s.c.RunAsUser, s.c.UserLine, "container"
	case s.pod.RunAsUser != nil:
		s.user, s.line, s.level = s.pod.RunAsUser, s.pod.UserLine, "pod"
	}
	strict := s.pod.RunAsNonRoot
	if s.c.RunAsNonRoot != nil {
		strict = s.c.RunAsNonRoot
	}
	s.strict = strict != nil && *strict
	if s.user != nil {
		s.result.User = fmt.Sprint(*s.user)
		s.step(s.line, "runAsUser is %d (%s)", *s.user, s.level)
	}
	if s.strict {
		s.step(0, "runAsNonRoot is true")
	}
}

func (s *resident) step(line int, format string, args ...any) {
	s.result.Steps = append(s.result.Steps, Step{Line: line, Text: fmt.Sprintf(format, args...)})
}

// ofImage sets the image's own user, if it is known and the manifest sets none.
func (s *resident) ofImage(o Options) {
	if s.user != nil {
		return
	}
	if o.Build.Base != nil {
		if base, ok := o.Build.Base(s.c.Image); ok {
			s.known, s.image, s.result.User = true, imageuser.Read(base.User), base.User
			s.step(s.c.Line, "%s", saysUser(s.c.Image, base))
			return
		}
	}
	s.step(s.c.Line, "nothing is known of the image %s", quote.Value(s.c.Image))
}

// saysUser describes an image's user.
func saysUser(image string, base dockerfile.Base) string {
	if base.User == "" {
		return fmt.Sprintf("the image %s names no user, which is root (%s)", quote.Value(image), base.Source)
	}
	return fmt.Sprintf("the image %s has the user %s (%s)", quote.Value(image), quote.Value(base.User), base.Source)
}

// verdict follows the kubelet (verifyRunAsNonRoot): an image without a user is root, and a user name may be root's.
func (s *resident) verdict() Verdict {
	switch {
	case s.user != nil && *s.user == 0 && s.strict:
		return Never
	case s.user != nil && *s.user == 0:
		return Root
	case s.user != nil:
		return NonRoot
	case !s.known && s.strict:
		return NonRoot // or it does not start
	case !s.known:
		return Unknown
	case s.image.Kind == imageuser.Invalid, s.strict && (s.image.Kind == imageuser.Root || s.image.Kind == imageuser.Name):
		return Never
	case s.image.Kind == imageuser.Root:
		return Root
	}
	return NonRoot
}

func (s *resident) found(k kind, line int, word, why string) {
	f := s.in.finding(k, line, word, why)
	f.Object = s.result.Object
	s.result.Findings = append(s.result.Findings, f)
}

// who checks the user itself.
func (s *resident) who(o Options) {
	line, word := s.c.Line, s.c.Image
	if s.user != nil {
		line, word = s.line, fmt.Sprint(*s.user)
	}
	inClass := s.inClass(o)
	s.result.Governed = inClass
	because := s.because()
	switch {
	case s.result.Verdict == Root && inClass:
	case s.result.Verdict == Unknown && inClass:
		s.result.Verdict = NonRoot
	case s.result.Verdict == Root && s.pod.HostUsers != nil && !*s.pod.HostUsers:
		s.found(rootInNamespace, line, word, because+"; with hostUsers: false that is root of a user namespace")
	case s.result.Verdict == Root:
		s.found(podRoot, line, word, because)
	case s.result.Verdict == Unknown:
		why := because + ", and neither runAsUser nor runAsNonRoot is set"
		if s.pod.HostUsers != nil && !*s.pod.HostUsers {
			why += "; with hostUsers: false it is at most root of a user namespace"
		}
		s.found(podUnknown, line, word, why)
	case s.result.Verdict == Never:
		s.found(podNever, line, word, because+s.refused())
	}
	if s.result.Verdict != NonRoot || inClass {
		return
	}
	if says := s.saysRootGroup(); says != "" {
		s.found(podRootGroup, line, word, says+", which is root's group")
	} else if s.c.RunAsGroup == nil && s.pod.RunAsGroup == nil && s.user != nil {
		s.found(podRootGroup, line, word, fmt.Sprintf("runAsUser is %d, and without runAsGroup its group is root's, unless the image's passwd has another", *s.user))
	}
}

// saysRootGroup returns the setting that puts the container into root's group; "": there is none. A container's setting takes precedence
// over the pod's.
func (s *resident) saysRootGroup() string {
	group := s.c.RunAsGroup
	if group == nil {
		group = s.pod.RunAsGroup
	}
	switch {
	case group != nil && *group == 0:
		return "runAsGroup is 0"
	case slices.Contains(s.pod.Groups, 0):
		return "supplementalGroups has 0"
	case s.pod.FSGroup != nil && *s.pod.FSGroup == 0:
		return "fsGroup is 0"
	}
	return ""
}

// inClass reports whether the container runs under nonroot-runc, and adds a step with the reason if it may ask for root.
func (s *resident) inClass(o Options) bool {
	namespace := o.namespaceOf(s.pod)
	class, by := s.pod.RuntimeClass, fmt.Sprintf("the RuntimeClass %s is nonroot-runc's", quote.Value(s.pod.RuntimeClass))
	ours := class != "" && class == o.RuntimeClass
	if class == "" && o.Namespaces.governs(namespace) {
		ours, by = true, fmt.Sprintf("the namespace %s is labelled %s=%s", quote.Value(namespace), namespaceLabel, enforced)
	}
	if ours && (s.result.Verdict == Root || s.result.Verdict == Unknown) {
		s.step(0, "%s, under which nobody is root", by)
	}
	return ours
}

func (s *resident) because() string {
	var said []string
	for _, one := range s.result.Steps {
		said = append(said, one.Text)
	}
	return strings.Join(said, "; ")
}

// refused explains why the kubelet does not start the container.
func (s *resident) refused() string {
	switch {
	case s.user == nil && s.image.Kind == imageuser.Invalid:
		return ", which " + strings.TrimPrefix(s.image.Why, "it ")
	case s.user == nil && s.image.Kind == imageuser.Name:
		return ": the kubelet can't tell who a name is"
	}
	return ": the kubelet refuses root"
}

// secrets checks volumes with files that the container's user can't read. Without fsGroup they are owned by root.
func (s *resident) secrets() {
	if s.result.Verdict != NonRoot || s.pod.FSGroup != nil {
		return
	}
	group := s.c.RunAsGroup
	if group == nil {
		group = s.pod.RunAsGroup
	}
	isRootGroup := group == nil || *group == 0 || slices.Contains(s.pod.Groups, 0)
	for _, v := range s.pod.Closed {
		if !slices.Contains(s.c.Mounts, v.Volume) || isRootGroup && v.Mode&0o040 != 0 {
			continue
		}
		s.found(closedVolume, v.Line, "", fmt.Sprintf("the files of the %s %s are root's with mode %04o, and the container is not root", v.What, quote.Value(v.Volume), v.Mode))
	}
}

// ports checks ports of the host's network, where only root can listen on low ports unless an administrator has opened them. In any other
// network, engines or nonroot-runc open them to all users.
func (s *resident) ports() {
	if !s.pod.HostNetwork || s.result.Verdict != NonRoot && !s.result.Governed {
		return
	}
	for _, p := range s.c.Ports {
		if p.Number > 0 && p.Number < explain.UsualPort {
			s.found(closedPort, p.Line, fmt.Sprint(p.Number), fmt.Sprintf("with hostNetwork: true, the port %d is one of the host's, and the container is not root", p.Number))
		}
	}
}

// probes checks commands that the kubelet runs in the container as its user.
func (s *resident) probes() {
	for _, p := range s.c.Probes {
		if args := program.Behind(p.Command); len(args) > 0 {
			if why, by, ok := unhealthy(program.Command{Args: args}.Words()); ok {
				s.found(healthCheck, s.in.lineWith(p.Line, by), by, "the probe "+why)
			}
		}
	}
}

// places returns the paths at which volumes are mounted.
func (s *resident) places() (all []string) {
	for _, p := range s.c.Places {
		all = append(all, path.Clean("/"+p))
	}
	return all
}

// starts checks the program in the manifest.
func (s *resident) starts() {
	if len(s.c.Command) == 0 {
		return
	}
	command := program.Command{Args: slices.Concat(s.c.Command, s.c.Args), Cwd: s.c.Cwd, Chowns: true}
	if uid, gid, ok := command.Prepares(s.places()); ok {
		switch who := strings.TrimSuffix(fmt.Sprintf("%d:%d", uid, gid), ":0"); {
		case s.user == nil || *s.user == 0:
			s.step(0, "it only prepares a volume for %s, as which nonroot-runc runs it from the beginning", who)
			return
		case *s.user == int64(uid):
			return // it chowns to itself what it already owns
		}
	}
	a := command.Words()
	line := s.in.lineWith(s.c.Line, a.By)
	switch {
	case a.Ends:
		s.found(needsRootToStart, s.c.Line, "", "the program ends where it is not root, by a test of its own")
	case a.Switches:
		s.found(stepsDown, line, a.By, fmt.Sprintf("%s changes to another user, which only root can: under nonroot-runc nobody is", a.By))
	case a.Installs:
		s.found(atStart, line, a.By, fmt.Sprintf("%s installs packages, which only root can", a.By))
	case a.Any():
		s.found(needsRootToStart, line, a.By, fmt.Sprintf("%s %s, which only root can; %s", a.By, a.Does, a.Advice))
	}
}

// under describes what the policy does with the container.
func (s *resident) under(o Options) {
	if o.Policy == nil {
		return
	}
	user := s.image
	if s.user != nil {
		text := fmt.Sprint(*s.user)
		group := s.c.RunAsGroup
		if group == nil {
			group = s.pod.RunAsGroup
		}
		if group != nil {
			text += fmt.Sprintf(":%d", *group)
		}
		user = imageuser.Read(text)
	} else if !s.known {
		return
	}
	s.result.Policy = under(user, o)
}
