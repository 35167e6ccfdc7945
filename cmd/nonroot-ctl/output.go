// SPDX-License-Identifier: Apache-2.0

package main

// The output may contain text from an image, or from the creator of a container, that is made to look like something else in a terminal.
// The rules:
//   - values are quoted with %q, which leaves nothing unprintable as it is;
//   - sentences that have values in them, quoted or not, go through shown;
//   - JSON is ASCII.

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/nonroot-runc/nonroot-runc/internal/hint"
	"github.com/nonroot-runc/nonroot-runc/internal/meaning"
)

// complain reports why a verb failed: a line for each finding, and its advice in the next line.
func complain(w io.Writer, err error) {
	for i, line := range strings.Split(strings.TrimSuffix(hint.Text(err), "\n"), "\n") {
		if i > 0 && strings.HasPrefix(line, hint.Mark[1:]) {
			fmt.Fprintln(w, shown(line))
			continue
		}
		finding, advice := hint.Split(line)
		fmt.Fprintf(w, "nonroot-ctl: %s\n", shown(finding))
		if advice != "" {
			fmt.Fprintf(w, "hint: %s\n", shown(advice))
		}
	}
}

// apart is a message with its advice, if any, in a line of its own that begins with the indent.
func apart(msg, indent string) string {
	finding, advice := hint.Split(msg)
	if advice == "" {
		return shown(finding)
	}
	return shown(finding) + "\n" + indent + "hint: " + shown(advice)
}

// noted is apart for a message of the runtime, with the link to its explanation in docs/troubleshooting.md.
func noted(msg, indent string) string {
	if row, ok := meaning.Of(msg); ok {
		return apart(msg, indent) + "\n" + indent + "see: " + row.See()
	}
	return apart(msg, indent)
}

// shown is a sentence without anything that a terminal would interpret.
func shown(s string) string {
	var b strings.Builder
	for _, r := range strings.ReplaceAll(s, hint.Mark, hint.Flat) {
		if strconv.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRune(r)
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}

// printJSON writes a value as indented JSON in ASCII.
func printJSON(to io.Writer, value any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return err
	}
	_, err := io.WriteString(to, ascii(b.String()))
	return err
}

// ascii escapes DEL and what is not ASCII in JSON, where both only occur in strings.
func ascii(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r < 0x7f {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	return b.String()
}

// counted is a number and a noun, in the plural unless the number is one.
func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	ending := "s"
	if strings.HasSuffix(what, "s") || strings.HasSuffix(what, "ch") {
		ending = "es"
	}
	return strconv.Itoa(n) + " " + what + ending
}
