// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/nonroot-runc/nonroot-runc/internal/check"
	"github.com/nonroot-runc/nonroot-runc/internal/dockerfile"
	"github.com/nonroot-runc/nonroot-runc/internal/quote"
)

// checkCommand is for who writes images.
func checkCommand() *cli.Command {
	return &cli.Command{
		Name: "check", Usage: "say whether a Dockerfile's image runs as root, and what it will trip over", ArgsUsage: "PATH...", HideHelpCommand: true,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "target", Usage: "the stage `NAME` (default: the last one)"},
			&cli.StringSliceFlag{Name: "build-arg", Usage: "`NAME=VALUE` of an ARG; more than once"},
			&cli.StringSliceFlag{Name: "base", Usage: "the user of an image that Dockerfiles begin with, `NAME=USER`; more than once"},
			&cli.StringFlag{Name: "policy", Usage: "go by the policy in `FILE`, instead of the one in force"},
			&cli.StringFlag{Name: "fail-on", Value: "warning", Usage: "end with 1 for findings of this `SEVERITY` or a worse one: error, warning or note"},
			&cli.BoolFlag{Name: "json", Usage: "print JSON"},
		},
		Action: runCheck,
	}
}

// Exit statuses of check.
const (
	statusFindings   = 1
	statusUnreadable = 2
)

func runCheck(c *cli.Context) error {
	if !c.Args().Present() {
		return errors.New("check needs a path\nhint: name a Dockerfile, a directory that has one, or - for standard input")
	}
	failOn, err := check.ParseSeverity(c.String("fail-on"))
	if err != nil {
		return err
	}
	o, err := checkOptions(c)
	if err != nil {
		return err
	}
	results := []check.Result{}
	status := 0
	for _, path := range c.Args().Slice() {
		name, text, err := dockerfileAt(path, c.App.Reader)
		if err != nil {
			complain(c.App.ErrWriter, err)
			status = statusUnreadable
			continue
		}
		context, closed := buildContext(name)
		o.Context = context
		r := check.Dockerfile(name, text, o)
		closed()
		if r.Verdict == check.Invalid {
			status = statusUnreadable
		}
		for _, f := range r.Findings {
			if f.Severity.AtLeast(failOn) {
				status = max(status, statusFindings)
			}
		}
		results = append(results, r)
	}
	if c.Bool("json") {
		err = printJSON(c.App.Writer, map[string][]check.Result{"results": results})
	} else {
		_, err = io.WriteString(c.App.Writer, checkText(results))
	}
	if err != nil || status == 0 {
		return err
	}
	return exitStatus(status)
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
			value, ok = os.LookupEnv(name) // as docker build has it
		}
		if ok {
			o.Build.Args[name] = value
		}
	}
	given := map[string]string{}
	for _, base := range c.StringSlice("base") {
		at := strings.LastIndex(base, "=")
		if at <= 0 {
			return o, fmt.Errorf("--base %q has no user\nhint: write NAME=USER, such as example.org/base:1=1001", base)
		}
		given[base[:at]] = base[at+1:]
	}
	o.Build.Base = check.Bases(given)
	return o, nil
}

// dockerfileAt reads a file, that of a directory, or standard input. What is longer than a Dockerfile may be is cut off one byte
// behind that, which the evaluation refuses.
func dockerfileAt(path string, in io.Reader) (name string, text []byte, err error) {
	name = path
	if path == "-" {
		name = "<standard input>"
	} else {
		file, err := os.Open(path)
		if err != nil {
			return name, nil, err
		}
		defer file.Close()
		st, err := file.Stat()
		if err != nil {
			return name, nil, err
		}
		if st.IsDir() {
			for _, one := range []string{"Dockerfile", "Containerfile"} {
				inside := filepath.Join(path, one)
				if st, err := os.Stat(inside); err == nil && st.Mode().IsRegular() {
					return dockerfileAt(inside, in)
				}
			}
			return name, nil, fmt.Errorf("%q has no Dockerfile\nhint: name the file", path)
		}
		if !st.Mode().IsRegular() {
			return name, nil, fmt.Errorf("%q is no regular file\nhint: give its text on standard input, and - as the path", path)
		}
		in = file
	}
	text, err = io.ReadAll(io.LimitReader(in, dockerfile.MaxBytes+1))
	return name, text, err
}

// maxScript is how much of a file of the build context is read: what stands at the beginning of a script.
const maxScript = 4096

// buildContext reads the files beside a Dockerfile, and none that is elsewhere by a symbolic link or "..".
func buildContext(name string) (head func(string) (string, bool), closed func()) {
	root, err := os.OpenRoot(filepath.Dir(name))
	if err != nil {
		return nil, func() {}
	}
	head = func(file string) (string, bool) {
		file = filepath.Clean(strings.TrimLeft(file, "/"))
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
	return head, func() { root.Close() }
}

// checkText is what people read: the answer first.
func checkText(results []check.Result) string {
	p := &printer{}
	for i, r := range results {
		if i > 0 {
			p.line("")
		}
		p.line("%s: %s", shown(r.File), verdictText(r))
		for _, s := range r.Steps {
			if s.Line > 0 {
				p.line("  line %d: %s", s.Line, shown(s.Text))
			} else {
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
			p.line("%s: %s: %s [%s]", where, f.Severity, shown(f.Why), f.ID)
			if f.Source != "" {
				p.line("    %s", shown(f.Source))
			}
			if f.Length > 0 {
				p.line("    %s%s", strings.Repeat(" ", len([]rune(shown(f.Source[:f.Column-1])))), strings.Repeat("^", len([]rune(shown(f.Source[f.Column-1:f.Column-1+f.Length])))))
			}
			p.line("  hint: %s", shown(f.Do))
		}
	}
	return p.String()
}

func verdictText(r check.Result) string {
	switch r.Verdict {
	case check.Root:
		return "runs as root"
	case check.NonRoot:
		return fmt.Sprintf("runs as %s, not as root", quote.Value(r.User))
	case check.Unknown:
		return "it is not known who it runs as"
	case check.Never:
		return "no container starts with it"
	case check.Windows:
		return "is for Windows, where nonroot-runc runs nothing"
	default:
		return "no build reads it"
	}
}
