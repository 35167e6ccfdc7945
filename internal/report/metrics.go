// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bytes"
	"cmp"
	"slices"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"google.golang.org/protobuf/proto"

	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

// Metrics is the summary in the text format of node-exporter's textfile collector
// (https://prometheus.io/docs/instrumenting/exposition_formats/). It's about the logs that were read: numbers fall when
// an old one is gone, which rate() and increase() take for a restart.
func (s *Summary) Metrics() ([]byte, error) {
	decisions := family("nonroot_decisions_total", "Decisions about containers and their processes.", dto.MetricType_COUNTER)
	refusals := family("nonroot_refusals_total", "Decisions that were refusals.", dto.MetricType_COUNTER)
	refused := map[Tally]int{}
	for _, t := range s.Tallies {
		add(decisions, float64(t.Count), "event", t.Event, "mode", string(t.Mode), "rule", t.Rule)
		if t.Mode == policy.Refuse {
			refused[Tally{Event: t.Event, Rule: t.Rule}] += t.Count
		}
	}
	for t, n := range refused {
		add(refusals, float64(n), "event", t.Event, "rule", t.Rule)
	}
	slices.SortFunc(refusals.Metric, func(a, b *dto.Metric) int { return cmp.Compare(a.String(), b.String()) })
	root := family("nonroot_root_total", "Containers and processes that were left as root.", dto.MetricType_COUNTER)
	add(root, float64(s.Total.Root))
	malformed := family("nonroot_log_malformed_lines_total", "Lines of the logs that could not be read.", dto.MetricType_COUNTER)
	add(malformed, float64(s.Malformed))
	made := family("nonroot_report_timestamp_seconds", "When the logs were read.", dto.MetricType_GAUGE)
	add(made, float64(s.Made.Unix()))
	var text bytes.Buffer
	for _, f := range []*dto.MetricFamily{decisions, refusals, root, malformed, made} {
		if len(f.Metric) == 0 {
			continue // a family without a metric is none
		}
		if _, err := expfmt.MetricFamilyToText(&text, f); err != nil {
			return nil, err
		}
	}
	return text.Bytes(), nil
}

func family(name, help string, kind dto.MetricType) *dto.MetricFamily {
	return &dto.MetricFamily{Name: proto.String(name), Help: proto.String(help), Type: kind.Enum()}
}

// add adds a metric; labels are names and values in turn.
func add(f *dto.MetricFamily, value float64, labels ...string) {
	m := &dto.Metric{}
	for i := 0; i < len(labels); i += 2 {
		m.Label = append(m.Label, &dto.LabelPair{Name: proto.String(labels[i]), Value: proto.String(labels[i+1])}) // #nosec G602 -- labels come in pairs
	}
	if f.GetType() == dto.MetricType_GAUGE {
		m.Gauge = &dto.Gauge{Value: proto.Float64(value)}
	} else {
		m.Counter = &dto.Counter{Value: proto.Float64(value)}
	}
	f.Metric = append(f.Metric, m)
}
