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

// directories checks the paths that the image's program writes to, according to its command line or its script, if the build leaves them to
// root. The policy doesn't chown an image's files for a user that is not root, so these writes fail under any runtime.
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
		return nil // that finding comes first
	}
	said := map[string]bool{}
	for _, w := range writes {
		what, made, ok := g.closed(w)
		if !ok || said[what] || i.looked >= maxLooked {
			continue // after too many requests to the context, nothing is certain
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

// made is the origin of a directory that the build creates as root.
type made struct {
	by   dockerfile.Command
	word string // the path in the instruction
}

// put is a COPY from the build context that leaves the files to root.
type put struct {
	copied
	word string // the destination in the instruction
	at   int    // index of the instruction
}

// given is a path that another user than root may own or write to, with everything below it.
type given struct {
	path   string
	at     int
	inside bool    // everything below it, but not the directory itself
	of     *copied // only the files that this copies from the build context
}

// ground is what is known about the owners of an image's files. It errs on one side: what it says is owned by root certainly is.
type ground struct {
	i       *inspection
	base    baseOf
	cwd     string // the working directory; "": unknown
	byShell bool   // RUN passes its text to a shell
	made    map[string]made
	puts    []put
	given   []given
	volumes []string
}

// baseOf says what is known about the directories of a base image.
type baseOf int

const (
	anyBase      baseOf = iota // nothing
	languageBase               // a language's image: if no distribution has the path's top directory, the build made it
	distributionBase
	emptyBase
)

// languagesBases are official images of Docker in which, like in a distribution's, everything is owned by root, except below /go and
// directories that distributions have as well (repositories of docker-library and of the languages, read on 2026-11-30).
var languagesBases = []string{"golang", "node", "python", "ruby", "rust"}

// rootsOwn are directories that only root can write to, in each distribution that is marked as closed.
var rootsOwn = []string{"/", "/bin", "/sbin", "/etc", "/home", "/opt", "/run", "/srv", "/usr", "/usr/bin", "/usr/sbin", "/usr/lib", "/usr/share", "/var", "/var/cache", "/var/lib", "/var/log"}

// openToAll are directories that everybody can write to (mode 1777), even if the build creates them again.
var openToAll = []string{"/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue", "/run/lock", "/var/lock", "/run/shm"}

// usual are the top directories that distributions have, or that a base image may add.
var usual = []string{"bin", "boot", "dev", "etc", "go", "home", "lib", "lib64", "media", "mnt", "opt", "proc", "root", "run", "sbin", "srv", "sys", "tmp", "usr", "var"}

// isUsual reports whether a path is in one of them.
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

// ground evaluates the build. It does so only once.
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

// unsure handles an instruction with an uncertain path. It reports whether it did.
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

// mayUnpack reports whether ADD may unpack a source or download it.
func mayUnpack(name string) bool {
	return strings.ContainsAny(name, ":*?[") || slices.ContainsFunc([]string{".tar", ".tgz", ".tbz", ".txz", ".tzst", ".gz", ".bz2", ".xz", ".zst"}, func(end string) bool { return strings.Contains(name, end) })
}

func (g *ground) give(p string, n int) { g.given = append(g.given, given{path: path.Clean(p), at: n}) }

// makes records a directory that an instruction creates, and its missing parents.
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

// Limits on the directories that are kept. Their number is up to the Dockerfile's author.
const (
	maxDepth = 64
	maxMade  = 10000
)

func isRootsName(user string) bool { return imageuser.Read(user).Kind == imageuser.Root }

// copies records COPY and ADD. An existing directory keeps its owner, and files from another stage keep theirs (BuildKit's
// testCopyChownExistingDir).
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
		return // missing parents get the same owner
	}
	g.makes(path.Dir(c.dest), rooted(c.by), word, n)
	if strings.HasSuffix(word, "/") || len(c.from) > 1 || c.dest == g.cwd || slices.ContainsFunc(c.from, func(f string) bool { return strings.HasSuffix(f, "/") || path.Clean(f) == "." }) {
		g.makes(c.dest, rooted(c.by), word, n)
	}
	if !c.stage {
		g.puts = append(g.puts, put{*c, word, n})
	}
}

// rooted returns the instruction as if root ran it: COPY creates files as root, whatever the USER.
func rooted(c dockerfile.Command) dockerfile.Command {
	c.User = ""
	return c
}

// ownersRoot reports whether an argument of chown, USER:GROUP, is root.
func ownersRoot(owner string) bool {
	user, group, _ := strings.Cut(owner, ":")
	return (user == "root" || user == "0") && (group == "" || group == "root" || group == "0")
}

// Programs that may change owners and modes in ways that their arguments don't show: anywhere, or in their working directory.
var (
	anything = []string{
		"su", "sudo", "gosu", "su-exec", "runuser", "setpriv", "chroot", "eval", "source", ".", "xargs", "umask", "busybox", "fakeroot", "dpkg-statoverride", "rsync", "cpio",
		"ansible", "ansible-playbook", "puppet", "chef-client", "salt-call", "perl", "php", "lua", "env",
	}
	interpreters = []string{"python", "python2", "python3", "ruby", "node", "make", "cmake", "ninja"}
	wrappers     = []string{"gradlew", "mvnw", "configure"} // scripts of a project that build it
)

// runs records what RUN creates, and what it may give to other users.
func (g *ground) runs(c dockerfile.Command, run *instructions.RunCommand, n int) {
	all, written := g.i.commandsOf(c, run)
	switch {
	case !run.PrependShell && len(run.CmdLine) > 0:
		all, written = [][]string{slices.Clone(run.CmdLine)}, nil
	case !g.byShell || len(all) == 0:
		g.give("/", n)
		return
	}
	cwd := g.cwd
	for _, w := range all {
		if slices.Contains([]string{"cd", "pushd", "popd"}, w[0]) {
			cwd = "" // cd is not followed through the script
		}
	}
	for _, w := range all {
		g.command(c, w, written, cwd, n)
	}
}

// command records the effects of one command of a RUN.
func (g *ground) command(c dockerfile.Command, w []string, written map[string]string, cwd string, n int) {
	name := path.Base(w[0])
	var operands, values []string // with those of options, if they may be paths
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
		g.gives(append(operands, values...), cwd, n) // it can only change its own files
	case g.isScript(w, operands):
		g.give("/", n)
	case isOf(interpreters...) || program.IsShell(name):
		for _, dir := range usual { // it may install something; isScript handles scripts of the build context
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
				g.give(p, n) // it is removed, or replaced by a link
			}
		}
	}
}

// isScript reports whether a command may do anything: it is a script, or it has other words run chown.
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

// opens reports whether a mode in chmod's syntax may let others write.
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

// literal returns the path that a word of a shell script names. With a pattern or a variable in it, whole is false, and the path is the
// last certain directory; "/" if there is none.
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

// gives records that a RUN may give paths to other users.
func (g *ground) gives(words []string, cwd string, n int) {
	for _, w := range words {
		p, _ := literal(w, cwd)
		g.give(p, n)
	}
}

// resolved replaces /var/run with /run, where it leads to in distributions.
func resolved(p string) string {
	if rest, ok := strings.CutPrefix(p, "/var/run"); ok && (rest == "" || rest[0] == '/') {
		return "/run" + rest
	}
	return p
}

// isGiven reports whether another user than root may own a path or a directory above it, by instruction number from or a later one. opened:
// the program opens an existing file, so a COPY counts only if the build context has it.
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

// closed returns the path that keeps the image's user from a write, and the instruction that creates it; nil: it is in the base image.
func (g *ground) closed(w program.Write) (what string, by *made, ok bool) {
	p := resolved(w.Path)
	if inRoots(p) || slices.ContainsFunc(g.volumes, func(v string) bool { return links.Within(path.Clean(v), p) }) {
		return "", nil, false // other rules check root's home and volumes
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
		return "", nil, false // the write has no effect
	case isDirectory && w.How == program.Puts:
		return g.directory(p)
	case w.How == program.Makes:
		return g.directory(g.above(p))
	}
	return g.directory(path.Dir(p))
}

// above returns the closest parent of a path that certainly exists; "": unknown.
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

// directory reports whether a directory certainly exists and is owned by root.
func (g *ground) directory(dir string) (what string, by *made, ok bool) {
	if dir == "" || slices.Contains(openToAll, dir) || g.isGiven(dir, 0, false) || isUsual(dir) && !g.isOwn() {
		return "", nil, false
	}
	if one, isMade := g.made[dir]; isMade {
		return dir, &one, g.base == distributionBase || g.base == emptyBase || g.base == languageBase && !isUsual(dir)
	}
	return dir, nil, g.base == distributionBase && slices.Contains(rootsOwn, dir)
}

// isOwn reports whether no package can have brought directories for the image's user: its uid is in the range that distributions leave to
// people, or the build creates its account.
func (g *ground) isOwn() bool {
	if g.i.user.Kind == imageuser.Number {
		return g.i.user.UID >= 1000 && g.i.user.UID < 60000
	}
	return g.i.runsOne(func(w []string) bool {
		return slices.Contains([]string{"useradd", "adduser"}, path.Base(w[0])) && slices.Contains(w, g.i.user.Name)
	})
}

// file reports whether a path is a file that the build copies from its context and leaves to root.
func (g *ground) file(p string) (put, bool) {
	for _, one := range slices.Backward(g.puts) {
		if slices.ContainsFunc(one.sources(p), func(name string) bool { _, ok := g.i.read(name); return ok }) {
			return one, true
		}
	}
	return put{}, false
}
