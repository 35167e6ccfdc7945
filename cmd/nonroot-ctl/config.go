// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

// configCommand prints the policy in force.
func configCommand() *cli.Command {
	return &cli.Command{
		Name:            "config",
		Usage:           "show every setting in force, and where it is set",
		HideHelpCommand: true,
		Action: func(*cli.Context) error {
			return errors.New("name what to do: config show")
		},
		Subcommands: []*cli.Command{{
			Name: "show", Usage: "print the whole policy, built-in values included", HideHelpCommand: true,
			Flags: []cli.Flag{
				&cli.StringFlag{Name: "policy", Usage: "the policy `FILE`, instead of the one in force"},
				&cli.StringFlag{Name: "profile", Usage: "the policy of the binary nonroot-runc.`NAME`"},
				&cli.StringFlag{Name: "rule", Usage: "print what applies to containers of the rule `NAME`"},
				&cli.BoolFlag{Name: "json", Usage: "print JSON"},
			},
			Action: configShow,
		}},
	}
}

// inForce is the JSON of config show.
type inForce struct {
	File    string `json:"file"`              // "": none, and everything is built in
	Digest  string `json:"sha256"`            // of the file, in hex
	Profile string `json:"profile,omitempty"` // the profile that the file belongs to
	Rule    string `json:"rule,omitempty"`    // the rule that the settings are for
	// LogFrom is the file whose [log] a profile without one uses.
	LogFrom string `json:"log_from,omitempty"`
	policy.Effective
}

func configShow(c *cli.Context) error {
	if c.Args().Present() {
		return fmt.Errorf("unexpected argument %q\nhint: config show takes options only", c.Args().First())
	}
	if c.IsSet("policy") && c.IsSet("profile") {
		return errors.New("--policy and --profile exclude each other")
	}
	p, err := policyNamed(c)
	if err != nil {
		return err
	}
	f := inForce{File: p.File, Digest: p.Digest, Profile: p.Profile}
	if p.Profile != "" && !p.OwnLog {
		f.LogFrom = policy.DefaultFile
	}
	if name := c.String("rule"); name != "" {
		f.Rule = name
		if f.Settings = p.ForRule(name); f.Settings == nil {
			return fmt.Errorf("the policy has no rule %q\nhint: nonroot-ctl config show lists those it has", name)
		}
	} else {
		f.Effective = p.Effective()
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, f)
	}
	return f.print(c.App.Writer)
}

// print writes a policy file of the same meaning, with the origin of each value in a comment.
func (f *inForce) print(to io.Writer) error {
	var b strings.Builder
	switch {
	case f.File == "":
		fmt.Fprintf(&b, "# There is no %s: every value is built in.\n", policy.DefaultFile)
	default:
		fmt.Fprintf(&b, "# %s, SHA-256 %s\n", shown(f.File), f.Digest)
	}
	if f.Rule != "" {
		fmt.Fprintf(&b, "# For the containers of the rule %q.\n", f.Rule)
	}
	var tables []string
	in := map[string][]policy.Setting{}
	for _, s := range f.Settings {
		table, key, ok := strings.Cut(s.Key, ".")
		if !ok {
			table, key = "", s.Key
		}
		if _, known := in[table]; !known && table != "" {
			tables = append(tables, table)
		}
		s.Key = key
		in[table] = append(in[table], s)
	}
	for _, table := range append([]string{""}, tables...) {
		if table != "" {
			fmt.Fprintf(&b, "\n[%s]\n", table)
		}
		for _, s := range in[table] {
			from := "built in"
			switch {
			case s.Line > 0:
				from = fmt.Sprintf("line %d", s.Line)
			case table == "log" && f.LogFrom != "":
				from = f.LogFrom
			}
			setting(&b, s, from)
		}
	}
	if len(f.Audit) > 0 {
		b.WriteString("\n[audit]\n")
		settings(&b, f.Audit, "")
	}
	for _, r := range f.Rules {
		b.WriteString("\n[[rule]]\n")
		settings(&b, r.Settings, "")
		settings(&b, r.Audit, "audit.")
	}
	_, err := io.WriteString(to, b.String())
	return err
}

// settings writes those that the file sets.
func settings(b *strings.Builder, all []policy.Setting, table string) {
	for _, s := range all {
		s.Key = table + s.Key
		setting(b, s, fmt.Sprintf("line %d", s.Line))
	}
}

// setting writes one line of TOML. JSON's form of strings, numbers, true, false and lists of them is TOML, too
// (https://toml.io/en/v1.0.0).
func setting(b *strings.Builder, s policy.Setting, from string) {
	if annotations, ok := s.Value.(map[string][]string); ok {
		for _, key := range slices.Sorted(maps.Keys(annotations)) {
			setting(b, policy.Setting{Key: s.Key + "." + value(key), Value: annotations[key]}, from)
		}
		return
	}
	if s.Value == nil {
		fmt.Fprintf(b, "# %s is not set\n", s.Key)
		return
	}
	fmt.Fprintf(b, "%-39s # %s\n", s.Key+" = "+value(s.Value), shown(from))
}

// value is a value in TOML, and in ASCII.
func value(v any) string {
	var all []string
	switch v := v.(type) {
	case []string:
		for _, one := range v {
			all = append(all, value(one))
		}
	case []any:
		for _, one := range v {
			all = append(all, value(one))
		}
	default:
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(v); err != nil {
			panic(err) // texts, numbers, true and false
		}
		return ascii(strings.TrimSuffix(b.String(), "\n"))
	}
	return "[" + strings.Join(all, ", ") + "]"
}
