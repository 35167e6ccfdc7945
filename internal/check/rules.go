// SPDX-License-Identifier: Apache-2.0

package check

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/nonroot-runc/nonroot-runc/internal/dockerfile"
	"github.com/nonroot-runc/nonroot-runc/internal/imageuser"
	"github.com/nonroot-runc/nonroot-runc/internal/links"
	"github.com/nonroot-runc/nonroot-runc/internal/program"
	"github.com/nonroot-runc/nonroot-runc/internal/quote"
)

// inspection is an image of a Dockerfile that the rules look at.
type inspection struct {
	image   *dockerfile.Image
	user    imageuser.User
	in      *source
	verdict Verdict
	context func(name string) (head string, ok bool)
	looked  int // requests to context so far
	owners  *ground
	scripts map[*instructions.RunCommand]readCommands // those that are read
	left    int                                       // how many bytes of scripts may still be read
	stages  map[string]*dockerfile.Image              // that were evaluated for an account; nil: there is none of that name
	copied  map[[2]string]who                         // what it is in their files
}

// maxLooked limits the requests for files of the build context. Their number is up to the Dockerfile's author.
const maxLooked = 1000

// read returns the beginning of a file of the build context.
func (i *inspection) read(name string) (head string, ok bool) {
	if i.context == nil || i.looked >= maxLooked {
		return "", false
	}
	i.looked++
	return i.context(name)
}

// rules are run in this order.
var rules = []func(*inspection) []Finding{
	(*inspection).who, (*inspection).build, (*inspection).home, (*inspection).program, (*inspection).health, (*inspection).volumes, (*inspection).directories,
}

// who checks the user itself.
func (i *inspection) who() []Finding {
	last := i.image.Steps[len(i.image.Steps)-1]
	for _, s := range slices.Backward(i.image.Steps) {
		if s.Line > 0 && (strings.HasPrefix(s.Text, "USER") || strings.HasPrefix(s.Text, "ONBUILD")) {
			last = s
			break
		}
	}
	found := func(k kind, why string) []Finding {
		word := wordOf(last.Text)
		return []Finding{i.in.finding(k, i.in.lineWith(last.Line, word), word, why)}
	}
	switch {
	case i.verdict == Unknown && i.image.Frontend != "":
		return found(userUnknown, fmt.Sprintf("the syntax directive has %s read the file, and what that makes of it is not known", quote.Value(i.image.Frontend)))
	case i.verdict == Unknown && i.image.Known:
		all := found(userUnknown, because(i.image))
		all[0].Do = "give the account its uid as a number, and write the number in USER"
		return all
	case i.verdict == Unknown:
		return found(userUnknown, fmt.Sprintf("nothing is known of the image %q, and no USER follows", i.image.Base))
	case i.verdict == Never && i.user.Kind == imageuser.Invalid:
		return found(neverStarts, fmt.Sprintf("the user is %s: %s", quote.Value(i.image.User), i.user.Why))
	case i.verdict == Never:
		return found(neverStarts, fmt.Sprintf("the image begins with scratch, and has no /etc/passwd in which %s stands", quote.Value(i.user.Name)))
	case i.verdict == Root:
		all := found(runsAsRoot, because(i.image))
		all[0].Do = endsWith(i.image.Base)
		return all
	}
	var all []Finding
	// The base image sets the user, and its accounts are unknown. Its author chose the number, so there should be an account with a group.
	isBases := i.user.Group == "" && !slices.ContainsFunc(i.image.Commands, func(c dockerfile.Command) bool {
		_, ok := c.Command.(*instructions.UserCommand)
		return ok
	})
	if i.user.RootGroup && !isBases {
		all = append(all, found(rootGroup, fmt.Sprintf("the user is %s, whose group is root's where the image's passwd has no other", quote.Value(i.image.User)))...)
	}
	if i.user.Kind == imageuser.Name {
		all = append(all, found(userByName, fmt.Sprintf("the user is the name %s", quote.Value(i.user.Name)))...)
	}
	return all
}

// endsWith advises how an image should end. Distributions have different programs to create accounts, and scratch has none.
func endsWith(base string) string {
	switch family(base) {
	case "scratch":
		return "end with USER 10001:10001"
	case "alpine":
		return "end with USER 10001:10001; its name in passwd: RUN addgroup -S -g 10001 app && adduser -S -D -H -u 10001 -G app app"
	}
	return runsAsRoot.Do
}

// because explains why an image runs as root.
func because(image *dockerfile.Image) string {
	var said []string
	for _, s := range image.Steps {
		said = append(said, s.Text)
	}
	return strings.Join(said, "; ")
}

func wordOf(step string) string {
	if rest, ok := strings.CutPrefix(strings.TrimPrefix(step, "ONBUILD "), "USER "); ok {
		word, _, _ := strings.Cut(rest, " is \"")
		word, _, _ = strings.Cut(word, ", ")
		return word
	}
	if rest, ok := strings.CutPrefix(step, "RUN "); ok {
		word, _, _ := strings.Cut(rest, " ")
		return word
	}
	return ""
}

// isRoot reports whether an instruction runs as root, or may do so.
func (i *inspection) isRoot(c dockerfile.Command) bool {
	if c.User == "" && !i.image.Known {
		return true
	}
	return imageuser.Read(c.User).Kind == imageuser.Root
}

// build checks RUN instructions.
func (i *inspection) build() (all []Finding) {
	for _, c := range i.image.Commands {
		run, ok := c.Command.(*instructions.RunCommand)
		if !ok || c.OnBuild {
			continue
		}
		asRoot := i.isRoot(c)
		for _, m := range instructions.GetMounts(run) {
			if !asRoot && m.UID == nil {
				switch {
				case m.Type == instructions.MountTypeSecret && m.Env == nil && (m.Mode == nil || *m.Mode&0o004 == 0):
					all = append(all, i.at(c, secretMount, "type=secret", "the secret is root's with mode 0400, and the step is run by "+quoted(c.User)))
				case m.Type == instructions.MountTypeCache && (m.Mode == nil || *m.Mode&0o002 == 0):
					all = append(all, i.at(c, cacheMount, "type=cache", "the cache is root's with mode 0755, and the step is run by "+quoted(c.User)))
				}
			}
		}
		said := map[string]bool{} // programs of this instruction that are already reported
		type place struct {
			id   string
			line int
		}
		there := map[place]bool{}
		add := func(f Finding) { // a line that is long is not shown again and again
			if at := (place{f.ID, f.Line}); !there[at] {
				there[at], all = true, append(all, f)
			}
		}
		commands, written := i.commandsOf(c, run)
		for _, w := range commands {
			name, word := path.Base(w[0]), w[0]
			if as, ok := written[word]; ok {
				word = as
			}
			switch {
			case !asRoot && said[name]:
			case !asRoot && program.BuildNeedsRoot(w) != "" && !givesItself(w, c.User):
				said[name] = true
				all = append(all, i.at(c, needsRoot, word, fmt.Sprintf("%s %s, which only root can, and is run by %s", w[0], program.BuildNeedsRoot(w), quoted(c.User))))
			case name == "setcap" && len(w) > 1 && !slices.Contains(w, "-r"):
				add(i.at(c, capability, word, "setcap gives a program capabilities, which no container's process gets from a file"))
			case name == "chmod" && len(w) > 2 && setsID(w):
				add(i.at(c, setuidFile, word, "the file is made setuid or setgid, which no container's process gets anything from"))
			}
		}
	}
	return all
}

// at returns a finding at an instruction.
func (i *inspection) at(c dockerfile.Command, k kind, word, why string) Finding {
	return i.in.finding(k, i.in.lineWith(c.Line, word), word, why)
}

func quoted(user string) string {
	if user == "" {
		return "root"
	}
	return quote.Value(user)
}

// givesItself reports whether chown or chgrp names the user that runs it.
func givesItself(w []string, user string) bool {
	if base := path.Base(w[0]); base != "chown" && base != "chgrp" {
		return false
	}
	name, _, _ := strings.Cut(user, ":")
	return slices.ContainsFunc(w[1:], func(a string) bool { who, _, _ := strings.Cut(a, ":"); return who == name })
}

// setsID reports whether chmod sets the set-user-ID or set-group-ID bit.
func setsID(w []string) bool {
	for _, a := range w[1:] {
		if strings.HasPrefix(a, "-") {
			continue
		}
		mode, err := strconv.ParseUint(a, 8, 16) //lint:allow a mode
		if err == nil {
			return mode&0o6000 != 0
		}
		who, what, ok := strings.Cut(a, "+")
		return ok && strings.Contains(what, "s") && strings.Trim(who, "ugoa") == ""
	}
	return false
}

// inRoots reports whether a path is root's home, or below it.
func inRoots(p string) bool { p = path.Clean(p); return p == "/root" || strings.HasPrefix(p, "/root/") }

// home checks uses of root's home, which is closed to other users in distributions' images. Values that a later instruction replaces don't
// count, nor do files that a later step may need as root. A build that changes the directory's mode or owner is trusted.
func (i *inspection) home() (all []Finding) {
	if i.verdict != NonRoot || i.opensRootsHome() {
		return nil
	}
	found := func(c dockerfile.Command, format string, args ...any) {
		all = append(all, i.at(c, rootHome, "/root", fmt.Sprintf(format, args...)+", which is closed to "+quoted(i.image.User)))
	}
	type set struct {
		value string
		by    dockerfile.Command
	}
	variables, names := map[string]set{}, []string(nil)
	var workdir, copied []dockerfile.Command
	for _, c := range i.image.Commands {
		if c.OnBuild {
			continue
		}
		switch one := c.Command.(type) {
		case *instructions.EnvCommand:
			for _, kv := range one.Env {
				if _, ok := variables[kv.Key]; !ok {
					names = append(names, kv.Key)
				}
				variables[kv.Key] = set{kv.Value, c}
			}
		case *instructions.WorkdirCommand:
			workdir = []dockerfile.Command{c}
		case *instructions.CopyCommand:
			if inRoots(one.DestPath) {
				copied = append(copied, c)
			}
		case *instructions.AddCommand:
			if inRoots(one.DestPath) {
				copied = append(copied, c)
			}
		case *instructions.RunCommand:
			if i.isRoot(c) {
				copied = nil
			}
		case *instructions.VolumeCommand:
			if at := slices.IndexFunc(one.Volumes, inRoots); at >= 0 {
				found(c, "the volume %s lies in root's home", one.Volumes[at])
			}
		}
	}
	for _, name := range names {
		v := variables[name]
		switch {
		case name == "PATH" && slices.ContainsFunc(strings.Split(v.value, ":"), inRoots):
			found(v.by, "the search path has a directory of root's home")
		case name == "HOME" && inRoots(v.value) || name != "PATH" && inRoots(v.value) && path.Clean(v.value) != "/root":
			found(v.by, "%s leads to root's home", name)
		}
	}
	for _, c := range workdir {
		if inRoots(c.Command.(*instructions.WorkdirCommand).Path) {
			found(c, "the program begins in root's home")
		}
	}
	for _, c := range copied {
		found(c, "it is put into root's home")
	}
	if c, args := i.started(); len(copied) == 0 {
		if at := slices.IndexFunc(args, inRoots); at >= 0 {
			found(c, "the image starts %s", args[at])
		}
	}
	return all
}

// opensRootsHome reports whether a step of the build changes who may enter root's home.
func (i *inspection) opensRootsHome() bool {
	return i.runsOne(func(w []string) bool {
		return slices.Contains([]string{"chmod", "chown", "chgrp", "setfacl", "install"}, path.Base(w[0])) &&
			slices.ContainsFunc(w[1:], func(a string) bool { return path.Clean(a) == "/root" })
	})
}

// runsOne reports whether a RUN instruction has a command for which such is true.
func (i *inspection) runsOne(such func(w []string) bool) bool {
	return slices.ContainsFunc(i.image.Commands, func(c dockerfile.Command) bool {
		run, ok := c.Command.(*instructions.RunCommand)
		if !ok {
			return false
		}
		commands, _ := i.commandsOf(c, run)
		return slices.ContainsFunc(commands, such)
	})
}

// started returns the command line that the image starts, and the instruction that names its program.
func (i *inspection) started() (at dockerfile.Command, args []string) {
	var entrypoint, cmd []string
	for _, c := range i.image.Commands {
		if c.OnBuild {
			continue
		}
		switch one := c.Command.(type) {
		case *instructions.EntrypointCommand:
			entrypoint, cmd, at = started(one.ShellDependantCmdLine), nil, c
		case *instructions.CmdCommand:
			cmd = started(one.ShellDependantCmdLine)
			if entrypoint == nil {
				at = c
			}
		}
	}
	return at, slices.Concat(entrypoint, cmd)
}

// program checks the program that the image starts.
func (i *inspection) program() (all []Finding) {
	at, command := i.started()
	args := program.Behind(command)
	if len(args) == 0 {
		return nil
	}
	if a := (program.Command{Args: args}).Words(); a.Any() {
		all = append(all, i.stands(at, a, args[0], ""))
	} else if file := scriptOf(args); len(file) > 0 {
		if name, text, ok := i.script(file[0]); ok {
			if a := (program.Command{Args: file}).Script(text); a.Any() {
				all = append(all, i.stands(at, a, file[0], name))
			}
		}
	}
	if i.verdict == NonRoot {
		all = append(all, i.closed(args[0])...)
		all = append(all, i.overlay(at, args)...)
	}
	return all
}

// overlay checks s6-overlay's /init, which makes directories in /run. The user has to own /run, because the setuid helper that would chown
// it has no effect. An image that runs as root is fine: the policy chowns /run to its user (adapt.own).
func (i *inspection) overlay(at dockerfile.Command, args []string) []Finding {
	if args[0] != "/init" || !i.hasOverlay() {
		return nil
	}
	given := i.runsOne(func(w []string) bool {
		return slices.Contains([]string{"chown", "chgrp", "chmod", "install", "setfacl"}, path.Base(w[0])) && slices.ContainsFunc(w[1:], func(a string) bool { return resolved(path.Clean(a)) == "/run" })
	})
	if given {
		return nil
	}
	f := i.at(at, needsRootToStart, args[0], "/init of s6-overlay makes its directories in /run, which is root's, and its setuid helper that would change that has no effect")
	f.Do = "give /run to the image's user (RUN chown 10001:10001 /run), or start the program without s6-overlay"
	return []Finding{f}
}

// hasOverlay reports whether the build adds s6-overlay to the image.
func (i *inspection) hasOverlay() bool {
	const name = "s6-overlay"
	return slices.ContainsFunc(i.copies(), func(c copied) bool {
		return slices.ContainsFunc(c.from, func(f string) bool { return strings.Contains(f, name) })
	}) || i.runsOne(func(w []string) bool {
		return slices.ContainsFunc(w, func(a string) bool { return strings.Contains(a, name) })
	})
}

// health checks HEALTHCHECK, which engines run as the container's user. Only the last one counts.
func (i *inspection) health() []Finding {
	var at dockerfile.Command
	var args []string
	for _, c := range i.image.Commands {
		if one, ok := c.Command.(*instructions.HealthCheckCommand); ok && !c.OnBuild {
			at, args = c, probe(one.Health.Test)
		}
	}
	args = program.Behind(args)
	if len(args) == 0 {
		return nil
	}
	found := func(word, why string) []Finding {
		return []Finding{i.at(at, healthCheck, word, "the health check "+why)}
	}
	if why, by, ok := unhealthy(program.Command{Args: args}.Words()); ok {
		return found(by, why)
	}
	file := scriptOf(args)
	if name, text, ok := i.script(file[0]); ok {
		if why, _, ok := unhealthy(program.Command{Args: file}.Script(text)); ok {
			return found(file[0], "is "+quote.Value(name)+", which "+why)
		}
	}
	if i.verdict != NonRoot {
		return nil
	}
	if inRoots(file[0]) && !i.opensRootsHome() {
		return found(file[0], fmt.Sprintf("runs %s, which lies in root's home and is closed to %s", file[0], quoted(i.image.User)))
	}
	if closed := i.closed(file[0]); len(closed) > 0 {
		return found(file[0], fmt.Sprintf("runs %s, which line %d makes root's alone, and the image runs as %s", file[0], closed[0].Line, quoted(i.image.User)))
	}
	return nil
}

// probe returns the command line of a health check; nil: there is none.
func probe(test []string) []string {
	switch {
	case len(test) > 1 && test[0] == "CMD":
		return test[1:]
	case len(test) > 1 && test[0] == "CMD-SHELL":
		return []string{"/bin/sh", "-c", test[1]}
	}
	return nil
}

// unhealthy explains why a health check, a probe or the like fails without root, and returns the word in it that does.
func unhealthy(a program.Against) (why, by string, ok bool) {
	switch {
	case a.Ends:
		return "ends where it is not root, by a test of its own", a.By, true
	case a.Switches:
		return fmt.Sprintf("has %s change to another user, which only root can", a.By), a.By, true
	case a.Installs:
		return fmt.Sprintf("has %s install packages, which only root can", a.By), a.By, true
	case a.Any():
		return fmt.Sprintf("has %s in it, which %s, which only root can", a.By, a.Does), a.By, true
	}
	return "", "", false
}

// stands returns a finding about the image's program. script is the file of the build context in which it was found; "": the command line.
func (i *inspection) stands(at dockerfile.Command, a program.Against, started, script string) Finding {
	word, in := a.By, ""
	if a.Ends {
		word = started
	}
	if script != "" {
		word, in = started, "by "+quote.Value(script)+": "
	}
	switch {
	case a.Ends:
		return i.at(at, needsRootToStart, word, in+"the program ends where it is not root, by a test of its own")
	case a.Switches:
		return i.at(at, stepsDown, word, fmt.Sprintf("%s%s changes to another user, which only root can: under nonroot-runc nobody is", in, a.By))
	case a.Installs:
		return i.at(at, atStart, word, fmt.Sprintf("%s%s installs packages, which only root can", in, a.By))
	}
	f := i.at(at, needsRootToStart, word, fmt.Sprintf("%s%s %s, which only root can", in, a.By, a.Does))
	f.Do = a.Advice
	return f
}

// scriptOf strips a shell from a command line, so that it begins with the script that the shell reads, or with the only command in its -c.
func scriptOf(args []string) []string {
	if !slices.Contains([]string{"sh", "bash", "dash", "ash"}, path.Base(args[0])) {
		return args
	}
	for n, a := range args[1:] {
		switch {
		case a == "-c" && n+2 < len(args):
			left := maxScript
			s := &script{own: map[string]string{}, left: &left}
			s.read(args[n+2], 0)
			if commands, _ := s.known(); len(commands) == 1 {
				return commands[0]
			}
			return args
		case !strings.HasPrefix(a, "-"):
			return args[n+1:]
		}
	}
	return args
}

// searchPath is where engines and runtimes look for a program if the image sets no PATH.
var searchPath = []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}

// places returns the paths in the image at which a program may be. There is only one if the name has a slash.
func (i *inspection) places(started string) (all []string) {
	search, workdir := searchPath, "/"
	for _, c := range i.image.Commands {
		switch one := c.Command.(type) {
		case *instructions.EnvCommand:
			for _, kv := range one.Env {
				if kv.Key == "PATH" && !c.OnBuild {
					search = slices.Concat(strings.SplitN(kv.Value, ":", maxSearch+1), searchPath)
				}
			}
		case *instructions.WorkdirCommand:
			workdir = within(workdir, one.Path)
		}
	}
	if strings.Contains(started, "/") {
		return []string{within(workdir, started)}
	}
	for n, dir := range search {
		if n < maxSearch+len(searchPath) && path.IsAbs(dir) {
			all = append(all, path.Join(dir, started))
		}
	}
	return all
}

// within returns the path of a name that is relative to a directory, or absolute.
func within(dir, name string) string {
	if path.IsAbs(name) {
		return path.Clean(name)
	}
	return path.Join(dir, name)
}

// copied is a COPY or ADD instruction.
type copied struct {
	by                 dockerfile.Command
	from               []string
	dest, chmod, chown string // dest is absolute
	stage              bool   // from another stage or image
}

// copies returns the image's COPY and ADD instructions in order. The base image's working directory is unknown, so "/" stands in for it.
func (i *inspection) copies() (all []copied) {
	workdir := "/"
	for _, c := range i.image.Commands {
		switch one := c.Command.(type) {
		case *instructions.WorkdirCommand:
			workdir = within(workdir, one.Path)
		default:
			if from, ok := copiedBy(c, workdir); ok {
				all = append(all, from)
			}
		}
	}
	return all
}

// copiedBy returns what an instruction copies; ok is false if it copies nothing.
func copiedBy(c dockerfile.Command, workdir string) (from copied, ok bool) {
	switch one := c.Command.(type) {
	case *instructions.CopyCommand:
		return copied{c, one.SourcePaths, within(workdir, one.DestPath), one.Chmod, one.Chown, one.From != ""}, true
	case *instructions.AddCommand:
		return copied{c, one.SourcePaths, within(workdir, one.DestPath), one.Chmod, one.Chown, false}, true
	}
	return from, false
}

// sources returns the names in the source that a path in the image may come from.
func (c *copied) sources(place string) (all []string) {
	for _, f := range c.from {
		if c.dest == place && len(c.from) == 1 || path.Join(c.dest, path.Base(f)) == place {
			all = append(all, f)
		} else if like, err := path.Match(path.Base(f), path.Base(place)); err == nil && like && path.Dir(place) == c.dest {
			all = append(all, path.Join(path.Dir(f), path.Base(place)))
		} else if rest, ok := strings.CutPrefix(place, strings.TrimSuffix(c.dest, "/")+"/"); ok {
			all = append(all, path.Join(f, rest)) // a file in a copied directory
		}
	}
	return all
}

// script returns the beginning of the image's program, if that is a script of the build context.
func (i *inspection) script(started string) (name, text string, ok bool) {
	for _, place := range i.places(started) {
		for _, c := range slices.Backward(i.copies()) {
			if c.stage {
				continue
			}
			for _, name := range c.sources(place) {
				if head, ok := i.read(name); ok && program.IsScript(head) {
					return name, head, true
				}
			}
		}
	}
	return "", "", false
}

func started(c instructions.ShellDependantCmdLine) []string {
	if c.PrependShell {
		return append([]string{"/bin/sh", "-c"}, strings.Join(c.CmdLine, " "))
	}
	return c.CmdLine
}

// closed returns findings for a program that was copied with a mode that lets only root run it.
func (i *inspection) closed(program string) (all []Finding) {
	places := i.places(program)
	for _, c := range i.copies() {
		mode, err := strconv.ParseUint(c.chmod, 8, 16) //lint:allow a mode
		if err != nil || mode&0o001 != 0 || c.chown != "" {
			continue
		}
		here := func(place string) bool {
			return c.dest == place || slices.ContainsFunc(c.from, func(f string) bool { return path.Join(c.dest, path.Base(f)) == place })
		}
		if at := slices.IndexFunc(places, here); at >= 0 {
			all = append(all, i.at(c.by, closedProg, c.chmod, fmt.Sprintf("%s is root's with mode %s, and the image runs as %s", places[at], c.chmod, quoted(i.image.User))))
		}
	}
	return all
}

// maxVolumes limits the volumes of an image that are checked.
const maxVolumes = 64

// volumes checks VOLUME instructions. A directory that the build did not chown to the user is owned by root in each new volume.
func (i *inspection) volumes() (all []Finding) {
	if i.verdict != NonRoot {
		return nil
	}
	looked := 0
	for _, c := range i.image.Commands {
		v, ok := c.Command.(*instructions.VolumeCommand)
		if !ok || c.OnBuild || c.Unsure {
			continue
		}
		for _, dir := range v.Volumes {
			if looked++; looked > maxVolumes {
				return all
			}
			if path.IsAbs(dir) && !inRoots(dir) && !i.isGiven(path.Clean(dir)) {
				all = append(all, i.at(c, volumeOfRoot, dir, fmt.Sprintf("nothing gives %s to %s, so that a new volume there is root's", dir, quoted(i.image.User))))
			}
		}
	}
	return all
}

// isGiven reports whether an instruction may give a directory, or one above or below it, to another owner. It doesn't look at who that is.
// A base image that is no distribution's may have done it already.
func (i *inspection) isGiven(dir string) bool {
	if i.ground().isGiven(dir, 0, false) {
		return true
	}
	touches := func(p string) bool {
		p = path.Clean("/" + strings.Trim(p, "\"'"))
		return p != "/" && (links.Within(p, dir) || links.Within(dir, p))
	}
	if _, known := distributionOf(i.image.Base); !known && !i.image.Empty && i.image.Steps[0].Line > 0 {
		return true
	}
	for _, c := range i.image.Commands {
		switch one := c.Command.(type) {
		case *instructions.CopyCommand:
			if one.Chown != "" && touches(one.DestPath) {
				return true
			}
		case *instructions.AddCommand:
			if one.Chown != "" && touches(one.DestPath) {
				return true
			}
		case *instructions.WorkdirCommand:
			if !i.isRoot(c) && touches(one.Path) {
				return true
			}
		case *instructions.RunCommand:
			commands, _ := i.commandsOf(c, one)
			for _, w := range commands {
				name := path.Base(w[0])
				gives := slices.Contains([]string{"chown", "chgrp", "chmod", "install", "useradd", "adduser"}, name) || !i.isRoot(c)
				if gives && slices.ContainsFunc(w[1:], touches) || strings.Contains(strings.Join(w, " "), "$") && gives {
					return true
				}
			}
		}
	}
	return false
}

// copiesAccounts reports whether an image that is based on scratch may get a passwd.
func copiesAccounts(image *dockerfile.Image) bool {
	return slices.ContainsFunc(image.Commands, func(c dockerfile.Command) bool {
		switch one := c.Command.(type) {
		case *instructions.CopyCommand:
			dest := path.Clean("/" + one.DestPath)
			return dest == "/etc/passwd" || dest == "/etc" || dest == "/"
		case *instructions.AddCommand:
			return true // an archive may contain one
		case *instructions.RunCommand:
			return true
		}
		return false
	})
}
