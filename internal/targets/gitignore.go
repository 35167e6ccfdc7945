// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// maxIgnores limits a .gitignore, and a pattern in it, in bytes.
const (
	maxIgnores = 1 << 20
	maxPattern = 4096
)

// pattern is a line of a .gitignore (gitignore(5), "Pattern format").
type pattern struct {
	match     *regexp.Regexp // of a path below the directory of the file
	directory bool           // it matches only directories
	include   bool           // "!"
}

// ignores are the patterns that apply in a directory: its own, and those of its parents.
type ignores struct {
	above    *ignores
	dir      string // from the top of the walk; "" is the top
	patterns []pattern
}

// ignored reports whether git ignores a path, relative to the top. The last matching line decides, and deeper files come
// after the ones above. The walk itself has to skip everything below an ignored directory.
func (g *ignores) ignored(p string, isDirectory bool) bool {
	for ; g != nil; g = g.above {
		rel := p
		if g.dir != "" {
			rel = strings.TrimPrefix(p, g.dir+"/")
		}
		for i := len(g.patterns) - 1; i >= 0; i-- {
			one := g.patterns[i]
			if (isDirectory || !one.directory) && one.match.MatchString(rel) {
				return !one.include
			}
		}
	}
	return false
}

// with returns the patterns that apply in a subdirectory.
func (g *ignores) with(dir, file string) *ignores {
	text, ok := head(file, maxIgnores)
	if !ok {
		return g
	}
	own := &ignores{above: g, dir: dir}
	for line := range strings.Lines(text) {
		if one, ok := parsePattern(strings.TrimRight(line, "\r\n")); ok {
			own.patterns = append(own.patterns, one)
		}
	}
	return own
}

// head returns the beginning of a regular file.
func head(file string, most int64) (text string, ok bool) {
	st, err := os.Lstat(file)
	if err != nil || !st.Mode().IsRegular() {
		return "", false
	}
	f, err := os.Open(file)
	if err != nil {
		return "", false
	}
	defer f.Close()
	all, err := io.ReadAll(io.LimitReader(f, most))
	return string(all), err == nil
}

// parsePattern parses a line.
func parsePattern(line string) (one pattern, ok bool) {
	for strings.HasSuffix(line, " ") && !strings.HasSuffix(line, "\\ ") {
		line = line[:len(line)-1]
	}
	if line == "" || line[0] == '#' || len(line) > maxPattern {
		return one, false
	}
	if line[0] == '!' {
		one.include, line = true, line[1:]
	}
	if strings.HasSuffix(line, "/") {
		one.directory, line = true, strings.TrimSuffix(line, "/")
	}
	anchored := strings.Contains(line, "/")
	line = strings.TrimPrefix(line, "/")
	if line == "" {
		return one, false
	}
	var b strings.Builder
	b.WriteString(`(?s)\A`)
	if !anchored {
		b.WriteString(`(?:.*/)?`)
	}
	if !translate(&b, line) {
		return one, false
	}
	b.WriteString(`\z`)
	var err error
	one.match, err = regexp.Compile(b.String())
	return one, err == nil
}

// translate turns a pattern into a regular expression, or returns false if it matches nothing.
func translate(b *strings.Builder, p string) bool {
	for i := 0; i < len(p); i++ {
		switch rest := p[i:]; {
		case strings.HasPrefix(rest, "**/") && (i == 0 || p[i-1] == '/'):
			b.WriteString(`(?:.*/)?`)
			i += 2
		case rest == "**" && i > 0 && p[i-1] == '/':
			b.WriteString(`.+`)
			i++
		case rest[0] == '*':
			b.WriteString(`[^/]*`)
		case rest[0] == '?':
			b.WriteString(`[^/]`)
		case rest[0] == '\\':
			if len(rest) == 1 {
				return false
			}
			b.WriteString(regexp.QuoteMeta(rest[1:2]))
			i++
		case rest[0] == '[':
			n, class := bracket(rest)
			if n == 0 {
				return false
			}
			b.WriteString(class)
			i += n - 1
		case rest[0] < 0x80:
			b.WriteString(regexp.QuoteMeta(rest[:1]))
		default:
			b.WriteByte(rest[0])
		}
	}
	return true
}

// bracket translates a bracket expression (glob(7)), which never matches a slash. n is its length, or 0 if it is
// unterminated.
func bracket(p string) (n int, class string) {
	i, not := 1, false
	if i < len(p) && (p[i] == '!' || p[i] == '^') {
		not = true
		i++
	}
	var b strings.Builder
	for first := true; ; first = false {
		switch {
		case i >= len(p):
			return 0, ""
		case p[i] == ']' && !first:
			if b.Len() == 0 {
				return 0, ""
			}
			if not {
				return i + 1, `[^/` + b.String() + `]`
			}
			return i + 1, `[` + b.String() + `]`
		case strings.HasPrefix(p[i:], "[:"):
			end := strings.Index(p[i:], ":]")
			if end < 0 {
				return 0, ""
			}
			b.WriteString(p[i : i+end+2])
			i += end + 2
			continue
		case p[i] == '\\' && i+1 < len(p):
			i++
		}
		if p[i] == '-' && !first && i+1 < len(p) && p[i+1] != ']' {
			b.WriteByte('-')
		} else if p[i] != '/' {
			b.WriteString(regexp.QuoteMeta(p[i : i+1]))
			if p[i] == '-' || p[i] == '^' {
				s := b.String()
				b.Reset()
				b.WriteString(strings.TrimSuffix(s, p[i:i+1]) + `\` + p[i:i+1])
			}
		}
		i++
	}
}

// above returns the patterns that apply in a directory because of files above it in its repository. top is the top of the repository, and
// rel the directory's path in it. Both are empty outside a repository.
func above(dir string) (g *ignores, top, rel string) {
	full, err := filepath.Abs(dir)
	if err != nil {
		return nil, "", ""
	}
	var way []string
	for at := full; ; at = filepath.Dir(at) {
		if _, err := os.Lstat(filepath.Join(at, ".git")); err == nil {
			g = g.with("", filepath.Join(at, ".git", "info", "exclude"))
			for i := len(way) - 1; i >= 0; i-- {
				g = g.with(rel, filepath.Join(at, rel, ".gitignore"))
				rel = path.Join(rel, way[i])
			}
			return g, at, rel
		}
		if filepath.Dir(at) == at {
			return nil, "", ""
		}
		way = append(way, filepath.Base(at))
	}
}
