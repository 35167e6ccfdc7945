// SPDX-License-Identifier: Apache-2.0

// Package meaning finds the row of docs/troubleshooting.md on a message of nonroot-runc: what it means, and what to do. The
// page is the only source; messages themselves belong to the packages that print them.
package meaning

import (
	"path"
	"regexp"
	"strings"
	"sync"

	"github.com/nonroot-runc/nonroot-runc/docs"
	"github.com/nonroot-runc/nonroot-runc/internal/hint"
)

// Row is a row of the page.
type Row struct {
	ID    string   // the anchor on the page, such as T12; it never gets another meaning
	Words []string // phrases of the messages that it is about, with "…" for each value
	Means string   // Markdown, like Do
	Do    string
}

// Page is the path of the page, in the source and in packages' documentation.
const Page = "docs/troubleshooting.md"

// See is where the row is, for people.
func (r *Row) See() string { return Page + "#" + r.ID }

// Plain is Means or Do for a terminal: without the marks of code, and with a link's target, which is beside the page, in place of the link.
func Plain(markdown string) string {
	return strings.ReplaceAll(link.ReplaceAllString(markdown, path.Dir(Page)+"/$1"), "`", "")
}

var (
	link   = regexp.MustCompile(`\[[^]]*\]\(([^)]+)\)`)
	row    = regexp.MustCompile(`(?m)^\| (.+) \| (.+) \| (.+) \| <a id="([A-Za-z0-9-]+)">[A-Za-z0-9-]+</a> \|$`)
	phrase = regexp.MustCompile("`([^`]+)`")
)

// Rows returns every row, in the order of the page. It is the same slice each time.
func Rows() []Row { return rows() }

// The page is read once: a report asks for each of its reasons.
var rows = sync.OnceValue(func() []Row {
	var all []Row
	for _, m := range row.FindAllStringSubmatch(docs.Troubleshooting, -1) {
		r := Row{ID: m[4], Means: m[2], Do: m[3]}
		for _, p := range phrase.FindAllStringSubmatch(m[1], -1) {
			r.Words = append(r.Words, p[1])
		}
		all = append(all, r)
	}
	return all
})

// ByID returns the row with an id, whatever its case.
func ByID(id string) (Row, bool) {
	for _, r := range Rows() {
		if strings.EqualFold(r.ID, id) {
			return r, true
		}
	}
	return Row{}, false
}

// Of returns the row on a message. If several rows match, the one with the longest phrase is the most specific.
func Of(message string) (Row, bool) {
	message = strings.ReplaceAll(message, hint.Mark, hint.Flat)
	var best Row
	longest := 0
	for _, r := range Rows() {
		for _, p := range r.Words {
			if len(p) > longest && Has(message, p) {
				best, longest = r, len(p)
			}
		}
	}
	return best, longest > 0
}

// Has reports whether a message contains the parts of a phrase, in their order.
func Has(message, phrase string) bool {
	for _, part := range strings.Split(phrase, "…") {
		_, after, found := strings.Cut(message, strings.TrimSpace(part))
		if !found {
			return false
		}
		message = after
	}
	return true
}
