// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// oracle is a program that reads command lines as one version of a runtime does (hack/build-oracles).
type oracle struct {
	name  string
	crun  bool
	flags []option
	in    *bufio.Writer
	held  int // questions since the last that were certainly sent
	out   *bufio.Reader
	wait  func() error
	close func() error
}

// option is a flag that the runtime itself defines, below a verb or, for verb "", in front of it.
type option struct {
	verb, name, short string
	kind              string // boolean, text, or argp's optional
}

func start(path string) (*oracle, error) {
	o := &oracle{name: filepath.Base(path)}
	o.crun = strings.HasPrefix(o.name, "crun")
	list, err := exec.Command(path, "list").Output()
	if err != nil {
		return nil, fmt.Errorf("%s: list its flags: %w", path, err)
	}
	for line := range strings.Lines(string(list)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 4 {
			return nil, fmt.Errorf("%s: lists %q", path, line)
		}
		if f[1] != "help" {
			o.flags = append(o.flags, option{f[0], f[1], f[2], f[3]})
		}
	}
	if len(o.flags) < 50 {
		return nil, fmt.Errorf("%s: lists %d flags only", path, len(o.flags))
	}
	cmd := exec.Command(path)
	cmd.Dir, cmd.Stderr = "/", os.Stderr
	cmd.Env = append(os.Environ(), "GOGC=800") // urfave/cli makes a flag set for each line
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	o.in, o.out = bufio.NewWriterSize(in, 1<<20), bufio.NewReaderSize(out, 1<<20)
	o.wait, o.close = cmd.Wait, in.Close
	return o, cmd.Start()
}

// stop ends the program and wants it to have ended well.
func (o *oracle) stop() error {
	if err := o.close(); err != nil {
		return err
	}
	return o.wait()
}

// ask sends a command line; answer reads what becomes of the first that has no answer yet.
func (o *oracle) ask(line []string) error {
	o.in.WriteString(strconv.Itoa(len(line)))
	o.in.WriteByte(0)
	for _, w := range line {
		o.in.WriteString(w)
		o.in.WriteByte(0)
	}
	if o.held++; o.held%64 != 0 {
		return nil
	}
	return o.in.Flush()
}

// reading is what a runtime read in a command line: which command it came to, with what.
type reading struct {
	acts   bool
	verb   string
	args   []string
	values map[string][]string
}

func (r *reading) get(key string) string {
	v := r.values[key]
	if len(v) == 0 {
		return ""
	}
	return v[len(v)-1]
}

func (r *reading) String() string {
	if !r.acts {
		return "nothing"
	}
	return fmt.Sprintf("%s %q %q", r.verb, r.args, r.values)
}

func (o *oracle) answer() (*reading, error) {
	r := &reading{values: map[string][]string{}}
	for {
		s, err := o.out.ReadString(0)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", o.name, err)
		}
		if s = s[:len(s)-1]; s == "" {
			return r, nil
		}
		key, value, _ := strings.Cut(s, "=")
		switch key {
		case "refused":
		case "verb":
			r.acts, r.verb = true, value
		case "arg":
			r.args = append(r.args, value)
		default:
			r.values[key] = append(r.values[key], value)
		}
	}
}

// sample asks for one line and wants it read as given.
func (o *oracle) sample(verb string, args []string, line ...string) error {
	if err := errors.Join(o.ask(line), o.in.Flush()); err != nil {
		return err
	}
	r, err := o.answer()
	if err != nil {
		return err
	}
	if r.verb != verb || !slices.Equal(r.args, args) {
		return fmt.Errorf("%s reads %q as %s: that is no oracle", o.name, line, r)
	}
	return nil
}

// check wants the oracle to know its trade: a broken one would refuse everything, and nothing would differ.
func (o *oracle) check() error {
	c := []string{"c"}
	for _, verb := range []string{"create", "run", "restore"} {
		if err := o.sample(verb, c, verb, "--bundle=/b", "c"); err != nil {
			return err
		}
	}
	for _, line := range [][]string{{"start", "c"}, {"state", "c"}, {"delete", "--force", "c"}, {"exec", "--process=/p", "c"}} {
		if err := o.sample(line[0], c, line...); err != nil {
			return err
		}
	}
	if err := o.sample("exec", []string{"c", "sh", "-c", "id"}, "exec", "--user=0", "c", "sh", "-c", "id"); err != nil {
		return err
	}
	return o.sample("", nil, "create", "--no-such-flag", "c")
}
