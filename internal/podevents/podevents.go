// SPDX-License-Identifier: Apache-2.0

// Package podevents turns lines of the runtime's log into Kubernetes events for the owners of pods. It does no I/O: who sends the events,
// and how often, is up to others.
package podevents

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/nonroot-runc/nonroot-runc/internal/decision"
)

// Line has the members of a line of the log that matter here (docs/log.md).
type Line struct {
	Time      time.Time       `json:"time"`
	Event     string          `json:"event"`
	Mode      decision.Mode   `json:"mode"`
	Rule      string          `json:"rule"`
	Namespace string          `json:"namespace"`
	Pod       string          `json:"pod"`
	Container string          `json:"container"`
	From      *Identity       `json:"from"`
	To        *Identity       `json:"to"`
	Source    decision.Source `json:"source"`
	Notes     []string        `json:"notes"`
	Reason    string          `json:"reason"`
	Audited   string          `json:"audited"`
	Duration  int64           `json:"duration_us"`
}

// Identity is the user of a process.
type Identity struct {
	UID uint32 `json:"uid"`
	GID uint32 `json:"gid"`
}

func (i *Identity) String() string { return fmt.Sprintf("%d:%d", i.UID, i.GID) }

// Parse parses a line.
func Parse(text []byte) (*Line, error) {
	l := &Line{}
	if err := json.Unmarshal(text, l); err != nil {
		return nil, fmt.Errorf("read a line of the log: %w", err)
	}
	return l, nil
}

// Event is an event about a pod.
type Event struct {
	Warning bool
	Reason  string // one word, as in Kubernetes
	Message string
	// Key tells events of the same reason apart if a workload should have both.
	Key string
}

// Other names of the agent in the cluster: the component of its events, the handlers that it registers, and its marks on the node.
const (
	Component    = "nonroot-node"
	Handler      = "nonroot"
	AuditHandler = "nonroot-audit"

	Prefix        = "nonroot-runc.io/"
	ReadyLabel    = Prefix + "ready"
	PolicyNote    = Prefix + "policy-sha256" // of the general policy; for a profile's policy, "-" and the profile's name follow
	NodeCondition = "NonRootRunc"
)

// The reasons of events.
const (
	RunsAsNonRoot = "RunsAsNonRoot"      // asked for root, and runs as another user
	Refused       = "NonRootRefused"     // does not start
	WouldRun      = "WouldRunAsNonRoot"  // mode audit: would run as another user
	WouldRefuse   = "WouldBeRefused"     // mode audit: would not start
	MayFail       = "NonRootMayFail"     // the program will probably fail (in mode audit: once enforced), and what helps
	Stricter      = "NonRootAuditedRule" // what a stricter policy in [audit] would do
)

// Reasons are all of them, for tests of the documents.
var Reasons = []string{RunsAsNonRoot, Refused, WouldRun, WouldRefuse, MayFail, Stricter}

// Of returns the events of a line for the owner of the pod. There are none if the line is not about a container in a pod, or if the
// container runs as it asked to.
func Of(l *Line) []Event {
	if l.Pod == "" {
		return nil
	}
	who := "the pod's own container"
	if l.Container != "" {
		who = fmt.Sprintf("container %q", l.Container)
	}
	if l.Event == "exec" {
		who = "a process in " + who
	}
	var all []Event
	add := func(warning bool, reason, key, format string, args ...any) {
		all = append(all, Event{warning, reason, bounded(who + " " + fmt.Sprintf(format, args...)), l.Container + "/" + key})
	}
	if l.Mode == decision.Refuse {
		add(true, Refused, l.Event+l.Reason, "is refused: %s", l.Reason)
		return all
	}
	if l.Container == "" || l.Event != "create" {
		return nil // the sandbox is the cluster's own, and create has reported what starts
	}
	root := l.From != nil && l.From.UID == 0
	switch {
	case l.Mode == decision.Rewrite && root && l.To != nil:
		add(false, RunsAsNonRoot, "", "asked for root and runs as %v: %s. The pod's status shows who it asked for; exec shows who it is", l.To, l.Source.Sentence())
	case l.Mode == decision.Audit && l.Reason != "":
		add(true, WouldRefuse, l.Reason, "would be refused: %s", l.Reason)
	case l.Mode == decision.Audit && root && l.To != nil:
		add(false, WouldRun, "", "runs as root and would run as %v: %s", l.To, l.Source.Sentence())
	}
	var advice []string
	for _, note := range l.Notes {
		if strings.Contains(note, "hint: ") {
			advice = append(advice, strings.ReplaceAll(note, "\n", "; "))
		}
	}
	switch all := strings.Join(advice, "; "); {
	case len(advice) == 0:
	case l.Mode == decision.Rewrite:
		add(true, MayFail, all, "may fail: %s", all)
	case l.Mode == decision.Audit && root:
		add(true, MayFail, "audit/"+all, "may fail once it does not run as root: %s", all)
	case l.Mode == decision.Audit:
		add(true, MayFail, "audit/"+all, "may fail once the policy is enforced: %s", all)
	}
	if l.Audited != "" {
		add(false, Stricter, l.Audited, "would be another by the audited policy: %s", l.Audited)
	}
	return all
}

// maxMessage is the API server's limit on an event's note, in bytes (kubernetes, pkg/apis/core/validation/events.go, NoteLengthLimit).
const maxMessage = 1024

func bounded(text string) string {
	if len(text) <= maxMessage {
		return text
	}
	cut := maxMessage - len("...")
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "..."
}
