// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/fatih/color"
	"github.com/sirupsen/logrus"
	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/docs/checks"
	"github.com/nonroot-runc/nonroot-runc/internal/bundle"
	"github.com/nonroot-runc/nonroot-runc/internal/check"
	"github.com/nonroot-runc/nonroot-runc/internal/compose"
	"github.com/nonroot-runc/nonroot-runc/internal/dockerfile"
	"github.com/nonroot-runc/nonroot-runc/internal/explain"
	"github.com/nonroot-runc/nonroot-runc/internal/findings"
	"github.com/nonroot-runc/nonroot-runc/internal/imagefile"
	"github.com/nonroot-runc/nonroot-runc/internal/manifest"
	"github.com/nonroot-runc/nonroot-runc/internal/podsecurity"
	"github.com/nonroot-runc/nonroot-runc/internal/quote"
	"github.com/nonroot-runc/nonroot-runc/internal/targets"
	"github.com/nonroot-runc/nonroot-runc/internal/version"
)

// checkCommand checks files and images before they run.
func checkCommand() *cli.Command {
	return &cli.Command{
		Name: "check", Usage: "tell whether images, Dockerfiles, manifests and services run as root, and what fails without it", ArgsUsage: "PATH...", HideHelpCommand: true,
		UsageText: "nonroot-ctl check [options] PATH...\nnonroot-ctl check --run IMAGE|BUNDLE [options] [-- COMMAND]",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "target", Usage: "build the stage `NAME` (default: the last one)"},
			&cli.StringSliceFlag{Name: "build-arg", Usage: "set an ARG, `NAME=VALUE`; may be repeated"},
			&cli.StringSliceFlag{Name: "base", Usage: "the user of a base image, `NAME=USER`; may be repeated"},
			&cli.StringSliceFlag{Name: "bases", Usage: "read more known base images from `FILE`; may be repeated"},
			&cli.StringFlag{Name: "local", Usage: "look base images up in `ENGINE` on this machine: docker or podman"},
			&cli.StringFlag{Name: "policy", Usage: "use the policy in `FILE` instead of the one in force"},
			&cli.StringFlag{Name: "runtime-class", Usage: "pods with the RuntimeClass `NAME` run under nonroot-runc"},
			&cli.StringSliceFlag{Name: "labelled-namespace", Usage: "assume that the namespace `NAME` has the label nonroot-runc.io/runtime=nonroot; may be repeated"},
			&cli.StringFlag{Name: "namespace", Usage: "the namespace `NAME` of objects without one, as with kubectl -n"},
			&cli.StringFlag{Name: "pod-security", Usage: "require Pod Security's `LEVEL`[:VERSION] of every pod, such as restricted:v1.37"},
			&cli.StringSliceFlag{Name: "exclude", Usage: "leave out what `PATTERN`, as in a .gitignore, matches in a directory; may be repeated"},
			&cli.StringFlag{Name: "fail-on", Value: "warning", Usage: "exit with 1 for findings of this `SEVERITY` or worse: error, warning or note"},
			&cli.StringFlag{Name: "format", Value: "text", Usage: "print the findings as `FORMAT`: text, json, sarif, github or junit"},
			&cli.BoolFlag{Name: "json", Usage: "print JSON"},
			&cli.StringFlag{Name: "baseline", Usage: "leave out the findings in `FILE`"},
			&cli.StringFlag{Name: "write-baseline", Usage: "write the findings to `FILE`, for --baseline"},
			&cli.BoolFlag{Name: "fix", Usage: "change Dockerfiles where the fix is certain"},
			&cli.StringFlag{Name: "explain", Usage: "print the page on the finding `ID`"},
		}, runFlags()...),
		Action:       func(c *cli.Context) error { return notChecked(c, runCheck(c)) },
		OnUsageError: func(c *cli.Context, err error, sub bool) error { return notChecked(c, misused(c, err, sub)) },
	}
}

// notChecked reports an error. Its exit status is not 1, which would mean findings.
func notChecked(c *cli.Context, err error) error {
	if _, ok := err.(exitStatus); err == nil || ok { //nolint:errorlint // it is one, unwrapped
		return err
	}
	complain(c.App.ErrWriter, err)
	return exitStatus(statusUnreadable)
}

// Exit statuses of check.
const (
	statusFindings   = 1
	statusUnreadable = 2 // also for a wrong command line
)

func runCheck(c *cli.Context) error {
	if id := c.String("explain"); id != "" {
		page, err := checks.Page(id)
		if err == nil {
			_, err = io.WriteString(c.App.Writer, page)
		}
		return err
	}
	if !c.Args().Present() && !c.IsSet("run") {
		return errors.New("check needs a path\nhint: name a Dockerfile, a directory that has some, or - for standard input")
	}
	failOn, err := check.ParseSeverity(c.String("fail-on"))
	if err != nil {
		return err
	}
	o, err := checkOptions(c)
	if err != nil {
		return err
	}
	format := c.String("format")
	if c.Bool("json") {
		format = "json"
	}
	print, ok := checkFormats[format]
	if !ok {
		return fmt.Errorf("there is no format %q\nhint: give text, json, sarif, github or junit", format)
	}
	before, err := baseline(c.String("baseline"))
	if err != nil {
		return err
	}
	results, status, err := checkNamed(c, o)
	if err != nil {
		return err
	}
	for n := range results {
		before.Apply(&results[n])
	}
	if left := before.Left(); left > 0 {
		fmt.Fprintf(c.App.ErrWriter, "nonroot-ctl: %s of the baseline %q no longer found\nhint: write it again with --write-baseline\n", counted(left, "line"), c.String("baseline"))
	}
	if file := c.String("write-baseline"); file != "" {
		if err := writeBaseline(file, results); err != nil {
			return err
		}
	}
	for _, r := range results {
		for _, f := range r.Findings {
			switch {
			case f.ID == check.Unreadable:
				status = statusUnreadable
			case f.Severity.AtLeast(failOn):
				status = max(status, statusFindings)
			}
		}
	}
	if err := print(c.App.Writer, failOn, results); err != nil {
		return err
	}
	if status == 0 {
		return nil
	}
	return exitStatus(status)
}

// checkNamed checks the arguments, or the container of --run.
func checkNamed(c *cli.Context, o check.Options) (results []check.Result, status int, err error) {
	if !c.IsSet("run") {
		results, status = checkAll(c, o)
		return results, status, nil
	}
	r, err := checkRun(c, o)
	return []check.Result{r}, 0, err
}

// checkResults is the JSON of check.
type checkResults struct {
	Results []check.Result `json:"results"`
}

// checkFormats print results. The severity is the one of --fail-on.
var checkFormats = map[string]func(io.Writer, check.Severity, []check.Result) error{
	"text": func(to io.Writer, _ check.Severity, all []check.Result) error {
		_, err := io.WriteString(to, checkText(to, all))
		return err
	},
	"json": func(to io.Writer, _ check.Severity, all []check.Result) error {
		return printJSON(to, checkResults{all})
	},
	"sarif": func(to io.Writer, _ check.Severity, all []check.Result) error {
		return findings.SARIF(to, version.Get().Version, all)
	},
	"github": func(to io.Writer, _ check.Severity, all []check.Result) error { return findings.GitHub(to, all) },
	"junit":  findings.JUnit,
}

// checkAll checks the files and images in the arguments. Errors are reported at once, and do not stop it.
func checkAll(c *cli.Context, o check.Options) (results []check.Result, status int) {
	results = []check.Result{}
	logrus.SetOutput(io.Discard) // Compose's loader warns about unset variables, for example
	show := progress(c.App.ErrWriter)
	defer show(-1)
	failed := func(err error) {
		complain(c.App.ErrWriter, err)
		status = statusUnreadable
	}
	paths := c.Args().Slice()
	places := make([]targets.Found, len(paths))
	for i, path := range paths {
		places[i].Targets = []targets.Target{{Path: path}}
		if _, _, ok := ofEngine(path); ok || path == "-" {
			continue
		}
		var err error
		if places[i], err = targets.Find(path, c.StringSlice("exclude")...); err != nil {
			failed(err)
		}
	}
	targets.Merge(places)
	objects := readObjects(places)
	for _, name := range c.StringSlice("labelled-namespace") {
		objects.namespaces.Labelled(name)
	}
	o.Namespaces = &objects.namespaces
	for i, path := range paths {
		if engine, name, ok := ofEngine(path); ok {
			show(len(results))
			all, err := checkLocal(path, engine, name, o)
			if err != nil {
				failed(err)
			}
			results = append(results, all...)
			continue
		}
		found := places[i]
		if found.Templates > 0 {
			fmt.Fprintf(c.App.ErrWriter, "nonroot-ctl: %s of Helm's in %q not checked\nhint: helm template CHART | nonroot-ctl check -\n", counted(found.Templates, "template"), path)
		}
		if found.Patches > 0 {
			fmt.Fprintf(c.App.ErrWriter, "nonroot-ctl: %s of Kustomizations in %q checked without what they are merged into\nhint: kustomize build DIRECTORY | nonroot-ctl check -\n", counted(found.Patches, "patch"), path)
		}
		if found.LeftOut > 0 {
			fmt.Fprintf(c.App.ErrWriter, "nonroot-ctl: %s in directories of %q that .dockerignore leaves out not checked\nhint: name them, or their directory\n", counted(found.LeftOut, "Dockerfile"), path)
		}
		if n := len(found.Links); n > 0 {
			fmt.Fprintf(c.App.ErrWriter, "nonroot-ctl: %s in %q that lead out of the repository not checked: %s\nhint: name them\n", counted(n, "symbolic link"), path, someOf(found.Links))
		}
		if n := len(found.Unlike); n > 0 {
			fmt.Fprintf(c.App.ErrWriter, "nonroot-ctl: %s in %q named like a Dockerfile, and none by content, not checked: %s\nhint: name it to see why\n", counted(n, "file"), path, someOf(found.Unlike))
		}
		if name, ok := besides(path, found); ok {
			fmt.Fprintf(c.App.ErrWriter, "nonroot-ctl: %q is checked without %q beside it, as by docker compose -f\nhint: name both, or their directory, to check what docker compose makes of them\n", path, name)
		}
		for _, target := range found.Targets {
			show(len(results))
			if c.Bool("fix") {
				if err := fixFile(c.App.ErrWriter, target, o); err != nil {
					failed(err)
				}
			}
			if file, ok := objects.read[target.Path]; ok {
				results = append(results, file.Check(o)...)
				continue
			}
			all, err := checkOne(c, path, target, o)
			if err != nil {
				failed(err)
			}
			results = append(results, all...)
		}
	}
	sayOnce(results)
	return results, status
}

// sayOnce removes findings that an earlier result has, too: a Compose file is checked by itself, and in the projects that include it.
func sayOnce(results []check.Result) {
	said := map[check.Finding]bool{}
	for i := range results {
		own := map[check.Finding]bool{}
		results[i].Findings = slices.DeleteFunc(results[i].Findings, func(f check.Finding) bool {
			own[f] = true
			return said[f]
		})
		maps.Copy(said, own)
	}
}

// besides returns the override beside a Compose file that was named alone.
func besides(path string, found targets.Found) (override string, ok bool) {
	if len(found.Targets) != 1 || found.Targets[0] != (targets.Target{Path: path, Kind: targets.Compose}) {
		return "", false
	}
	override = compose.OverrideOf(path)
	return override, override != ""
}

// someOf joins the first few of several names.
func someOf(names []string) string {
	const most = 3
	some := shown(strings.Join(names[:min(len(names), most)], ", "))
	if more := len(names) - most; more > 0 {
		some += fmt.Sprintf(" and %d more", more)
	}
	return some
}

// objects are the files with Kubernetes objects, by their paths. All are read before the first is checked, because any of them may contain
// the namespace of a pod in another.
type objects struct {
	read       map[string]*check.Objects
	namespaces check.Namespaces
}

// maxKept is how many bytes of text are kept. Further files are read again when they are checked.
const maxKept = 64 << 20

// readObjects reads the files. Errors are reported when the file is checked.
func readObjects(places []targets.Found) *objects {
	all, kept := &objects{read: map[string]*check.Objects{}}, 0
	for _, found := range places {
		for _, target := range found.Targets {
			if target.Kind != targets.Manifest || target.Patch {
				continue
			}
			text, err := readUpTo(target.Path, manifest.MaxBytes+1)
			if err != nil {
				continue
			}
			file := check.ReadObjects(target.Path, text)
			all.namespaces.Add(file)
			if kept += len(text); kept <= maxKept {
				all.read[target.Path] = file
			}
		}
	}
	return all
}

// readUpTo reads a file, but at most so many bytes.
func readUpTo(name string, most int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, most))
}

// standardInput stands for standard input in the output.
const standardInput = "<standard input>"

// checkOne checks a target that was found at a path.
func checkOne(c *cli.Context, path string, target targets.Target, o check.Options) ([]check.Result, error) {
	switch {
	case target.Path == "-":
		return checkInput(c.App.Reader, o)
	case target.Kind == targets.Bundle:
		return []check.Result{checkBundle(c, target.Path)}, nil
	case target.Kind == targets.Layout:
		images, err := imagefile.Layout(target.Path)
		return checkImages(target.Path, images, err, o), nil
	}
	file, err := os.Open(target.Path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if target.Kind == targets.Archive {
		return checkArchive(target.Path, file, o)
	}
	return checkFile(target, filepath.Dir(target.Path), path, file, o)
}

// checkBundle checks a bundle by explain's report, which tells what the runtime would do with it, or has done.
func checkBundle(c *cli.Context, dir string) check.Result {
	report, err := explain.Bundle(dir, explain.Options{Policy: c.String("policy")})
	if err != nil {
		return check.Unread(dir, needsRoot(c, err))
	}
	text, err := os.ReadFile(filepath.Join(report.Bundle, bundle.Config))
	if err != nil {
		return check.Unread(dir, err)
	}
	return check.Bundle(dir, text, report)
}

// checkInput checks standard input. Its beginning tells its kind.
func checkInput(stdin io.Reader, o check.Options) ([]check.Result, error) {
	in := bufio.NewReaderSize(stdin, targets.Sniffed)
	head, err := in.Peek(targets.Sniffed)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	kind := targets.Of(head)
	if kind != targets.Archive {
		return checkFile(targets.Target{Path: standardInput, Kind: kind}, ".", "-", in, o)
	}
	return spooled(standardInput, func(to io.Writer) error {
		_, err := io.Copy(to, in)
		return err
	}, o)
}

// checkFile checks a text. dir is the directory of the files that it refers to, and path what was named. It reads one byte more than the limit, so that the text's
// own reader refuses a longer one.
func checkFile(target targets.Target, dir, path string, in io.Reader, o check.Options) ([]check.Result, error) {
	name, most := target.Path, int64(dockerfile.MaxBytes)
	switch target.Kind {
	case targets.Manifest:
		most = manifest.MaxBytes
	case targets.Compose:
		most = compose.MaxBytes
	}
	text, err := io.ReadAll(io.LimitReader(in, most+1))
	if err != nil {
		return nil, err
	}
	switch target.Kind {
	case targets.Manifest:
		if target.Patch {
			return []check.Result{check.Patch(name, text)}, nil
		}
		return check.Manifests(name, text, o), nil
	case targets.Compose:
		root := "/" // whoever pipes a text to the program has it from somewhere, such as docker compose config
		if name != standardInput {
			root = targets.Root(dir, path)
		}
		c := check.ComposeOptions{Dir: dir, Root: root, Environment: environment(), Dockerfile: builtBy(root), File: fileOwner}
		if target.Override != "" {
			text, err := readUpTo(target.Override, most+1)
			if err != nil {
				return nil, err
			}
			c.Overrides = []check.ComposeFile{{Name: target.Override, Text: text}}
		}
		return check.Compose(name, text, o, c), nil
	}
	if isData(name) {
		return []check.Result{check.Unread(name, errors.New("it has neither objects of Kubernetes' nor services of Compose's at its beginning"))}, nil
	}
	context, closed := buildContext(dir, filepath.Base(name))
	defer closed()
	o.Context = context
	return []check.Result{check.Dockerfile(name, text, o)}, nil
}

// fixFile changes a Dockerfile. If it is a symbolic link, its target is changed.
func fixFile(say io.Writer, target targets.Target, o check.Options) error {
	if target.Kind != targets.Dockerfile || target.Path == "-" || isData(target.Path) {
		return nil
	}
	name, err := filepath.EvalSymlinks(target.Path)
	if err != nil {
		return err
	}
	st, err := os.Stat(name)
	if err != nil || st.Size() > dockerfile.MaxBytes {
		return err
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	context, closed := buildContext(filepath.Dir(target.Path), filepath.Base(target.Path))
	defer closed()
	o.Context = context
	fixed, did := check.Fix(text, o)
	defer func() {
		for _, why := range check.NotFixed(fixed, o) {
			fmt.Fprintf(say, "nonroot-ctl: not fixed in %s: %s\n", shown(target.Path), shown(why))
		}
	}()
	if len(did) == 0 {
		return nil
	}
	if err := replaceLike(name, fixed, st); err != nil {
		return err
	}
	for _, one := range did {
		fmt.Fprintf(say, "nonroot-ctl: fixed %s: %s\n", shown(target.Path), shown(one))
	}
	return nil
}

// replaceLike replaces a file with a new one of the same mode and owner.
func replaceLike(name string, text []byte, like os.FileInfo) error {
	return uninterrupted(func() error {
		temp, err := os.CreateTemp(filepath.Dir(name), ".nonroot-ctl-check-")
		if err != nil {
			return err
		}
		defer os.Remove(temp.Name()) //nolint:errcheck // it is gone where it was renamed
		_, err = temp.Write(text)
		if st, ok := like.Sys().(*syscall.Stat_t); err == nil && ok && os.Geteuid() == 0 {
			err = temp.Chown(int(st.Uid), int(st.Gid))
		}
		if err == nil {
			err = temp.Chmod(like.Mode().Perm())
		}
		if err == nil {
			err = temp.Sync()
		}
		if closing := temp.Close(); err == nil {
			err = closing
		}
		if err == nil {
			err = os.Rename(temp.Name(), name)
		}
		return err
	})
}

// isData reports whether a file's name is not one of a Dockerfile.
func isData(name string) bool {
	return slices.Contains([]string{".yaml", ".yml", ".json"}, strings.ToLower(filepath.Ext(name)))
}

// environment returns the values of variables in Compose files.
func environment() map[string]string {
	all := map[string]string{}
	for _, kv := range os.Environ() {
		name, value, _ := strings.Cut(kv, "=")
		all[name] = value
	}
	return all
}

// builtBy returns a function that reads the Dockerfile of a service, if it is in a directory.
func builtBy(root string) func(b *compose.Build) ([]byte, error) {
	return func(b *compose.Build) ([]byte, error) {
		name := b.Dockerfile
		if name == "" {
			name = "Dockerfile"
		}
		if !filepath.IsAbs(name) {
			name = filepath.Join(b.Context, name)
		}
		if st, err := os.Stat(name); err != nil || !st.Mode().IsRegular() {
			return nil, fmt.Errorf("%q is not a file", name)
		}
		if err := compose.Inside(root, name); err != nil {
			return nil, fmt.Errorf("%q is outside of %q, and is not read", name, root)
		}
		return readUpTo(name, dockerfile.MaxBytes+1)
	}
}

// fileOwner returns a file's owner and mode, without opening it.
func fileOwner(name string) (check.FileOwner, bool) {
	var st unix.Stat_t
	if err := unix.Stat(name, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return check.FileOwner{}, false
	}
	return check.FileOwner{UID: st.Uid, GID: st.Gid, Mode: st.Mode & 0o7777}, true
}

func checkArchive(name string, file *os.File, o check.Options) ([]check.Result, error) {
	st, err := file.Stat()
	if err != nil {
		return nil, err
	}
	images, err := imagefile.Archive(file, st.Size())
	return checkImages(name, images, err, o), nil
}

func checkImages(name string, images []*imagefile.Image, err error, o check.Options) (results []check.Result) {
	if err != nil {
		return []check.Result{check.Unread(name, err)}
	}
	for _, image := range images {
		results = append(results, check.Image(name, image, o))
	}
	return results
}

// ofEngine parses the name of an image in an engine on this machine, in skopeo's form.
func ofEngine(path string) (engine, name string, ok bool) {
	for prefix, engine := range map[string]string{"docker-daemon:": "docker", "containers-storage:": "podman"} {
		if name, ok := strings.CutPrefix(path, prefix); ok && name != "" && !strings.HasPrefix(name, "-") {
			return engine, name, true
		}
	}
	return "", "", false
}

// checkLocal checks an image in an engine.
func checkLocal(path, engine, name string, o check.Options) ([]check.Result, error) {
	return spooled(path, saved(engine, name), o)
}

// saved returns a function that has an engine write an image as an archive.
func saved(engine, name string) func(io.Writer) error {
	return func(to io.Writer) error {
		var said bytes.Buffer
		cmd := exec.Command(engine, "image", "save", "--", name)
		cmd.Stdout, cmd.Stderr = to, &said
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s image save %q: %w: %s\nhint: see %s image ls", engine, name, err, strings.TrimSpace(said.String()), engine)
		}
		return nil
	}
}

// progress shows on a terminal how many files were checked. The number -1 removes the line.
func progress(to io.Writer) func(n int) {
	file, ok := to.(*os.File)
	if !ok || !isTerminal(file) {
		return func(int) {}
	}
	last := time.Now()
	return func(n int) {
		switch {
		case n < 0:
			fmt.Fprint(to, "\r\x1b[K")
		case time.Since(last) > time.Second/5:
			last = time.Now()
			fmt.Fprintf(to, "\r%s checked", counted(n, "file"))
		}
	}
}

func baseline(file string) (findings.Baseline, error) {
	if file == "" {
		return nil, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return findings.ReadBaseline(f)
}

func writeBaseline(file string, results []check.Result) error {
	var b bytes.Buffer
	if err := findings.WriteBaseline(&b, results); err != nil {
		return err
	}
	return os.WriteFile(file, b.Bytes(), 0o644) // #nosec G306 -- for a repository
}

func checkOptions(c *cli.Context) (check.Options, error) {
	p, err := readPolicy(c.String("policy"), c.IsSet("policy"))
	if err != nil {
		return check.Options{}, err
	}
	o := check.Options{Policy: p, World: machine(), Now: time.Now(), Build: dockerfile.Options{Target: c.String("target"), Args: map[string]string{}}}
	for _, arg := range c.StringSlice("build-arg") {
		name, value, ok := strings.Cut(arg, "=")
		if !ok {
			value, ok = os.LookupEnv(name) // like docker build
		}
		if ok {
			o.Build.Args[name] = value
		}
	}
	o.RuntimeClass, o.Namespace = c.String("runtime-class"), c.String("namespace")
	if text := c.String("pod-security"); text != "" {
		level, err := podsecurity.Parse(text)
		if err != nil {
			return o, fmt.Errorf("--pod-security: %w\nhint: write LEVEL or LEVEL:VERSION, such as restricted:v1.37", err)
		}
		o.PodSecurity = &level
	}
	given := map[string]string{}
	for _, base := range c.StringSlice("base") {
		at := strings.LastIndex(base, "=")
		if at <= 0 {
			return o, fmt.Errorf("--base %q has no user\nhint: write NAME=USER, such as example.org/base:1=1001", base)
		}
		given[base[:at]] = base[at+1:]
	}
	var more []check.BaseEntry
	for _, file := range c.StringSlice("bases") {
		text, err := os.ReadFile(file)
		if err != nil {
			return o, err
		}
		entries, err := check.ParseBases(file, text)
		if err != nil {
			return o, err
		}
		more = append(more, entries...)
	}
	var local func(string) (dockerfile.Base, bool)
	switch engine := c.String("local"); engine {
	case "":
	case "docker", "podman":
		local, o.Accounts = localImages(engine), localAccounts(engine)
	default:
		return o, fmt.Errorf("--local %q is not an engine that can be asked\nhint: give docker or podman", engine)
	}
	o.Build.Base = once(check.BasesWith(given, local, more)) // the files of a repository have few bases
	return o, nil
}

// localImages returns a function that looks up images in an engine.
func localImages(engine string) func(name string) (dockerfile.Base, bool) {
	return func(name string) (base dockerfile.Base, ok bool) {
		var all []struct {
			Os     string
			Config struct {
				User         string
				Env, OnBuild []string
			}
		}
		out, err := exec.Command(engine, "image", "inspect", "--", name).Output()
		if err == nil && json.Unmarshal(out, &all) == nil && len(all) == 1 {
			c := all[0].Config
			return dockerfile.Base{User: c.User, Env: c.Env, OnBuild: c.OnBuild, Windows: all[0].Os == "windows", Source: engine + " has it here"}, true
		}
		return base, false
	}
}

// maxNames limits the names whose answers are remembered: a file's author chooses how many it has.
const maxNames = 1000

// once returns a function that looks each name up only once, up to maxNames.
func once[T any](look func(name string) (T, bool)) func(name string) (T, bool) {
	type answer struct {
		value T
		ok    bool
	}
	asked := map[string]answer{}
	return func(name string) (T, bool) {
		a, known := asked[name]
		if !known {
			a.value, a.ok = look(name)
			if len(asked) < maxNames {
				asked[name] = a
			}
		}
		return a.value, a.ok
	}
}

// localAccounts returns a function that reads /etc/passwd of images in an engine, each name only once. Only Dockerfiles with a user name
// need it.
func localAccounts(engine string) func(base string) (passwd []byte, ok bool) {
	return once(func(base string) ([]byte, bool) { return accountsOf(engine, base) })
}

func accountsOf(engine, name string) (passwd []byte, ok bool) {
	file, err := spool(saved(engine, name))
	if err != nil {
		return nil, false
	}
	defer file.Close()
	st, err := file.Stat()
	if err != nil {
		return nil, false
	}
	images, err := imagefile.Archive(file, st.Size())
	if err != nil || len(images) != 1 {
		return nil, false
	}
	passwd, _ = images[0].Accounts()
	return passwd, passwd != nil
}

// maxScript is how many bytes of a file in the build context are read: the beginning of a script.
const maxScript = 4096

// buildContext reads files in the directory of a Dockerfile. It refuses those outside, through a symbolic link or "..", and those that
// .dockerignore excludes, because builds don't have them either.
func buildContext(dir, dockerfile string) (head func(string) (string, bool), closed func()) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, func() {}
	}
	leftOut := sync.OnceValue(func() func(string) bool { return targets.LeftOut(dir, dockerfile) })
	head = func(file string) (string, bool) {
		file = filepath.Clean(strings.TrimLeft(file, "/"))
		if leftOut()(file) {
			return "", false
		}
		st, err := root.Stat(file)
		if err != nil || !st.Mode().IsRegular() {
			return "", false
		}
		f, err := root.Open(file)
		if err != nil {
			return "", false
		}
		defer f.Close()
		text, err := io.ReadAll(io.LimitReader(f, maxScript))
		return string(text), err == nil
	}
	return head, func() { _ = root.Close() } // it was only read
}

var severities = map[check.Severity]*color.Color{check.Error: bad, check.Warning: doubt, check.Note: passing}

// checkText formats results for people. The verdict comes first.
func checkText(to io.Writer, results []check.Result) string {
	p := &printer{}
	for i, r := range results {
		if i > 0 {
			p.line("")
		}
		p.line("%s: %s", shown(r.Name()), verdictText(r))
		for _, s := range r.Steps {
			switch {
			case s.File != "":
				p.line("  %s, line %d: %s", shown(s.File), s.Line, shown(s.Text))
			case s.Line > 0:
				p.line("  line %d: %s", s.Line, shown(s.Text))
			default:
				p.line("  %s", shown(s.Text))
			}
		}
		if r.Policy != "" {
			p.line("  under nonroot-runc: %s", shown(r.Policy))
		}
		for _, f := range r.Findings {
			p.line("")
			where := shown(f.File)
			if f.Line > 0 {
				where = fmt.Sprintf("%s:%d", where, f.Line)
			}
			p.line("%s", wrapped(to, fmt.Sprintf("%s: %s: %s [%s]", where, painted(to, severities[f.Severity], string(f.Severity)), shown(f.Why), f.ID)))
			source := strings.ReplaceAll(f.Source, "\t", " ") // as many bytes, so that the column stays right
			if source != "" {
				p.line("    %s", shown(source))
			}
			if f.Length > 0 {
				p.line("    %s%s", strings.Repeat(" ", len([]rune(shown(source[:f.Column-1])))), strings.Repeat("^", len([]rune(shown(source[f.Column-1:f.Column-1+f.Length])))))
			}
			p.line("  hint: %s", shown(f.Do))
		}
		for _, f := range r.Ignored {
			p.line("")
			p.line("%s:%d: ignored: %s [%s]", shown(f.File), f.Line, shown(f.Reason), f.ID)
		}
	}
	return p.String()
}

func verdictText(r check.Result) string {
	switch r.Verdict {
	case check.Root:
		if r.Governed {
			return "asks for root, and runs under nonroot-runc, as somebody else"
		}
		return "runs as root"
	case check.NonRoot:
		if r.User == "" {
			return "does not run as root"
		}
		return fmt.Sprintf("runs as %s, not as root", quote.Value(r.User))
	case check.Unknown:
		return "it is not known who it runs as"
	case check.Never:
		return "no container starts with it"
	case check.Nothing:
		return "has no containers"
	case check.Windows:
		return "is for Windows, where nonroot-runc runs nothing"
	default:
		return "it can't be read"
	}
}
