// SPDX-License-Identifier: Apache-2.0

package check

import (
	"io"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"

	"github.com/nonroot-runc/nonroot-runc/internal/dockerfile"
	"github.com/nonroot-runc/nonroot-runc/internal/program"
)

// script reads the scripts of one RUN instruction, as far as that is possible without running them.
type script struct {
	build dockerfile.Command
	shell string            // that runs it; "": unknown
	own   map[string]string // the variables that it sets
	left  *int              // how many bytes of scripts may still be read of this file
	// before are the variables as they were before each assignment in a subshell, so that they can be set back.
	before []assigned
	// open: any variable may have any value, because of a command like read or eval.
	open bool
	// branches: what is set depends on a condition.
	branches bool
	// unread are the parts that can't be parsed.
	unread []string

	commands  []simple
	documents []document // the heredocs that are not scripts themselves

	// refuses: the command makes accounts. Such programs refuse an empty name or uid, so if the build succeeds, what has no value here has
	// one from --build-arg.
	refuses bool
	// Of the word that is being expanded: whether something of unknown value has part in it, the variables in it, and those among them
	// that have no value, neither of their own nor by an operator.
	guessed      bool
	named, unset map[string]bool
}

// assigned is a variable's value before an assignment; ok: it had one.
type assigned struct {
	name, value string
	ok          bool
}

// simple is a simple command (POSIX.1-2024, XCU 2.9.1) without its assignments and redirections.
type simple struct {
	words   []string // expanded, with notKnown where that is not certain
	written []string // the text of each in the script
	to      []string // files to which its output goes
}

// document is what a command writes, as far as it is in the script, and the files to which it goes; none: unknown.
type document struct {
	text string
	to   []string
}

// notKnown stands in a word for a part of unknown value. No name, number or option contains it.
const notKnown = "\ufffd"

// Limits on scripts and on what their variables expand to: the author of a file chooses both. The parser descends with each opening word and
// with some operators, and needs some 4 KB of stack for each. A script takes up to a hundred times its size in memory.
const (
	maxScript   = 16 << 10 // bytes
	maxScripts  = 128 << 10
	maxOpening  = 2000
	maxVariable = 256 // bytes
	maxNested   = 3   // scripts in the arguments of a shell in a script
)

// opening matches whatever may enclose further commands.
var opening = regexp.MustCompile("[({`|]|&&|\\b(?:if|elif|while|until|for|select|case)\\b")

// readRun reads a RUN instruction. by is the shell's name; "" if it is unknown. left is how many bytes of scripts may be read.
func readRun(c dockerfile.Command, run *instructions.RunCommand, by string, left *int) *script {
	s := &script{build: c, shell: by, own: map[string]string{}, left: left}
	if run.PrependShell {
		s.read(textOf(run.ShellDependantCmdLine), 0)
	} else if len(run.CmdLine) > 0 {
		s.command(simple{words: run.CmdLine, written: run.CmdLine}, nil, 0) // no shell expands it
	}
	return s
}

// textOf returns the script that an instruction passes to the shell, with its heredocs. If the line is nothing but a heredoc, that is the
// script.
func textOf(c instructions.ShellDependantCmdLine) string {
	text := strings.Join(c.CmdLine, " ")
	if len(c.Files) == 1 && strings.HasPrefix(text, "<<") && len(strings.Fields(text)) == 1 {
		return c.Files[0].Data
	}
	for _, f := range c.Files {
		text += "\n" + f.Data + f.Name
	}
	return text
}

// read adds the commands of a script.
func (s *script) read(text string, depth int) {
	first, _, _ := strings.Cut(text, "\n")
	if by := strings.Fields(strings.TrimPrefix(first, "#!")); strings.HasPrefix(first, "#!") && !slices.ContainsFunc(by, program.IsShell) {
		return // another language
	}
	var file *syntax.File
	if depth <= maxNested && len(text) <= *s.left {
		*s.left -= len(text)
		file = parsed(text)
	}
	if file == nil {
		s.unread, s.open = append(s.unread, text), true
		return
	}
	for node := range syntax.Preorder(file) {
		switch n := node.(type) {
		case *syntax.IfClause, *syntax.WhileClause, *syntax.ForClause, *syntax.CaseClause, *syntax.FuncDecl:
			s.branches = true
		case *syntax.BinaryCmd:
			s.branches = s.branches || n.Op == syntax.OrStmt
		case *syntax.ArithmCmd, *syntax.LetClause, *syntax.CStyleLoop:
			s.open = true
		case *syntax.Assign:
			s.open = s.open || n.Name != nil && n.Name.Value == "IFS" // words are split in another way
		case *syntax.CallExpr:
			name := ""
			if len(n.Args) > 0 {
				name = n.Args[0].Lit()
			}
			s.open = s.open || slices.Contains([]string{"read", "mapfile", "readarray", "getopts", "eval", "source", ".", "unset"}, name) || name == "printf" && len(n.Args) > 1 && strings.HasPrefix(n.Args[1].Lit(), "-v")
		}
	}
	s.run(file, text, depth)
}

// parsed parses a script, as bash does: that accepts what other shells do. It returns nil if it can't, or if there is too much of it.
func parsed(text string) *syntax.File {
	if len(text) > maxScript || len(text) > maxOpening && len(opening.FindAllStringIndex(text, maxOpening+1)) > maxOpening {
		return nil
	}
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(text), "")
	if err != nil {
		return nil
	}
	return file
}

// run adds the commands below a node, in the order of the script.
func (s *script) run(below syntax.Node, text string, depth int) {
	syntax.Walk(below, func(node syntax.Node) bool {
		switch n := node.(type) {
		case *syntax.Subshell, *syntax.CmdSubst, *syntax.ProcSubst:
			if node != below {
				s.apart(node, text, depth)
				return false
			}
		case *syntax.BinaryCmd:
			if n.Op == syntax.Pipe || n.Op == syntax.PipeAll {
				s.pipe(n, text, depth)
				return false
			}
		case *syntax.ForClause:
			if each, ok := n.Loop.(*syntax.WordIter); ok {
				s.put(each.Name.Value, notKnown)
			}
		case *syntax.DeclClause: // export, local and the like
			for _, a := range n.Args {
				s.assign(a)
			}
		case *syntax.Stmt:
			if call, ok := n.Cmd.(*syntax.CallExpr); ok {
				s.call(n, call, text, depth)
			}
		}
		return true
	})
}

// pipe adds the commands of a pipeline. What goes into tee is written to its files, and what goes into a shell is a script.
func (s *script) pipe(n *syntax.BinaryCmd, text string, depth int) {
	commands, documents := len(s.commands), len(s.documents)
	s.apart(n.X, text, depth)
	into := len(s.commands)
	last := len(s.documents)
	s.apart(n.Y, text, depth)
	if into == len(s.commands) {
		return
	}
	switch by := s.commands[into]; {
	case path.Base(by.words[0]) == "tee":
		for k := commands; k < into; k++ {
			s.commands[k].to = append(s.commands[k].to, by.words[1:]...)
		}
		for k := documents; k < last; k++ {
			s.documents[k].to = append(s.documents[k].to, by.words[1:]...)
		}
	case program.IsShell(by.words[0]) && !slices.ContainsFunc(by.words[1:], func(w string) bool { return !strings.HasPrefix(w, "-") }):
		for _, d := range slices.Clone(s.documents[documents:last]) {
			s.read(d.text, depth+1)
		}
		for _, c := range slices.Clone(s.commands[commands:into]) {
			if (c.words[0] == "echo" || c.words[0] == "printf") && len(c.words) > 1 {
				s.read(strings.Join(c.words[1:], " "), depth+1)
			}
		}
	}
}

// apart adds the commands of a subshell, whose assignments end with it.
func (s *script) apart(below syntax.Node, text string, depth int) {
	began := len(s.before)
	s.run(below, text, depth)
	for _, was := range slices.Backward(s.before[began:]) {
		if was.ok {
			s.own[was.name] = was.value
		} else {
			delete(s.own, was.name)
		}
	}
	s.before = s.before[:began]
}

// put sets a variable.
func (s *script) put(name, value string) {
	was, ok := s.own[name]
	s.before = append(s.before, assigned{name, was, ok})
	s.own[name] = value
}

// call adds a simple command.
func (s *script) call(stmt *syntax.Stmt, call *syntax.CallExpr, text string, depth int) {
	if len(call.Args) == 0 {
		for _, a := range call.Assigns {
			s.assign(a)
		}
		return
	}
	s.refuses = slices.ContainsFunc(call.Args, func(w *syntax.Word) bool { return accountTools[path.Base(w.Lit())] != "" })
	var c simple
	for _, arg := range call.Args {
		as := text[arg.Pos().Offset():arg.End().Offset()]
		for _, field := range s.fields(arg) {
			c.words, c.written = append(c.words, field), append(c.written, as)
		}
	}
	s.refuses = false
	for _, r := range stmt.Redirs {
		if r.Word != nil && slices.Contains([]syntax.RedirOperator{syntax.RdrOut, syntax.AppOut, syntax.RdrClob, syntax.RdrAll, syntax.AppAll}, r.Op) {
			c.to = append(c.to, s.expanded(r.Word, expand.Literal))
		}
	}
	for _, a := range call.Assigns {
		s.put(a.Name.Value, notKnown) // it may be this command's alone
	}
	var documents []string
	for _, r := range stmt.Redirs {
		if r.Hdoc != nil {
			documents = append(documents, s.expanded(r.Hdoc, expand.Document))
		} else if r.Word != nil && r.Op == syntax.WordHdoc {
			documents = append(documents, s.expanded(r.Word, expand.Literal))
		}
	}
	s.command(c, documents, depth)
}

// command adds a command without what stands before its name, and the scripts that it passes to a shell.
func (s *script) command(c simple, documents []string, depth int) {
	for len(c.words) > 1 && (slices.Contains([]string{"exec", "env", "command", "builtin"}, c.words[0]) || isAssignment.MatchString(c.words[0])) {
		if name, _, ok := strings.Cut(c.words[0], "="); ok {
			s.put(name, notKnown)
		}
		c.words, c.written = c.words[1:], c.written[1:]
	}
	if len(c.words) == 0 {
		return
	}
	s.commands = append(s.commands, c)
	at := slices.IndexFunc(c.words, func(w string) bool { return w == "eval" || program.IsShell(w) })
	if at < 0 || slices.Contains([]string{"echo", "printf"}, c.words[0]) {
		for _, text := range documents {
			s.documents = append(s.documents, document{text, slices.Clip(c.to)})
		}
		return
	}
	for _, text := range slices.Concat(c.words[at+1:], documents) {
		if strings.ContainsAny(text, " \t\n") { // a name or an option alone is no script
			s.read(text, depth+1)
		}
	}
}

var isAssignment = regexp.MustCompile(`^[A-Za-z_]\w*=`)

// assign records an assignment. If it may not be the only one, the value is unknown.
func (s *script) assign(a *syntax.Assign) {
	if a.Naked || a.Name == nil {
		return
	}
	value := ""
	switch {
	case a.Append, a.Index != nil, a.Array != nil:
		value = notKnown
	case a.Value != nil:
		value = s.expanded(a.Value, expand.Literal)
	}
	s.set(a.Name.Value, value)
}

func (s *script) set(name, value string) {
	before, ok := s.own[name]
	if !ok {
		before, ok = s.build.Variables[name]
	}
	if s.branches || ok && before != value || len(value) > maxVariable {
		value = notKnown
	}
	s.put(name, value)
}

// fields returns what a word of a command expands to, which may be several words, or none.
func (s *script) fields(word *syntax.Word) (all []string) {
	if syntax.SplitBraces(&syntax.Word{Parts: slices.Clone(word.Parts)}) {
		return []string{notKnown} // {1..99999999}
	}
	if !s.expand(word, func(c *expand.Config) (err error) {
		all, err = expand.Fields(c, word)
		return err
	}) {
		return []string{notKnown}
	}
	return all
}

// expanded returns what a word expands to where it is one word in any case, by expand.Literal or expand.Document.
func (s *script) expanded(word *syntax.Word, by func(*expand.Config, *syntax.Word) (string, error)) (value string) {
	if !s.expand(word, func(c *expand.Config) (err error) {
		value, err = by(c, word)
		return err
	}) {
		return notKnown
	}
	return value
}

// expand expands a word. It fails if it can't be told which part of the result is certain: the length of an unknown value, for example.
func (s *script) expand(word *syntax.Word, by func(*expand.Config) error) bool {
	s.guessed, s.named, s.unset = false, map[string]bool{}, map[string]bool{}
	operators := false
	for node := range syntax.Preorder(word) {
		switch n := node.(type) {
		case *syntax.ArithmExp:
			operators = true
		case *syntax.ParamExp:
			if n.Param == nil {
				return false
			}
			name := n.Param.Value
			s.named[name] = true
			switch _, own := s.own[name]; {
			case n.Excl, n.Length, n.Index != nil, n.Slice != nil, n.Repl != nil, n.Names != 0:
				operators = true
			case n.Exp == nil:
				s.unset[name] = s.refuses && s.build.Unset[name] && !own
			case n.Exp.Op != syntax.DefaultUnset && n.Exp.Op != syntax.DefaultUnsetOrNull:
				operators = true
			}
		}
	}
	unknown := func() string {
		s.guessed = true
		return notKnown
	}
	err := by(&expand.Config{
		Env: s,
		CmdSubst: func(w io.Writer, _ *syntax.CmdSubst) error {
			_, err := io.WriteString(w, unknown())
			return err
		},
		ProcSubst: func(*syntax.ProcSubst) (string, error) { return unknown(), nil },
	})
	return err == nil && !(operators && s.guessed)
}

// Get returns a variable as the shell has it.
func (s *script) Get(name string) expand.Variable {
	value, ok := s.own[name]
	if !ok {
		value, ok = s.build.Variables[name]
	}
	by := program.Command{Shell: func() string { return s.shell }}
	switch {
	case (name == "IFS" || name == "PWD") && !s.named[name]: // the library's own question, for what is not done here
		return expand.Variable{}
	case s.open, by.IsShells(name), s.unset[name], len(value) > maxVariable, !ok && !s.build.Unset[name]:
		value = notKnown
	case !ok:
		return expand.Variable{}
	}
	s.guessed = s.guessed || strings.Contains(value, notKnown)
	return expand.Variable{Set: true, Kind: expand.String, Str: value}
}

// Set is for operators that assign, such as ${ID:=0}.
func (s *script) Set(name string, to expand.Variable) error {
	s.set(name, to.Str)
	return nil
}

// Each is for programs that get an environment.
func (s *script) Each(func(string, expand.Variable) bool) {}

// commandsOf returns the commands of a RUN instruction. A word that is not certain is as it is written. written maps each other word to its
// original text.
func (i *inspection) commandsOf(c dockerfile.Command, run *instructions.RunCommand) (all [][]string, written map[string]string) {
	r, ok := i.scripts[run]
	if !ok {
		r.commands, r.written = readRun(c, run, "", &i.left).known()
		if i.scripts == nil {
			i.scripts = map[*instructions.RunCommand]readCommands{}
		}
		i.scripts[run] = r
	}
	return r.commands, r.written
}

// readCommands is what commandsOf returns.
type readCommands struct {
	commands [][]string
	written  map[string]string
}

func (s *script) known() (all [][]string, written map[string]string) {
	written = map[string]string{}
	for _, one := range s.commands {
		words := slices.Clone(one.words)
		for n, w := range words {
			if strings.Contains(w, notKnown) {
				words[n] = strings.ReplaceAll(one.written[n], notKnown, "$_") // a script that a command line passes to a shell has it, too
			} else if w != one.written[n] {
				written[w] = one.written[n]
			}
		}
		if words[0] != "" {
			all = append(all, words)
		}
	}
	return all, written
}
