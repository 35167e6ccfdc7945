// SPDX-License-Identifier: Apache-2.0

// Package dockerfile tells which user the image of a Dockerfile runs as, without building it. It parses the file with
// BuildKit's own packages, and evaluates it like BuildKit's front end (moby/buildkit,
// frontend/dockerfile/dockerfile2llb/convert.go); test/dockerfiles compares the two. The text of the file is its only input:
// it reads no files.
package dockerfile

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"

	"github.com/nonroot-runc/nonroot-runc/internal/quote"
	"github.com/nonroot-runc/nonroot-runc/internal/unread"
)

// Limits on a file. The longest Dockerfile of a well-known image is shorter than 2,000 lines.
const (
	MaxBytes  = 1 << 20
	maxStages = 1000
	maxValue  = 1 << 17 // bytes of a variable: Linux passes no longer one to a program (execve(2), MAX_ARG_STRLEN)
	maxSteps  = 20000   // evaluated instructions; those of a stage count again for each stage based on it
)

// Base is what is known about a base image.
type Base struct {
	User    string
	Env     []string // NAME=VALUE
	OnBuild []string
	Windows bool
	Source  string // where this is known from
	// EnvUnknown means that the image's environment is unknown. Then a variable that is not set otherwise may have any
	// value.
	EnvUnknown bool
}

// Options are the parameters of a build.
type Options struct {
	Target string            // the target stage; "": the last one
	Args   map[string]string // --build-arg
	// Contexts are --build-context NAME=VALUE: they stand in for images, and for stages, of that name.
	Contexts map[string]string
	// Base looks up a base image, by its name in the file after its variables are replaced. It returns false for an unknown
	// image.
	Base func(name string) (Base, bool)

	number int // of the target stage, from 1; 0: see Target
}

// Image is the image that a build would produce.
type Image struct {
	User  string
	Known bool // false: User comes from a base that is not known
	Base  string
	Empty bool // based on scratch, so it has no accounts unless it copies some
	// Windows images have no root user, and nonroot-runc does not run them.
	Windows bool
	// Frontend is the image of a front end other than Docker's that the file asks for. Its result is unknown.
	Frontend string
	Steps    []Step // how User came about, the decisive step first
	Spans    []Span // all instructions of the file, in every stage
	// Stage evaluates another stage, which COPY --from names, or its number.
	Stage func(from string) (*Image, bool)
	Commands
}

// Span is the range of lines of an instruction.
type Span struct {
	First, Last int
	Heredoc     bool // it contains a heredoc, in which a number sign does not begin a comment
}

// Commands are the instructions from the base image to the wanted stage, with variables replaced.
type Commands []Command

// Command is one instruction.
type Command struct {
	instructions.Command
	Line    int
	User    string // the user that runs it; undefined if the base's user is unknown and no USER came before
	OnBuild bool
	// Unsure means that a word of it depends on the unknown environment of the base.
	Unsure bool
	// Variables are the variables in the text of a RUN whose values are certain. Unset are those that certainly have none.
	Variables map[string]string
	Unset     map[string]bool
}

// Step is one reason for the image's user.
type Step struct {
	Line int // line of the file, 0: none
	Text string
}

// located wraps a parser's error with its line.
func located(err error) error {
	var own *unread.Error
	var at *parser.LocationError
	switch {
	case err == nil || errors.As(err, &own):
		return err
	case errors.As(err, &at) && len(at.Locations) > 0 && len(at.Locations[0]) > 0:
		return &unread.Error{Line: at.Locations[0][0].Start.Line, Err: err}
	}
	return &unread.Error{Err: err}
}

// Is reports whether a text is a Dockerfile, whatever its name: whether a build could read it.
func Is(text []byte) bool {
	if len(text) > MaxBytes {
		return false
	}
	file, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return false
	}
	stages, _, err := instructions.Parse(file.AST, nil)
	return err == nil && len(stages) > 0
}

// Instructions returns the text of each instruction of a file, with its heredocs; nil: the file can't be parsed.
func Instructions(text []byte) (all []string) {
	file, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return nil
	}
	for _, node := range file.AST.Children {
		one := node.Original
		for _, doc := range node.Heredocs {
			one += "\n" + doc.Content
		}
		all = append(all, one)
	}
	return all
}

// Evaluate returns the image that a build of the file would produce. Errors are of type *unread.Error.
func Evaluate(text []byte, o Options) (*Image, error) {
	if len(text) > MaxBytes {
		return nil, &unread.Error{Err: fmt.Errorf("it has %d bytes, and no more than %d are read", len(text), MaxBytes)}
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, &unread.Error{Err: errors.New("it is empty")}
	}
	if name, line := frontend(text, o); name != "" {
		return &Image{Frontend: name, Steps: []Step{{line, fmt.Sprintf("the syntax directive has %s read the file, and what that makes of it is not known", quote.Value(name))}}}, nil
	}
	file, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return nil, located(err)
	}
	stages, meta, err := instructions.Parse(file.AST, nil)
	if err != nil {
		return nil, located(err)
	}
	image, err := evaluate(file, stages, meta, o)
	if err != nil {
		var own *unread.Error
		if err = located(err); errors.As(err, &own) {
			own.Parsed = true
		}
		return nil, err
	}
	image.Stage = func(from string) (*Image, bool) {
		if n, err := strconv.Atoi(from); err == nil { //lint:allow the number of a stage
			if n < 0 || n >= len(stages) {
				return nil, false
			}
			o.Target, o.number = "", n+1
		} else {
			if !slices.ContainsFunc(stages, func(s instructions.Stage) bool { return strings.EqualFold(s.Name, from) }) {
				return nil, false
			}
			o.Target, o.number = from, 0
		}
		other, err := Evaluate(text, o)
		return other, err == nil
	}
	return image, nil
}

// frontends are Docker's own, also on a mirror.
var frontends = []string{"docker.io/docker/dockerfile", "docker.io/docker/dockerfile-upstream", "mirror.gcr.io/docker/dockerfile", "mirror.gcr.io/docker/dockerfile-upstream"}

// frontend returns the image of the front end that the file asks for, in the way BuildKit finds it (frontend/dockerfile/builder, Build);
// "": Docker's own.
func frontend(text []byte, o Options) (name string, line int) {
	name, given := o.Args["BUILDKIT_SYNTAX"]
	if !given {
		ref, _, at, ok := parser.DetectSyntax(text)
		if !ok {
			return "", 0
		}
		name, line = ref, lineOf(at)
	}
	name, _, _ = strings.Cut(strings.TrimSpace(name), " ")
	if ref, err := reference.ParseNormalizedNamed(name); err == nil && slices.Contains(frontends, ref.Name()) {
		return "", 0
	}
	return name, line
}

// evaluate evaluates a parsed file.
func evaluate(file *parser.Result, stages []instructions.Stage, meta []instructions.ArgCommand, o Options) (*Image, error) {
	switch {
	case len(stages) == 0:
		return nil, &unread.Error{Err: errors.New("it has no FROM")}
	case len(stages) > maxStages:
		return nil, &unread.Error{Err: fmt.Errorf("it has %d stages, and no more than %d are read", len(stages), maxStages)}
	}
	b := &build{options: o, lex: shell.NewLex(file.EscapeToken), byName: map[string]*stage{}}
	if err := b.prepare(stages, meta); err != nil {
		return nil, err
	}
	target := b.stages[len(b.stages)-1]
	if o.number > 0 {
		target = b.stages[o.number-1]
	}
	if o.Target != "" {
		var ok bool
		if target, ok = b.byName[strings.ToLower(o.Target)]; !ok {
			return nil, &unread.Error{Err: fmt.Errorf("it has no stage %q", o.Target)}
		}
	}
	if err := b.depend(target); err != nil {
		return nil, err
	}
	if err := b.evaluate(target); err != nil {
		return nil, err
	}
	for _, node := range file.AST.Children {
		target.image.Spans = append(target.image.Spans, Span{node.StartLine, node.EndLine, len(node.Heredocs) > 0})
	}
	return &target.image, nil
}

// build is the evaluation of a file.
type build struct {
	options Options
	lex     *shell.Lex
	global  *env
	stages  []*stage
	byName  map[string]*stage // the last stage with that name so far
	steps   int
}

type stage struct {
	instructions.Stage
	base    *stage // the stage that it is based on; nil: an image
	done    bool
	image   Image
	vars    *env     // the variables in scope: ARG and ENV, the later one wins
	config  *env     // the environment of the image
	onBuild []string // the base image's

	takesLater instructions.Command // an instruction that copies from a later stage

	envUnknown bool
	unsure     map[string]bool // variables whose values depend on an unknown environment
}

// prepare replaces variables in FROM, and finds each stage's base.
func (b *build) prepare(stages []instructions.Stage, meta []instructions.ArgCommand) error {
	target := b.options.Target
	if target == "" {
		target = stages[len(stages)-1].Name
	}
	if target == "" {
		target = "default"
	}
	b.global = platform(target)
	for name, value := range b.options.Args {
		if _, ok := b.global.Get(name); ok {
			b.global.set(name, value)
		}
	}
	for _, cmd := range meta {
		for _, arg := range cmd.Args {
			value := arg.Value
			if given, ok := b.options.Args[arg.Key]; ok {
				value = &given
			} else if value != nil {
				word, err := b.replaced(*value, b.global)
				if err != nil {
					return parser.WithLocation(err, cmd.Location())
				}
				value = &word
			}
			if value != nil {
				b.global.set(arg.Key, *value)
			}
		}
	}
	for _, st := range stages {
		name, err := b.replaced(st.BaseName, b.global)
		if err == nil && name == "" {
			err = fmt.Errorf("FROM %s names no image, as its variables have no value", st.BaseName)
		}
		if err != nil {
			return parser.WithLocation(err, st.Location)
		}
		if st.Platform != "" {
			on, err := b.replaced(st.Platform, b.global)
			if err == nil {
				_, err = platforms.Parse(on)
			}
			if err != nil {
				return parser.WithLocation(fmt.Errorf("--platform=%s is not a platform: %w", st.Platform, err), st.Location)
			}
		}
		st.BaseName = name
		base := b.byName[name] // compared as written: names of stages are lower case
		if _, ok := b.context(st.Name); ok {
			name, st.BaseName, st.Commands, base = st.Name, st.Name, nil, nil
		}
		s := &stage{Stage: st, base: base}
		if _, ok := b.context(name); s.base == nil && name != "scratch" && !ok { // checked even if no stage needs it
			if _, err := reference.ParseNormalizedNamed(name); err != nil {
				return parser.WithLocation(fmt.Errorf("%q is not an image name: %w", name, err), st.Location)
			}
		}
		b.stages = append(b.stages, s)
		if st.Name != "" {
			b.byName[strings.ToLower(st.Name)] = s
		}
	}
	return nil
}

// replaced expands the variables in a word. It first limits how much each may add, because a few lines of ENV A=$A$A would
// fill any memory.
func (b *build) replaced(word string, vars *env) (string, error) {
	if n := strings.Count(word, "$"); n > 0 && n*vars.longest+len(word) > maxValue {
		return "", fmt.Errorf("what its variables stand for has up to %d bytes, and no more than %d are read", n*vars.longest+len(word), maxValue)
	}
	done, _, err := b.lex.ProcessWord(word, vars)
	return done, err
}

// evaluate evaluates the wanted stage, after all stages that it is based on.
func (b *build) evaluate(wanted *stage) error {
	var chain []*stage
	for s := wanted; s != nil && !s.done; s = s.base {
		chain = append(chain, s)
	}
	for _, s := range slices.Backward(chain) {
		if err := b.begin(s); err != nil {
			return parser.WithLocation(err, s.Location)
		}
		commands, err := s.commands()
		if err != nil {
			return parser.WithLocation(err, s.Location)
		}
		for _, c := range commands {
			if b.steps++; b.steps > maxSteps {
				return &unread.Error{Line: c.Line, Err: fmt.Errorf("more than %d instructions would be evaluated", maxSteps)}
			}
			if err := b.do(s, c); err != nil {
				return parser.WithLocation(err, c.Location())
			}
		}
		s.done = true
	}
	return nil
}

// imageContext begins the value of a build context that is an image. Of others, nothing is known.
const imageContext = "docker-image://"

// context returns the build context that stands in for an image or a stage (BuildKit, frontend/dockerui/config.go, NamedContext).
func (b *build) context(name string) (value string, ok bool) {
	if len(b.options.Contexts) == 0 || name == "" {
		return "", false
	}
	named, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return "", false
	}
	value, ok = b.options.Contexts[strings.TrimSuffix(reference.FamiliarString(named), ":latest")]
	return value, ok
}

// begin sets a stage up for its first instruction.
func (b *build) begin(s *stage) error {
	line := lineOf(s.Location)
	switch {
	case s.base != nil:
		from := s.base
		// Only stages that the wanted one is based on are evaluated, each once, so this stage can take over the values of
		// the one before.
		s.image, s.vars, s.config, s.envUnknown, s.unsure = from.image, from.vars, from.config, from.envUnknown, from.unsure
		for _, c := range from.Commands {
			if on, ok := c.(*instructions.OnbuildCommand); ok {
				s.onBuild = append(s.onBuild, on.Expression)
			}
		}
		s.image.Steps = append(s.image.Steps, Step{line, "the stage is made from " + from.Name})
	case s.BaseName == "scratch":
		s.image = Image{Known: true, Base: s.BaseName, Empty: true, Steps: []Step{{line, "scratch has no user, which is root"}}}
		s.vars, s.config = newEnv(), newEnv()
	default:
		s.vars, s.config, s.image = newEnv(), newEnv(), Image{Base: s.BaseName}
		base, ok := Base{}, false
		name, _ := b.context(s.BaseName)
		if name == "" {
			name = s.BaseName
		}
		name = strings.TrimPrefix(name, imageContext)
		if b.options.Base != nil {
			base, ok = b.options.Base(name)
		}
		s.image.Base = name
		said := fmt.Sprintf("nothing is known of the image %q", name)
		s.envUnknown, s.unsure = !ok || base.EnvUnknown, map[string]bool{}
		if ok {
			s.image.Known, s.image.User, s.image.Windows = true, base.User, base.Windows
			s.onBuild = base.OnBuild
			for _, kv := range base.Env {
				name, value, _ := strings.Cut(kv, "=")
				s.config.set(name, value)
			}
			said = fmt.Sprintf("the image %q names no user, which is root (%s)", name, base.Source)
			if base.User != "" {
				said = fmt.Sprintf("the image %q has the user %q (%s)", name, base.User, base.Source)
			}
		}
		if name != s.BaseName {
			said += fmt.Sprintf(", which is the build context %q", s.BaseName)
		}
		s.image.Steps = []Step{{line, said}}
	}
	if _, ok := s.config.Get("PATH"); !ok && !s.image.Windows {
		s.config.set("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
	}
	// Once more, so that the image's own variables override an ARG of the stage before.
	for name, value := range s.config.values {
		s.vars.set(name, value)
	}
	return nil
}

// commands returns a stage's instructions, after the ONBUILD instructions of its base.
func (s *stage) commands() ([]Command, error) {
	all := make([]Command, 0, len(s.onBuild)+len(s.Commands))
	for _, trigger := range s.onBuild {
		parsed, err := parser.Parse(strings.NewReader(trigger))
		if err != nil {
			return nil, err
		}
		if len(parsed.AST.Children) != 1 {
			return nil, fmt.Errorf("ONBUILD %q is not one instruction", trigger)
		}
		node := parsed.AST.Children[0]
		node.StartLine, node.EndLine = lineOf(s.Location), lineOf(s.Location)
		c, err := instructions.ParseCommand(node)
		if err != nil {
			return nil, err
		}
		all = append(all, Command{Command: c, Line: node.StartLine, OnBuild: true})
	}
	for _, c := range s.Stage.Commands {
		all = append(all, Command{Command: c, Line: lineOf(c.Location())})
	}
	return all, nil
}

// maxShown is how many bytes of a USER instruction are quoted.
const maxShown = 200

// notVariables are build arguments that configure the build, and can't be used as variables.
var notVariables = []string{"BUILDKIT_SBOM_SCAN_CONTEXT", "BUILDKIT_SBOM_SCAN_STAGE"}

// do evaluates one instruction.
func (b *build) do(s *stage, c Command) error {
	word := func(w string) (string, error) {
		done, err := b.replaced(w, s.vars)
		c.Unsure = c.Unsure || err == nil && len(b.unsure(s, w)) > 0
		return done, err
	}
	written := ""
	if user, ok := c.Command.(*instructions.UserCommand); ok {
		written = user.User
	}
	if arg, ok := c.Command.(*instructions.ArgCommand); ok {
		return b.arg(s, arg, c)
	}
	var raw []string // values of ENV, not expanded
	if env, ok := c.Command.(*instructions.EnvCommand); ok {
		for _, kv := range env.Env {
			raw = append(raw, kv.Value)
		}
	}
	if e, ok := c.Command.(instructions.SupportsSingleWordExpansion); ok {
		if err := e.Expand(word); err != nil {
			user, ok := c.Command.(*instructions.UserCommand)
			if names := b.required(s, written); ok && len(names) > 0 {
				user.User, c.User = "", s.image.User
				s.image.User, s.image.Known = "", false
				s.image.Steps = append(s.image.Steps, Step{c.Line, fmt.Sprintf("USER %s, which the image %q has to give a value, of which nothing is known", written, s.image.Base)})
				s.image.Commands = append(s.image.Commands, c)
				return nil
			}
			return err
		}
	}
	if err := possible(c.Command); err != nil {
		return err
	}
	c.User = s.image.User
	switch cmd := c.Command.(type) {
	case *instructions.EnvCommand:
		unsure := make([]bool, len(raw))
		for n := range raw {
			unsure[n] = len(b.unsure(s, raw[n])) > 0
		}
		for n, kv := range cmd.Env {
			s.vars.set(kv.Key, kv.Value)
			s.config.set(kv.Key, kv.Value)
			s.keep(kv.Key, unsure[n])
		}
	case *instructions.RunCommand:
		c.Variables, c.Unset = s.named(cmd)
	case *instructions.UserCommand:
		s.image.User, s.image.Known = cmd.User, true
		text := "USER " + written
		if len(written) > maxShown {
			text = "USER " + written[:maxShown] + "..."
		}
		if cmd.User != written {
			text += " is " + quote.Value(cmd.User)
		}
		if names := b.unsure(s, written); len(names) > 0 {
			s.image.Known = false
			text += fmt.Sprintf(", unless the image %q gives %s a value, of which nothing is known", s.image.Base, strings.Join(names, " and "))
		} else if _, unset, err := b.lex.ProcessWord(written, s.vars); err == nil && len(unset) > 0 && (cmd.User == "" || cmd.User[0] == ':') {
			text += fmt.Sprintf(", as nothing gives %s a value", strings.Join(slices.Sorted(maps.Keys(unset)), " and "))
		}
		if c.OnBuild {
			text = "ONBUILD " + text + ", of what the stage is made from"
		}
		s.image.Steps = append(s.image.Steps, Step{c.Line, text})
	}
	s.image.Commands = append(s.image.Commands, c)
	return nil
}

// Limits for the variables of a RUN, as the Dockerfile is not trusted.
const (
	maxNamed     = 64
	maxNamedSize = 4096 // bytes of a value: PATH_MAX
)

// isNamed matches a variable in a shell's text.
var isNamed = regexp.MustCompile(`\$\{?([A-Za-z_]\w*)`)

// named returns the variables in a RUN: the values that they have in the build, and those without one. A variable that is in neither has an
// unknown value.
func (s *stage) named(run *instructions.RunCommand) (all map[string]string, unset map[string]bool) {
	texts := run.CmdLine
	for _, f := range run.Files {
		texts = append(texts[:len(texts):len(texts)], f.Data)
	}
	for _, text := range texts {
		for _, m := range isNamed.FindAllStringSubmatch(text, maxNamed) {
			value, ok := s.vars.Get(m[1])
			switch {
			case !ok && !s.envUnknown:
				if unset == nil {
					unset = map[string]bool{}
				}
				unset[m[1]] = true
			case ok && !s.unsure[m[1]] && len(value) <= maxNamedSize && len(all) < maxNamed:
				if all == nil {
					all = map[string]string{}
				}
				all[m[1]] = value
			}
		}
	}
	return all, unset
}

// arg evaluates ARG. The value comes from the command line, or else from the instruction, or else from an ARG before the first FROM.
// Arguments with a certain value are added to the image's instructions.
func (b *build) arg(s *stage, c *instructions.ArgCommand, line Command) error {
	known := *c
	known.Args = nil
	for _, a := range c.Args {
		value, unsure := a.Value, false
		if given, ok := b.options.Args[a.Key]; ok {
			value = &given
		} else if value != nil {
			word, err := b.replaced(*value, s.vars)
			if err != nil {
				return err
			}
			unsure = len(b.unsure(s, *value)) > 0
			value = &word
		} else if global, ok := b.global.Get(a.Key); ok {
			value = &global
		}
		if value != nil && !slices.Contains(notVariables, a.Key) {
			s.vars.set(a.Key, *value)
			s.keep(a.Key, unsure)
			if !unsure {
				known.Args = append(known.Args, instructions.KeyValuePairOptional{Key: a.Key, Value: value})
			}
		}
	}
	if len(known.Args) > 0 {
		s.image.Commands = append(s.image.Commands, Command{Command: &known, Line: line.Line, User: s.image.User, OnBuild: line.OnBuild})
	}
	return nil
}

// keep records whether a variable's value is certain.
func (s *stage) keep(name string, unsure bool) {
	if unsure {
		s.unsure[name] = true
	} else {
		delete(s.unsure, name)
	}
}

// isRequired matches a variable that must be set, or the build fails.
var isRequired = regexp.MustCompile(`\$\{(\w+):?\?`)

// required returns the variables of a word that must be set, and that only an unknown environment could set.
func (b *build) required(s *stage, written string) (names []string) {
	for _, m := range isRequired.FindAllStringSubmatch(written, -1) {
		if _, ok := s.vars.Get(m[1]); s.envUnknown && !ok {
			names = append(names, m[1])
		}
	}
	return names
}

// unsure returns the variables of a word whose values depend on an unknown environment.
func (b *build) unsure(s *stage, written string) (names []string) {
	if !s.envUnknown || !strings.Contains(written, "$") {
		return nil
	}
	r, err := b.lex.ProcessWordWithMatches(written, s.vars)
	if err != nil {
		return nil
	}
	for name := range r.Unmatched {
		names = append(names, name)
	}
	for name := range r.Matched {
		if s.unsure[name] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func lineOf(at []parser.Range) int {
	if len(at) == 0 {
		return 0
	}
	return at[0].Start.Line
}
