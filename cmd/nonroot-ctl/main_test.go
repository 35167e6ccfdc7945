// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"github.com/nonroot-runc/nonroot-runc/internal/doctor"
)

// TestManPageNamesEverything: each verb has a section, which names each of its flags.
func TestManPageNamesEverything(t *testing.T) {
	text, err := os.ReadFile("../../docs/man/nonroot-ctl.8")
	if err != nil {
		t.Fatal(err)
	}
	page := strings.ReplaceAll(string(text), `\-`, "-")
	verbs := 0
	for _, command := range app().Commands {
		if command.Hidden {
			continue
		}
		verbs++
		_, section, found := strings.Cut(page, "\n.SS "+command.Name+"\n")
		if !found {
			t.Errorf("the man page has no section %q", command.Name)
			continue
		}
		section, _, _ = strings.Cut(section, "\n.SS ")
		if len(flags(command)) == 0 {
			t.Errorf("%s has no flags", command.Name)
		}
		for _, flag := range flags(command) {
			if name := flag.Names()[0]; name != "help" && !strings.Contains(section, "\n.BI --"+name+" ") && !strings.Contains(section, "\n.B --"+name+"\n") {
				t.Errorf("the man page's section %q has no entry --%s", command.Name, name)
			}
		}
		for line := range strings.Lines(section) {
			for _, macro := range []string{".B --", ".BI --"} {
				name, ok := strings.CutPrefix(line, macro)
				if !ok {
					continue
				}
				name, _, _ = strings.Cut(strings.TrimSpace(name), " ")
				if !hasFlag(command, name) {
					t.Errorf("the man page's section %q has --%s, which the program has not", command.Name, name)
				}
			}
		}
	}
	if verbs == 0 {
		t.Error("there are no verbs")
	}
}

// flags returns the flags of a verb and of its subcommands.
func flags(c *cli.Command) []cli.Flag {
	all := slices.Clone(c.Flags)
	for _, sub := range c.Subcommands {
		all = append(all, sub.Flags...)
	}
	return all
}

func hasFlag(c *cli.Command, name string) bool {
	for _, f := range flags(c) {
		for _, n := range f.Names() {
			if n == name {
				return true
			}
		}
	}
	return false
}

func TestShown(t *testing.T) {
	for in, want := range map[string]string{
		"plain, \"quoted\" – ä": "plain, \"quoted\" – ä",
		"\x1b[31m":              `\x1b[31m`,
		"a\nb\tc\rd\x7f":        `a\nb\tc\rd\x7f`,
		"\u009b1m\u202e\u2028":  `\u009b1m\u202e\u2028`,
		"bad\xff":               "bad\uFFFD",
	} {
		if got := shown(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

func TestPrintJSON(t *testing.T) {
	in := map[string]string{"a": "\x1b\u009b\x7fä\U0001F600\u2028<>&\"\\", "b\u0085": ""}
	var b bytes.Buffer
	if err := printJSON(&b, in); err != nil {
		t.Fatal(err)
	}
	for _, c := range b.Bytes() {
		if c != '\n' && (c < ' ' || c > '~') {
			t.Errorf("%q has %#x", b.String(), c)
		}
	}
	var out map[string]string
	if err := json.Unmarshal(b.Bytes(), &out); err != nil || out["a"] != in["a"] || len(out) != 2 {
		t.Errorf("%q comes back as %q, %v", in, out, err)
	}
}

func TestPrintChecks(t *testing.T) {
	checks := []doctor.Check{
		{Name: "a", Status: doctor.OK, Detail: "fine"},
		{Name: "b\x1b", Status: doctor.Fail, Detail: "bad\n", Hint: "do"},
		{Name: "c", Status: doctor.Warn, Detail: "so so", Hint: "look"},
	}
	var b bytes.Buffer
	if err := printChecks(&b, checks); err != nil {
		t.Fatal(err)
	}
	want := "FAIL b\\x1b: bad\\n\n     hint: do\nwarn c: so so\n     hint: look\nok   a: fine\n3 checks: 1 ok, 0 notes, 1 warning, 1 failed\n"
	if b.String() != want {
		t.Errorf("%s", b.String())
	}
	if err := verdict(checks, false); err == nil || err.Error() != "1 of 3 checks failed" {
		t.Error(err)
	}
	if err := verdict(checks[:1], true); err != nil {
		t.Error(err)
	}
	if err := verdict([]doctor.Check{checks[2]}, false); err != nil {
		t.Errorf("a warning fails: %v", err)
	}
	if err := verdict([]doctor.Check{checks[2]}, true); err == nil {
		t.Error("a warning does not fail where that is strict")
	}
}

func TestWhatThereIs(t *testing.T) {
	for line, want := range map[string]string{
		"":            "COMMANDS:",
		"help":        "COMMANDS:",
		"help policy": "nonroot-ctl policy",
		"nonsense":    `unknown command "nonsense"`,
	} {
		var out strings.Builder
		a := app()
		a.Writer = &out
		err := a.Run(append([]string{"nonroot-ctl"}, strings.Fields(line)...))
		if got := fmt.Sprint(out.String(), err); !strings.Contains(got, want) || (line == "nonsense") != (err != nil) {
			t.Errorf("%q: %q", line, got)
		}
	}
}

// TestOptionsAnywhere: options may follow the arguments.
func TestOptionsAnywhere(t *testing.T) {
	for line, want := range map[string]string{
		"report LOG --json":                "report --json -- LOG",
		"report LOG --since 7d --json x":   "report --since 7d --json -- LOG x",
		"report - --html=f":                "report --html=f -- -",
		"report --json -- --csv":           "report --json -- --csv",
		"learn b --json":                   "learn --json -- b",
		"learn --for 3s docker run --rm x": "learn --for 3s -- docker run --rm x",
		"learn -- podman run --rm x":       "learn -- podman run --rm x",
		"policy check FILE --profile":      "policy check --profile -- FILE",
		"policy":                           "policy",
		"nonsense --json":                  "nonsense --json",
		"--version":                        "--version",
		"explain web --jsn":                "explain --jsn -- web",
	} {
		got := strings.Join(arranged(app(), append([]string{"nonroot-ctl"}, strings.Fields(line)...))[1:], " ")
		if got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

// TestWrongOption: the error is one line instead of the whole help, and stdout is empty.
func TestWrongOption(t *testing.T) {
	for line, want := range map[string]string{
		"report --jsn":         "unknown option \"--jsn\"\nhint: did you mean --json? see nonroot-ctl report --help",
		"report --since":       "nonroot-ctl report --help",
		"doctor extra":         `doctor takes no arguments, but "extra" is one`,
		"doctor --engine crio": `--engine is "crio"`,
		"--vresion":            "did you mean --version",
		"ps extra":             `"extra"`,
	} {
		var out, stderr strings.Builder
		a := app()
		a.Writer, a.ErrWriter = &out, &stderr
		err := a.Run(arranged(a, append([]string{"nonroot-ctl"}, strings.Fields(line)...)))
		if err == nil || !strings.Contains(err.Error(), want) || out.Len() > 0 || stderr.Len() > 0 {
			t.Errorf("%q: %v; %q, %q", line, err, out.String(), stderr.String())
		}
	}
}

// TestEachOptionSaysWhatItIs: in the help, each option has a description, and its value a name.
func TestEachOptionSaysWhatItIs(t *testing.T) {
	options := 0
	for _, command := range app().Commands {
		for _, flag := range flags(command) {
			one, ok := flag.(cli.DocGenerationFlag)
			if !ok || one.GetUsage() == "" {
				t.Errorf("%s: %q has no text", command.Name, flag.Names())
				continue
			}
			if options++; one.TakesValue() && !strings.Contains(one.GetUsage(), "`") {
				t.Errorf("%s: the value of %q has no name", command.Name, flag.Names())
			}
		}
	}
	if options < 40 {
		t.Errorf("there are only %d", options)
	}
}

func TestCandidates(t *testing.T) {
	for _, c := range []struct {
		words string
		want  []string // the first words; nil: nothing
	}{
		{"conf", []string{"config", "configure"}},
		{"configure d", []string{"docker"}},
		{"configure docker --set-d", []string{"--set-default"}},
		{"configure docker --runtime-name ", nil},
		{"configure docker --runtime-name x --keep", []string{"--keep-name"}},
		{"policy ap", []string{"apply"}},
		{"policy apply ", nil},
		{"report some.log --js", []string{"--json"}},
		{"report some.log ", nil},
		{"learn -- ", nil},
		{"--ver", []string{"--version"}},
		{"compl", nil},
	} {
		var got []string
		for _, one := range candidates(app(), strings.Split(c.words, " ")) {
			name, usage, described := strings.Cut(one, "\t")
			if !described || usage == "" || strings.Contains(one, "`") {
				t.Errorf("%q: %q does not say what it is for", c.words, one)
			}
			got = append(got, name)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, want %q", c.words, got, c.want)
		}
	}
}
