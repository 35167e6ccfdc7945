// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/briandowns/spinner"
	"github.com/fatih/color"
	"golang.org/x/term"
)

// This is for people at a terminal only: colours, unless NO_COLOR is set (https://no-color.org) or TERM is "dumb",
// lines of its width, and a sign that something is going on.

var (
	bad     = color.New(color.FgRed, color.Bold)
	doubt   = color.New(color.FgYellow)
	good    = color.New(color.FgGreen)
	passing = color.New(color.Faint)
)

// painted is a text in a colour, if it goes to a terminal. The library only checks standard output.
func painted(to io.Writer, how *color.Color, text string) string {
	if to != io.Writer(os.Stdout) {
		return text
	}
	return how.Sprint(text)
}

// isTerminal reports whether a file is a terminal.
func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// narrowest is the width in columns below which lines are left to the terminal.
const narrowest = 40

// wrapped breaks long lines at blanks, if they go to a terminal. The rest of a line is indented below its text.
func wrapped(to io.Writer, text string) string {
	if width := screen(to); width > 0 {
		return fold(text, width)
	}
	return text
}

// screen is the width in columns of the terminal that is written to, 0 if there is none or lines are left to it.
func screen(to io.Writer) int {
	if to != io.Writer(os.Stdout) {
		return 0
	}
	width, _, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil || width < narrowest {
		return 0
	}
	return width
}

// verbatim begins lines that people copy, such as commands, which a terminal's own wrapping leaves in one piece.
var verbatim = regexp.MustCompile(`^ *(hint|see): `)

// fold breaks lines that are longer than width, except those that people copy.
func fold(text string, width int) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		line, end := strings.TrimSuffix(line, "\n"), strings.HasSuffix(line, "\n")
		if columns(line) <= width || verbatim.MatchString(line) {
			b.WriteString(line)
		} else {
			foldLine(&b, line, width)
		}
		if end {
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// name is the beginning of a line that has a name and then, apart from it, a value.
var name = regexp.MustCompile(`^ *\S+ {2,}`)

// foldLine continues a line below its value, or else four columns further in.
func foldLine(b *strings.Builder, line string, width int) {
	hang := len(line) - len(strings.TrimLeft(line, " ")) + 4
	if n := columns(name.FindString(line)); n > 0 && n <= width/2 {
		hang = n
	}
	at := 0
	for i, word := range strings.Split(line, " ") {
		switch n := columns(word); {
		case i == 0:
			at = n
		case at+1+n > width && at > hang:
			b.WriteString("\n" + strings.Repeat(" ", hang))
			at = hang + n
		default:
			b.WriteByte(' ')
			at += 1 + n
		}
		b.WriteString(word)
	}
}

// colour is an escape sequence of package color.
var colour = regexp.MustCompile("\x1b\\[[0-9;]*m")

// columns is how wide a text is, without its colours. What is printed is quoted, so that characters of double width are rare.
func columns(s string) int { return utf8.RuneCountInString(colour.ReplaceAllString(s, "")) }

// table lays out rows, each of which has a name and values, below a head. If width, unless 0, is too little, headings have two lines, and
// a name that is too long for its column has a line of its own. If it still is, each value stands after its heading.
func table(width int, head []string, rows [][]string) string {
	if whole := aligned(slices.Concat([][]string{head}, rows)); width == 0 || widest(whole) <= width {
		return strings.Join(whole, "\n")
	}
	lines := [][]string{make([]string, len(head)), slices.Clone(head)}
	for i, heading := range head {
		if first, second, ok := strings.Cut(heading, " "); ok {
			lines[0][i], lines[1][i] = first, second
		}
	}
	var unnamed [][]string // they take the width that names don't have
	for _, row := range slices.Concat(lines, rows) {
		unnamed = append(unnamed, withoutName(row))
	}
	left := width - widest(aligned(unnamed))
	if left < columns(head[0]) {
		return listed(width, head, rows)
	}
	for _, row := range rows {
		if columns(row[0]) > left {
			lines = append(lines, []string{short(row[0], width)})
			row = withoutName(row)
		}
		lines = append(lines, row)
	}
	return strings.Join(aligned(lines), "\n")
}

func withoutName(row []string) []string { return slices.Concat([]string{""}, row[1:]) }

// listed is a table as a list: the name of each row, and below it the values after their headings.
func listed(width int, head []string, rows [][]string) string {
	lines := []string{head[0]}
	for _, row := range rows {
		var values []string
		for i, value := range row[1:] {
			values = append(values, strings.ToLower(head[i+1])+" "+value)
		}
		lines = append(lines, "  "+short(row[0], width-2), "    "+strings.Join(values, ", "))
	}
	return strings.Join(lines, "\n")
}

// aligned puts two blanks or more between the cells of each row. A row of one cell is not part of any column.
func aligned(rows [][]string) (lines []string) {
	wide := map[int]int{}
	for _, row := range rows {
		for i, cell := range row[:len(row)-1] {
			wide[i] = max(wide[i], columns(cell))
		}
	}
	for _, row := range rows {
		line := ""
		for i, cell := range row {
			line += cell + strings.Repeat(" ", max(0, wide[i]-columns(cell))+2)
		}
		lines = append(lines, strings.TrimRight(line, " "))
	}
	return lines
}

func widest(lines []string) (n int) {
	for _, line := range lines {
		n = max(n, columns(line))
	}
	return n
}

// short leaves out the middle of a text that is longer than width: images of one registry differ at the end.
func short(s string, width int) string {
	runes := []rune(s)
	if len(runes) <= width {
		return s
	}
	kept := width - len("...")
	return string(runes[:kept/2]) + "..." + string(runes[len(runes)-(kept-kept/2):])
}

// patience is how long something may take before a sign is shown.
const patience = time.Second

// working shows a spinner on standard error, if that is a terminal, until stop is called, which has to happen before
// anything else is printed.
func working(to io.Writer, at string) (stop func()) {
	file, ok := to.(*os.File)
	if !ok {
		return func() {}
	}
	s := spinner.New(spinner.CharSets[9], patience/10, spinner.WithWriterFile(file), spinner.WithSuffix(" "+at), spinner.WithHiddenCursor(true))
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-done:
		case <-time.After(patience):
			s.Start()
			<-done
			s.Stop()
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}
