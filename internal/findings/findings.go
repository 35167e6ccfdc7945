// SPDX-License-Identifier: Apache-2.0

// Package findings writes check's results in formats for machines. It also keeps baselines: lists of earlier findings that are no longer
// reported. It finds nothing itself, and the output for people is nonroot-ctl's.
package findings

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/owenrumney/go-sarif/v2/sarif"

	"github.com/nonroot-runc/nonroot-runc/internal/check"
	"github.com/nonroot-runc/nonroot-runc/internal/quote"
)

// columns returns the start and the end of a finding in its line, in characters from 1. The end is after the last character. 0: the whole
// line.
func columns(f check.Finding) (first, last int) {
	if f.Length == 0 {
		return 0, 0
	}
	first = utf8.RuneCountInString(f.Source[:f.Column-1]) + 1
	return first, first + utf8.RuneCountInString(f.Source[f.Column-1:f.Column-1+f.Length])
}

func message(f check.Finding) string { return f.Why + "; " + f.Do }

// uri returns a file's name as a URI reference.
func uri(file string) string {
	u := url.URL{Path: filepath.ToSlash(file)}
	if filepath.IsAbs(file) {
		u.Scheme = "file"
	}
	return u.String()
}

// SARIF writes results in the Static Analysis Results Interchange Format 2.1.0 (OASIS).
func SARIF(to io.Writer, version string, results []check.Result) error {
	report, err := sarif.New(sarif.Version210, false)
	if err != nil {
		return err
	}
	run := sarif.NewRun(*sarif.NewSimpleTool("nonroot-ctl check"))
	run.Tool.Driver.WithVersion(version)
	run.WithColumnKind("unicodeCodePoints")
	for _, k := range check.Kinds() {
		rule := run.AddRule(k.ID)
		rule.WithName(k.ID).WithShortDescription(sarif.NewMultiformatMessageString(k.Title)).WithHelp(sarif.NewMultiformatMessageString(k.Do))
		rule.WithDefaultConfiguration(sarif.NewReportingConfiguration().WithLevel(string(k.Severity)))
	}
	for _, r := range results {
		for _, f := range r.Findings {
			run.AddResult(result(f))
		}
		for _, i := range r.Ignored {
			kind := map[string]string{check.ByComment: "inSource", check.ByBaseline: "external"}[i.By]
			one := result(i.Finding)
			// The library writes null for fields that are not set, which the schema doesn't allow.
			one.AddSuppression(sarif.NewSuppression(kind).WithJustifcation(i.Reason).WithStatus("accepted").WithGuid(guid(i.Finding)).WithLocation(one.Locations[0]))
			run.AddResult(one)
		}
	}
	report.AddRun(run)
	return report.PrettyWrite(to)
}

// guid returns a finding's fingerprint in the form of a name-based UUID (RFC 9562, version 5, the newest that the schema allows).
func guid(f check.Finding) string {
	b, _ := hex.DecodeString(fingerprint(f))
	b[6], b[8] = b[6]&0x0f|0x50, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func result(f check.Finding) *sarif.Result {
	place := sarif.NewPhysicalLocation().WithArtifactLocation(sarif.NewArtifactLocation().WithUri(uri(f.File)))
	if f.Line > 0 {
		region := sarif.NewRegion().WithStartLine(f.Line)
		if first, last := columns(f); first > 0 {
			region.WithStartColumn(first).WithEndColumn(last)
		}
		place.WithRegion(region)
	}
	one := sarif.NewRuleResult(f.ID).WithLevel(string(f.Severity)).WithMessage(sarif.NewTextMessage(message(f)))
	one.AddLocation(sarif.NewLocation().WithPhysicalLocation(place))
	one.WithPartialFingerPrints(map[string]any{"nonrootCtl/v1": fingerprint(f)})
	return one
}

// maxName is PATH_MAX (limits.h).
const maxName = 4096

// GitHub writes workflow commands, which annotate the lines of a change ("Workflow commands for GitHub Actions").
func GitHub(to io.Writer, results []check.Result) error {
	var b bytes.Buffer
	text := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	for _, r := range results {
		for _, f := range r.Findings {
			level := string(f.Severity)
			if f.Severity == check.Note {
				level = "notice"
			}
			// GitHub can't match an escaped name with the file, but people can read it in the log.
			fmt.Fprintf(&b, "::%s file=%s", level, property.Replace(quote.Text(f.File, maxName)))
			if f.Line > 0 {
				fmt.Fprintf(&b, ",line=%d", f.Line)
			}
			if first, last := columns(f); first > 0 {
				fmt.Fprintf(&b, ",col=%d,endColumn=%d", first, last)
			}
			fmt.Fprintf(&b, ",title=%s::%s\n", property.Replace(f.ID), text.Replace(message(f)))
		}
	}
	_, err := to.Write(b.Bytes())
	return err
}

type suites struct {
	XMLName  xml.Name `xml:"testsuites"`
	Name     string   `xml:"name,attr"`
	Tests    int      `xml:"tests,attr"`
	Failures int      `xml:"failures,attr"`
	Suites   []suite  `xml:"testsuite"`
}

type suite struct {
	Name     string `xml:"name,attr"`
	Tests    int    `xml:"tests,attr"`
	Failures int    `xml:"failures,attr"`
	Cases    []one  `xml:"testcase"`
}

type one struct {
	Name    string   `xml:"name,attr"`
	Class   string   `xml:"classname,attr"`
	File    string   `xml:"file,attr,omitempty"`
	Line    int      `xml:"line,attr,omitempty"`
	Failure *failure `xml:"failure"`
	Skipped *skipped `xml:"skipped"`
}

type failure struct {
	Type    string `xml:"type,attr"`
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

type skipped struct {
	Message string `xml:"message,attr"`
}

// JUnit writes a suite for each file, and in it a case for each finding. Cases of the severity failOn or worse fail. A file without
// findings has one case, which passes.
func JUnit(to io.Writer, failOn check.Severity, results []check.Result) error {
	all := suites{Name: "nonroot-ctl check"}
	for _, r := range results {
		s := suite{Name: r.Name()}
		for _, f := range r.Findings {
			c := one{Name: f.ID, Class: r.Name(), File: f.File, Line: f.Line}
			if f.Severity.AtLeast(failOn) {
				c.Failure = &failure{f.ID, printable(f.Why), printable(fmt.Sprintf("%s:%d: %s\n%s\nhint: %s\n", f.File, f.Line, f.Why, f.Source, f.Do))}
				s.Failures++
			}
			s.Cases = append(s.Cases, c)
		}
		for _, i := range r.Ignored {
			s.Cases = append(s.Cases, one{Name: i.ID, Class: r.Name(), File: i.File, Line: i.Line, Skipped: &skipped{printable(i.Reason)}})
		}
		if len(s.Cases) == 0 {
			s.Cases = []one{{Name: "nothing found", Class: r.Name(), File: r.File}}
		}
		s.Tests = len(s.Cases)
		all.Tests, all.Failures, all.Suites = all.Tests+s.Tests, all.Failures+s.Failures, append(all.Suites, s)
	}
	text, err := xml.MarshalIndent(all, "", "  ")
	if err == nil {
		_, err = fmt.Fprintf(to, "%s%s\n", xml.Header, text)
	}
	return err
}

// printable replaces invalid UTF-8, which XML can't contain.
func printable(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

// fingerprint identifies a finding without its line number, so that it stays the same when lines are added above.
func fingerprint(f check.Finding) string {
	h := sha256.New()
	for _, part := range []string{f.ID, filepath.ToSlash(filepath.Clean(f.File)), strings.Join(strings.Fields(f.Source), " "), f.Object} {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// maxBaseline is the largest baseline that is read, in bytes.
const maxBaseline = 16 << 20

const heading = "# What nonroot-ctl check had found when this was written (--write-baseline); --baseline leaves it out.\n"

// WriteBaseline writes the findings, one in each line. They are sorted, because the file is for version control.
func WriteBaseline(to io.Writer, results []check.Result) error {
	var lines []string
	for _, r := range results {
		for _, f := range r.Findings {
			lines = append(lines, fmt.Sprintf("%s %s %q\n", fingerprint(f), f.ID, filepath.ToSlash(filepath.Clean(f.File))))
		}
		for _, i := range r.Ignored {
			if i.By == check.ByBaseline {
				lines = append(lines, fmt.Sprintf("%s %s %q\n", fingerprint(i.Finding), i.ID, filepath.ToSlash(filepath.Clean(i.File))))
			}
		}
	}
	slices.Sort(lines)
	_, err := io.WriteString(to, heading+strings.Join(lines, ""))
	return err
}

// Baseline counts earlier findings by their fingerprints.
type Baseline map[string]int

// ReadBaseline reads a baseline.
func ReadBaseline(from io.Reader) (Baseline, error) {
	b := Baseline{}
	in := bufio.NewScanner(io.LimitReader(from, maxBaseline))
	for n := 1; in.Scan(); n++ {
		line := strings.TrimSpace(in.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		print, _, _ := strings.Cut(line, " ")
		if raw, err := hex.DecodeString(print); err != nil || len(raw) != 16 {
			return nil, fmt.Errorf("line %d of the baseline is malformed\nhint: write it again with --write-baseline", n)
		}
		b[print]++
	}
	return b, in.Err()
}

// Apply moves findings in the baseline to the ignored ones. Each line counts for one finding. A file that can't be read is always reported.
func (b Baseline) Apply(r *check.Result) {
	r.Findings = slices.DeleteFunc(r.Findings, func(f check.Finding) bool {
		print := fingerprint(f)
		if b[print] == 0 || f.ID == check.Unreadable {
			return false
		}
		b[print]--
		r.Ignored = append(r.Ignored, check.Ignored{Finding: f, Reason: "it was there when the baseline was written", By: check.ByBaseline})
		return true
	})
}

// Left returns the number of lines in a baseline that matched nothing.
func (b Baseline) Left() (n int) {
	for _, left := range b {
		n += left
	}
	return n
}
