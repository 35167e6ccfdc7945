// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

// Metrics returns the summary in the text format of node-exporter's textfile collector
// (https://prometheus.io/docs/instrumenting/exposition_formats/). The numbers cover the logs that were read, so they fall
// when logrotate removes one; rate() and increase() take that for a restart.
func (s *Summary) Metrics() []byte {
	var decisions, refusals []metric
	refused := map[Tally]int{}
	for _, t := range s.Tallies {
		decisions = append(decisions, metric{t.Count, labels("event", t.Event, "mode", string(t.Mode), "rule", t.Rule)})
		if t.Mode == policy.Refuse {
			refused[Tally{Event: t.Event, Rule: t.Rule}] += t.Count
		}
	}
	byName := func(a, b Tally) int { return cmp.Or(cmp.Compare(a.Event, b.Event), cmp.Compare(a.Rule, b.Rule)) }
	for _, t := range slices.SortedFunc(maps.Keys(refused), byName) {
		refusals = append(refusals, metric{refused[t], labels("event", t.Event, "rule", t.Rule)})
	}
	var text bytes.Buffer
	family(&text, "nonroot_decisions_total", "counter", "Decisions about containers and their processes.", decisions...)
	family(&text, "nonroot_refusals_total", "counter", "Decisions that were refusals.", refusals...)
	family(&text, "nonroot_root_total", "counter", "Containers and processes that were left as root.",
		metric{s.Total.Root, ""})
	family(&text, "nonroot_log_malformed_lines_total", "counter", "Lines of the logs that could not be read.",
		metric{s.Malformed, ""})
	family(&text, "nonroot_report_timestamp_seconds", "gauge", "When the logs were read.", metric{int(s.Made.Unix()), ""})
	return text.Bytes()
}

type metric struct {
	value  int
	labels string
}

// family writes the metrics of one name, or nothing if there are none.
func family(to *bytes.Buffer, name, kind, help string, all ...metric) {
	for i, m := range all {
		if i == 0 {
			fmt.Fprintf(to, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
		}
		fmt.Fprintf(to, "%s%s %v\n", name, m.labels, float64(m.value)) // the format has numbers as Go prints them
	}
}

// inLabel escapes characters that would end a label's value or its line.
var inLabel = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// labels formats alternating names and values. Invalid UTF-8 is replaced, because node-exporter drops the whole file for it.
func labels(pairs ...string) string {
	var all []string
	for pair := range slices.Chunk(pairs, 2) {
		all = append(all, pair[0]+`="`+inLabel.Replace(strings.ToValidUTF8(pair[1], "\uFFFD"))+`"`)
	}
	return "{" + strings.Join(all, ",") + "}"
}
