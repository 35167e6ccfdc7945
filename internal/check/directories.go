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

// directories is about what the image's program writes, as far as its command line or its script says so, and the build leaves to root.
// Somebody who is not root is given nothing of an image's files by the policy, so that it fails under any runtime.
func (i *inspection) directories() (all []Finding) {
	if i.verdict != NonRoot {
		return nil
	}
	at, command := i.started()
	args := program.Behind(command)
	if len(args) == 0 {
		return nil
	}
	g := i.ground()
	c := program.Command{Args: args, Cwd: g.cwd, Chowns: true}
	by, writes, against, script := "the image's command", c.Written(), c.Words(), ""
	if len(writes) == 0 {
		file := scriptOf(args)
		name, text, ok := i.script(file[0])
		if !ok {
			return nil
		}
		by, writes, against, script = quote.Value(name), c.WrittenBy(text), c.Script(text), file[0]
	}
	if against.Any() {
		return nil // which says what comes before
	}
	said := map[string]bool{}
	for _, w := range writes {
		what, made, ok := g.closed(w)
		if !ok || said[what] || i.looked >= maxLooked {
			continue // where the context was asked too often, it is not known
		}
		said[what] = true
		why := fmt.Sprintf("%s writes %s as %s, and %s", by, quote.Value(w.Path), quoted(i.image.User), quote.Value(what))
		if made != nil {
			all = append(all, i.at(made.by, directoryOfRoot, made.word, why+", which this instruction makes, still belongs to root"))
			continue
		}
		word := script
		if word == "" {
			word = w.Path
		}
		all = append(all, i.at(at, directoryOfRoot, word, why+" is root's in the image that it begins with"))
	}
	return all
}

// made is a directory that the build makes as root.
type made struct {
	by   dockerfile.Command
	word string // as which it is written there
}

// put is what the build copies from its context as root's.
type put struct {
	copied
	word string // where to, as it is written
	at   int    // which of the instructions it is
}

// given is a path that somebody else than root may own or write, with what is below it.
type given struct {
	path   string
	at     int
	inside bool    // what is below it, but not the directory itself
	of     *copied // it is what is copied from the build context, and nothing else
}

// ground is what is known of the owners of an image's files. It is sure of what it says is root's.
type ground struct {
	i       *inspection
	base    baseOf
	cwd     string // the working directory; "": it is not known
	byShell bool   // a RUN's text is for a shell
	made    map[string]made
	puts    []put
	given   []given
	volumes []string
}

// baseOf is what is known of the directories of the image that a build begins with.
type baseOf int

const (
	anyBase      baseOf = iota // nothing
	languageBase               // a language's own: what lies in a directory of the root directory that no distribution has is the build's
	distributionBase
	emptyBase
)

// languagesBases are those of Docker's official images in which, as in a distribution's, nobody owns anything but root, save in directories
// that distributions have, too, and in /go (docker-library's and the languages' own repositories, read on 2026-11-30).
var languagesBases = []string{"golang", "node", "python", "ruby", "rust"}

// rootsOwn are directories of distributions that are closed to all but root in each that is called closed.
var rootsOwn = []string{"/", "/bin", "/sbin", "/etc", "/home", "/opt", "/run", "/srv", "/usr", "/usr/bin", "/usr/sbin", "/usr/lib", "/usr/share", "/var", "/var/cache", "/var/lib", "/var/log"}

// openToAll are directories in which everybody may write (mode 1777), whoever makes them once more.
var openToAll = []string{"/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue", "/run/lock", "/var/lock", "/run/shm"}

// usual are the directories of the root directory that distributions have, or an image's base may bring along.
var usual = []string{"bin", "boot", "dev", "etc", "go", "home", "lib", "lib64", "media", "mnt", "opt", "proc", "root", "run", "sbin", "srv", "sys", "tmp", "usr", "var"}

// isUsual says that a path lies in one of them.
func isUsual(p string) bool {
	top, _, _ := strings.Cut(strings.TrimPrefix(p, "/"), "/")
	return slices.Contains(usual, top)
}

func baseKind(image *dockerfile.Image) baseOf {
	if image.Empty {
		return emptyBase
	}
	switch d, _ := distributionOf(image.Base); {
	case d.closed:
		return distributionBase
	case slices.Contains(languagesBases, official(image.Base)):
		return languageBase
	}
	return anyBase
}

// ground goes through the build, once.
func (i *inspection) ground() *ground {
	if i.owners != nil {
		return i.owners
	}
	g := &ground{i: i, base: baseKind(i.image), byShell: true, made: map[string]made{}}
	if g.base == distributionBase || g.base == emptyBase {
		g.cwd = "/"
	}
	for n, c := range i.image.Commands {
		if c.Unsure && g.unsure(c, n) {
			continue
		}
		switch one := c.Command.(type) {
		case *instructions.ShellCommand:
			g.byShell = len(one.Shell) > 0 && program.IsShell(one.Shell[0])
		case *instructions.WorkdirCommand:
			if g.cwd == "" && !path.IsAbs(one.Path) {
				g.give("/", n)
				continue
			}
			g.cwd = within(g.cwd, one.Path)
			g.makes(g.cwd, c, one.Path, n)
		case *instructions.CopyCommand:
			g.copies(&copied{c, one.SourcePaths, one.DestPath, one.Chmod, one.Chown, one.From != ""}, n)
		case *instructions.AddCommand:
			g.copies(&copied{c, one.SourcePaths, one.DestPath, one.Chmod, one.Chown, slices.ContainsFunc(one.SourcePaths, mayUnpack)}, n)
		case *instructions.VolumeCommand:
			g.volumes = append(g.volumes, one.Volumes...)
		case *instructions.RunCommand:
			g.runs(c, one, n)
		}
	}
	i.owners = g
	return g
}

// unsure is about an instruction that may be about any path.
func (g *ground) unsure(c dockerfile.Command, n int) bool {
	switch c.Command.(type) {
	case *instructions.WorkdirCommand:
		g.cwd = ""
	case *instructions.CopyCommand, *instructions.AddCommand:
	default:
		return false
	}
	g.give("/", n)
	return true
}

// mayUnpack says that ADD may take a source apart, or get it from elsewhere.
func mayUnpack(name string) bool {
	return strings.ContainsAny(name, ":*?[") || slices.ContainsFunc([]string{".tar", ".tgz", ".tbz", ".txz", ".tzst", ".gz", ".bz2", ".xz", ".zst"}, func(end string) bool { return strings.Contains(name, end) })
}

func (g *ground) give(p string, n int) { g.given = append(g.given, given{path: path.Clean(p), at: n}) }

// makes is about a directory that an instruction makes where there is none, with those above it.
func (g *ground) makes(dir string, c dockerfile.Command, word string, n int) {
	if c.OnBuild || !isRootsName(c.User) {
		g.give(dir, n)
		return
	}
	if strings.Count(dir, "/") > maxDepth || len(g.made) > maxMade {
		return
	}
	for p := dir; p != "/"; p = path.Dir(p) {
		if _, ok := g.made[p]; !ok {
			g.made[p] = made{c, word}
		}
	}
}

// Bounds of the directories that are kept, which the Dockerfile's author chooses.
const (
	maxDepth = 64
	maxMade  = 10000
)

func isRootsName(user string) bool { return imageuser.Read(user).Kind == imageuser.Root }

// copies is about COPY and ADD. A directory that is there keeps its owner; what comes from another stage keeps those that it has there
// (BuildKit's testCopyChownExistingDir).
func (g *ground) copies(c *copied, n int) {
	word := c.dest
	switch {
	case path.IsAbs(c.dest):
		c.dest = path.Clean(c.dest)
	case g.cwd == "":
		g.give("/", n)
		return
	default:
		c.dest = path.Join(g.cwd, c.dest)
	}
	mode, err := strconv.ParseUint(c.chmod, 8, 16) //lint:allow a mode
	owned := c.chown != "" && !ownersRoot(c.chown)
	opened := c.chmod != "" && (err != nil || mode&0o022 != 0)
	_, there := g.made[c.dest]
	if owned || opened || c.stage || c.by.OnBuild {
		one := given{path: c.dest, at: n, inside: there || c.stage && !owned && !opened}
		if !c.stage && !c.by.OnBuild {
			one.of = c
		}
		g.given = append(g.given, one)
	}
	if owned || opened || c.by.OnBuild {
		return // directories on the way are the owner's, too
	}
	g.makes(path.Dir(c.dest), rooted(c.by), word, n)
	if strings.HasSuffix(word, "/") || len(c.from) > 1 || c.dest == g.cwd || slices.ContainsFunc(c.from, func(f string) bool { return strings.HasSuffix(f, "/") || path.Clean(f) == "." }) {
		g.makes(c.dest, rooted(c.by), word, n)
	}
	if !c.stage {
		g.puts = append(g.puts, put{*c, word, n})
	}
}

// rooted is an instruction as one of root's: what COPY makes is root's, whoever the user is.
func rooted(c dockerfile.Command) dockerfile.Command {
	c.User = ""
	return c
}

// ownersRoot says that USER:GROUP, as chown has it, is root's alone.
func ownersRoot(owner string) bool {
	user, group, _ := strings.Cut(owner, ":")
	return (user == "root" || user == "0") && (group == "" || group == "root" || group == "0")
}

// Programs that may change owners and modes in ways that their words don't tell, and those that may do so where they work.
var (
	anything = []string{
		"su", "sudo", "gosu", "su-exec", "runuser", "setpriv", "chroot", "eval", "source", ".", "xargs", "umask", "busybox", "fakeroot", "dpkg-statoverride", "rsync", "cpio",
		"ansible", "ansible-playbook", "puppet", "chef-client", "salt-call", "perl", "php", "lua", "env",
	}
	interpreters = []string{"python", "python2", "python3", "ruby", "node", "make", "cmake", "ninja"}
	wrappers     = []string{"gradlew", "mvnw", "configure"} // of a project's own, which build it
)

// runs is about RUN: what it makes, and what it may give to others.
func (g *ground) runs(c dockerfile.Command, run *instructions.RunCommand, n int) {
	all, written := commandsOf(c, run)
	switch {
	case !run.PrependShell && len(run.CmdLine) > 0:
		all, written = [][]string{slices.Clone(run.CmdLine)}, nil
	case !g.byShell || len(all) == 0:
		g.give("/", n)
		return
	}
	cwd := g.cwd
	for _, w := range all {
		for k := range w {
			w[k] = strings.Trim(w[k], "\"'`")
		}
		if slices.Contains([]string{"cd", "pushd", "popd"}, w[0]) {
			cwd = "" // where which of the commands is run is not followed
		}
	}
	for _, w := range all {
		if len(w) > 1 || !isAssignment.MatchString(w[0]) {
			g.command(c, w, written, cwd, n)
		}
	}
}

// command is one of a RUN's.
func (g *ground) command(c dockerfile.Command, w []string, written map[string]string, cwd string, n int) {
	name := path.Base(w[0])
	var operands, values []string // values: those of options, too, as far as they are paths
	plain := true
	for _, a := range w[1:] {
		if !strings.HasPrefix(a, "-") {
			operands = append(operands, a)
			continue
		}
		plain = plain && slices.Contains([]string{"-p", "-pv", "-vp", "-v", "--parents"}, a)
		if at := strings.IndexByte(a, '/'); at >= 0 {
			values = append(values, a[at:])
		}
	}
	values = append(values, slices.DeleteFunc(slices.Clone(operands), func(o string) bool { return !strings.Contains(o, "/") && !strings.Contains(o, "$") })...)
	last := operands[max(len(operands)-1, 0):]
	isOf := func(all ...string) bool { return slices.Contains(all, name) }
	switch {
	case isOf("mkdir") && plain && isRootsName(c.User):
		for _, o := range operands {
			if p, whole := literal(o, cwd); whole {
				word := o
				if as, ok := written[o]; ok {
					word = as
				}
				g.makes(p, c, word, n)
			}
		}
	case isOf("mkdir"):
		g.gives(append(operands, values...), cwd, n)
	case !isRootsName(c.User):
		g.gives(append(operands, values...), cwd, n) // in what is its own
	case g.isScript(w, operands):
		g.give("/", n)
	case isOf(interpreters...) || program.IsShell(name):
		for _, dir := range usual { // it may install something; a script of the build context is told apart
			g.give("/"+dir, n)
		}
		if !isOf("sh", "bash") {
			g.gives([]string{"."}, cwd, n)
		}
	case isOf("chmod") && len(operands) > 0 && !opens(operands[0]), isOf("chown") && len(operands) > 0 && ownersRoot(operands[0]):
	case isOf("chown", "chgrp", "chmod", "setfacl"):
		g.gives(operands[min(1, len(operands)):], cwd, n)
		g.gives(values, cwd, n)
	case isOf("useradd", "adduser", "usermod"):
		g.gives(append(values, "/home"), cwd, n)
	case isOf("install"), isOf("mv"), isOf("cp") && slices.ContainsFunc(w[1:], func(a string) bool {
		return strings.HasPrefix(a, "--") || strings.HasPrefix(a, "-") && strings.ContainsAny(a, "ap")
	}):
		g.gives(last, cwd, n)
		if !isOf("mv", "cp") {
			g.gives(values, cwd, n)
		}
	case isOf("tar", "bsdtar"):
		if len(values) == 0 || !slices.ContainsFunc(w, func(a string) bool { return strings.HasPrefix(a, "-C") || strings.HasPrefix(a, "--directory") }) {
			values = append(values, ".")
		}
		g.gives(values, cwd, n)
	case isOf("rm", "rmdir", "ln"):
		for _, o := range operands {
			if p, whole := literal(o, cwd); whole {
				g.give(p, n) // it is gone, or leads elsewhere
			}
		}
	}
}

// isScript says that a command runs what may do anything: a script, or something that calls chown for other words.
func (g *ground) isScript(w, operands []string) bool {
	name := path.Base(w[0])
	isGiving := func(a string) bool {
		return slices.Contains([]string{"chown", "chgrp", "chmod", "setfacl"}, path.Base(a))
	}
	switch {
	case strings.ContainsAny(w[0], "$`"), slices.Contains(anything, name), slices.ContainsFunc(w[1:], isGiving) && name != "which":
		return true
	case name == "find":
		return slices.ContainsFunc(w, func(a string) bool { return strings.HasPrefix(a, "-exec") || strings.HasPrefix(a, "-ok") })
	case strings.Contains(w[0], "/") && !slices.Contains(searchPath, path.Dir(w[0])):
		return !slices.Contains(wrappers, name)
	case program.IsShell(name):
		return len(operands) > 0 || slices.ContainsFunc(w, func(a string) bool { return strings.HasPrefix(a, "-") && strings.HasSuffix(a, "c") })
	case slices.Contains(interpreters[:4], name):
		return !slices.ContainsFunc(w, func(a string) bool { return a == "-m" }) && len(operands) > 0
	}
	return false
}

// opens says that a mode of chmod's may let others write.
func opens(mode string) bool {
	if bits, err := strconv.ParseUint(mode, 8, 16); err == nil { //lint:allow a mode
		return bits&0o022 != 0
	}
	for part := range strings.SplitSeq(mode, ",") {
		if strings.Contains(part, "=") || strings.Contains(part, "+") && strings.ContainsAny(part[strings.Index(part, "+"):], "wugo") {
			return true
		}
	}
	return !strings.ContainsAny(mode, "+-")
}

// literal is the path that a shell's word names; whole is false where it is only the directory in which a pattern or a variable is looked for.
// It is the root directory where nothing is known of it.
func literal(word, cwd string) (p string, whole bool) {
	end := strings.IndexAny(word, "$`*?[{~\\\"'")
	if end >= 0 {
		word = word[:strings.LastIndexByte(word[:end], '/')+1]
	}
	switch {
	case path.IsAbs(word):
		return resolved(path.Clean(word)), end < 0
	case cwd == "" || end >= 0 && word == "":
		return "/", false
	}
	return resolved(path.Join(cwd, word)), end < 0
}

// gives is about paths that may be given to others, as a RUN names them.
func (g *ground) gives(words []string, cwd string, n int) {
	for _, w := range words {
		p, _ := literal(w, cwd)
		g.give(p, n)
	}
}

// resolved is a path without the link that distributions have for /run.
func resolved(p string) string {
	if rest, ok := strings.CutPrefix(p, "/var/run"); ok && (rest == "" || rest[0] == '/') {
		return "/run" + rest
	}
	return p
}

// isGiven says that somebody else than root may own a path or something above it, by an instruction from a place on. Of a file that is
// opened it is known whether the build context has it.
func (g *ground) isGiven(p string, from int, opened bool) bool {
	return slices.ContainsFunc(g.given, func(one given) bool {
		switch {
		case one.at < from || !links.Within(one.path, p) || one.inside && p == one.path:
			return false
		case one.of != nil && opened && g.i.context != nil:
			return slices.ContainsFunc(one.of.sources(p), func(name string) bool { _, ok := g.i.read(name); return ok })
		}
		return true
	})
}

// closed is what keeps the image's user from a write: a path that is root's, and where it is made; nil: in the image that it begins with.
func (g *ground) closed(w program.Write) (what string, by *made, ok bool) {
	p := resolved(w.Path)
	if inRoots(p) || slices.ContainsFunc(g.volumes, func(v string) bool { return links.Within(path.Clean(v), p) }) {
		return "", nil, false // there are rules for root's home and for volumes
	}
	f, isFile := g.file(p)
	_, isDirectory := g.made[p]
	isDirectory = isDirectory || g.base == distributionBase && slices.Contains(rootsOwn, p)
	switch {
	case isFile && g.isGiven(p, f.at+1, false):
		return "", nil, false
	case isFile && w.How == program.Opens:
		return p, &made{f.by, f.word}, true
	case !isFile && g.isGiven(p, 0, w.How == program.Opens):
		return "", nil, false
	case isFile && w.How == program.Makes, isDirectory && w.How == program.Makes, !isFile && !isDirectory && w.How == program.Replaces:
		return "", nil, false // nothing is done
	case isDirectory && w.How == program.Puts:
		return g.directory(p)
	case w.How == program.Makes:
		return g.directory(g.above(p))
	}
	return g.directory(path.Dir(p))
}

// above is the next directory above a path that is there; "": it is not known.
func (g *ground) above(p string) string {
	for dir := path.Dir(p); ; dir = path.Dir(dir) {
		_, isMade := g.made[dir]
		switch {
		case isMade, g.base == distributionBase && slices.Contains(rootsOwn, dir):
			return dir
		case dir == "/" || isUsual(dir):
			return ""
		}
	}
}

// directory says that one is there, and surely root's.
func (g *ground) directory(dir string) (what string, by *made, ok bool) {
	if dir == "" || slices.Contains(openToAll, dir) || g.isGiven(dir, 0, false) || isUsual(dir) && !g.isOwn() {
		return "", nil, false
	}
	if one, isMade := g.made[dir]; isMade {
		return dir, &one, g.base == distributionBase || g.base == emptyBase || g.base == languageBase && !isUsual(dir)
	}
	return dir, nil, g.base == distributionBase && slices.Contains(rootsOwn, dir)
}

// isOwn says that the image's user is nobody whom a package brings along with directories of its own: a number that distributions leave to
// people, or an account that the build makes.
func (g *ground) isOwn() bool {
	if g.i.user.Kind == imageuser.Number {
		return g.i.user.UID >= 1000 && g.i.user.UID < 60000
	}
	return runsOne(g.i.image, func(w []string) bool {
		return slices.Contains([]string{"useradd", "adduser"}, path.Base(w[0])) && slices.Contains(w, g.i.user.Name)
	})
}

// file says that a path is a file of the build context that the build puts there as root's.
func (g *ground) file(p string) (put, bool) {
	for _, one := range slices.Backward(g.puts) {
		if slices.ContainsFunc(one.sources(p), func(name string) bool { _, ok := g.i.read(name); return ok }) {
			return one, true
		}
	}
	return put{}, false
}
