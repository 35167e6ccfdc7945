// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/meaning"
	"github.com/nonroot-runc/nonroot-runc/internal/podevents"
	"github.com/nonroot-runc/nonroot-runc/internal/quote"
)

// Governed is what a pod's RuntimeClass says of it.
type Governed string

// The kinds. A pod without one of the classes may still be governed, where nonroot-runc is its node's default: then events say so, and
// nothing else does. Whoever may create events in the namespace can write such ones.
const (
	Enforced  Governed = "enforced"
	Audited   Governed = "audited"
	ByNode    Governed = "by its node, events say"
	Otherwise Governed = "not governed"
)

// Explained is the answer about a pod.
type Explained struct {
	Pod        string      `json:"pod"`
	Namespace  string      `json:"namespace"`
	Answer     string      `json:"answer"`                 // in one sentence
	Governed   Governed    `json:"governed"`               // "enforced", "audited", "by its node, events say" or "not governed"
	Class      string      `json:"runtimeClass,omitempty"` // the name that the pod asks for
	Containers []Container `json:"containers"`             // init containers first, ephemeral ones last
	Events     []Told      `json:"events,omitempty"`       // about the pod itself
	Node       string      `json:"node,omitempty"`
	NodeState  string      `json:"nodeState,omitempty"`    // the node's condition NonRootRunc, if the caller may read nodes
	Policy     string      `json:"policySHA256,omitempty"` // the digest of the node's policy, likewise
	Hint       string      `json:"hint,omitempty"`         // what to do
}

// Container is one of the pod.
type Container struct {
	Name   string `json:"name"`
	Asked  string `json:"asked"` // the user that it asked for, and where that is from
	Events []Told `json:"events,omitempty"`
}

// Told is an event.
type Told struct {
	Warning bool   `json:"warning"` // the event's type is Warning, not Normal
	Reason  string `json:"reason"`  // such as NonRootRefused: docs/kubernetes.md lists them
	Message string `json:"message"`
	See     string `json:"see,omitempty"` // the place in the documentation that explains the message
}

// explain answers about the one pod that was read.
func explain(s seen) Explained {
	p := s.pods[0]
	x := Explained{Pod: p.Meta.Name, Namespace: p.Meta.Namespace, Class: p.Spec.Class, Node: p.Spec.Node}
	events := s.of(p)
	x.Governed = s.governed(p, events)
	for _, list := range []struct {
		of     []container
		status []containerStatus
	}{{p.Spec.Init, p.Status.Init}, {p.Spec.Containers, p.Status.Containers}, {p.Spec.Ephemeral, p.Status.Ephemeral}} {
		for _, c := range list.of {
			one := Container{Name: c.Name, Asked: asked(p, c, list.status)}
			for _, e := range events {
				if e.About.Field == fmt.Sprintf("spec.containers{%s}", c.Name) {
					one.Events = append(one.Events, told(e))
				}
			}
			x.Containers = append(x.Containers, one)
		}
	}
	for _, e := range events {
		if e.About.Field == "" {
			x.Events = append(x.Events, told(e))
		}
	}
	if n, known := s.nodes[p.Spec.Node]; known {
		x.Policy = n.Meta.Notes[podevents.PolicyNote]
		if x.Governed == Audited {
			x.Policy = n.Meta.Notes[podevents.PolicyNote+"-audit"]
		}
		for _, c := range n.Status.Conditions {
			if c.Type == podevents.NodeCondition {
				x.NodeState = strings.TrimSpace(fmt.Sprintf("%s %s %s", map[string]string{"True": "ready:", "False": "not ready:"}[c.Status], c.Reason, quote.Text(c.Message, 512)))
			}
		}
	}
	x.Answer, x.Hint = s.answer(p, &x, events)
	return x
}

// answer is the first line, and what to do.
func (s seen) answer(p pod, x *Explained, events []event) (answer, hint string) {
	has := func(reason string) bool {
		return slices.ContainsFunc(events, func(e event) bool { return e.Reason == reason })
	}
	if message, waits := unscheduled(p); waits {
		if x.Governed == Enforced || x.Governed == Audited {
			hint = "a node takes such pods once its label " + podevents.ReadyLabel + " is true; its condition " + podevents.NodeCondition + " says what it waits for"
		}
		return "it has no node yet: " + message, hint
	}
	switch x.Governed {
	case Otherwise:
		if p.static() {
			return "nothing says that it is governed: it is a static pod, to which the namespace's label adds no class", "name the class in the pod's manifest on the node; the log there says what was decided"
		}
		class := "it names no RuntimeClass"
		if p.Spec.Class != "" {
			class = fmt.Sprintf("the handler of its RuntimeClass %q is %q", p.Spec.Class, s.classes[p.Spec.Class])
		}
		return "it is not governed: " + class, "kubectl label namespace " + p.Meta.Namespace + " nonroot-runc.io/runtime=nonroot, and make the pod again"
	case Audited:
		if has(podevents.WouldRefuse) {
			return "it runs as it asked to; enforcing would refuse it", ""
		}
		if has(podevents.MayFail) && has(podevents.WouldRun) {
			return "it runs as it asked to; enforcing would change who it runs as, and close something that it needs", ""
		}
		if has(podevents.MayFail) {
			return "it runs as it asked to; enforcing would close something that it needs", ""
		}
		if has(podevents.WouldRun) {
			return "it runs as it asked to; enforcing would change who it runs as", ""
		}
		return "it runs as it asked to, and enforcing would change nothing that is known", ""
	}
	switch {
	case has(podevents.Refused) && p.Status.Phase != "Running":
		return "it is refused", ""
	case has(podevents.Refused):
		return "it runs, and no process in it is root; something in it was refused", ""
	case has(podevents.MayFail):
		return "it runs, and no process in it is root; something that it needs is closed to it", ""
	case has(podevents.RunsAsNonRoot):
		return "it asked for root, and no process in it is root", ""
	case p.Status.Phase == "Pending":
		return "it has not started yet", "kubectl describe pod " + p.Meta.Name + " says what it waits for"
	}
	return "no process in it is root; nothing was changed that is still known: events last an hour", ""
}

// unscheduled is why a pod has no node.
func unscheduled(p pod) (message string, waits bool) {
	if p.Spec.Node != "" {
		return "", false
	}
	for _, c := range p.Status.Conditions {
		if c.Type == "PodScheduled" && c.Status == "False" {
			return quote.Text(c.Message, 512), true
		}
	}
	return "the scheduler has not seen it", true
}

// mirror is the annotation of what the API server has of a static pod (k8s.io/kubernetes, pkg/kubelet/types/pod_update.go). The pod itself
// is what its manifest on the node says: a class that was added here is none of it.
const mirror = "kubernetes.io/config.mirror"

func (p pod) static() bool { return p.Meta.Notes[mirror] != "" }

// governed is what holds for a pod.
func (s seen) governed(p pod, events []event) Governed {
	if !p.static() {
		switch s.classes[p.Spec.Class] {
		case podevents.Handler:
			return Enforced
		case podevents.AuditHandler:
			return Audited
		}
	}
	if slices.ContainsFunc(events, func(e event) bool { return e.Reason == podevents.RunsAsNonRoot || e.Reason == podevents.Refused }) {
		return ByNode
	}
	return Otherwise
}

// of are the events about a pod, or about another one of its controller's: a workload is told once.
func (s seen) of(p pod) (all []event) {
	controller, indexed := "", false
	for _, o := range p.Meta.Owners {
		if o.Controller && o.Kind != "Node" {
			controller, indexed = o.Name+"-", o.Kind == "Job"
		}
	}
	for _, e := range s.events {
		if e.About.Kind != "Pod" || e.About.Namespace != p.Meta.Namespace {
			continue
		}
		rest, of := strings.CutPrefix(e.About.Name, controller)
		if index, suffix, two := strings.Cut(rest, "-"); two && indexed && strings.Trim(index, "0123456789") == "" {
			rest = suffix // NAME-INDEX-SUFFIX, of an indexed Job
		}
		if e.About.Name == p.Meta.Name || controller != "" && of && !strings.Contains(rest, "-") {
			all = append(all, e)
		}
	}
	// What stands in the way comes first.
	slices.SortStableFunc(all, func(a, b event) int {
		return cmp.Or(-cmp.Compare(a.Type, b.Type), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Message, b.Message))
	})
	return slices.CompactFunc(all, func(a, b event) bool {
		return a.About.Field == b.About.Field && a.Reason == b.Reason && a.Message == b.Message
	})
}

func told(e event) Told {
	t := Told{Warning: e.Type == "Warning", Reason: word(e.Reason), Message: quote.Text(e.Message, 1024)}
	if row, ok := meaning.Of(e.Message); ok {
		t.See = row.See()
	}
	return t
}

// word is one that whoever makes an object may choose, such as an event's reason or the name of an owner.
func word(s string) string { return quote.Text(s, quote.MaxValue) }

// asked is who a container asked to be: what its pod says, else what the kubelet read from the image.
func asked(p pod, c container, status []containerStatus) string {
	for _, s := range []*security{c.Security, p.Spec.Security} {
		if s != nil && s.RunAsUser != nil {
			return fmt.Sprintf("uid %d (runAsUser)", *s.RunAsUser)
		}
	}
	for _, s := range status {
		if s.Name == c.Name && s.User != nil && s.User.Linux != nil {
			return fmt.Sprintf("%d:%d (the image's)", s.User.Linux.UID, s.User.Linux.GID)
		}
	}
	return "the image's user"
}

func (x Explained) print(out io.Writer) {
	fmt.Fprintf(out, "%s/%s: %s\n", x.Namespace, x.Pod, x.Answer)
	if x.Hint != "" {
		fmt.Fprintf(out, "hint: %s\n", x.Hint)
	}
	fmt.Fprintln(out)
	for _, c := range x.Containers {
		fmt.Fprintf(out, "container %s asked for %s\n", c.Name, c.Asked)
		printTold(out, c.Events)
	}
	printTold(out, x.Events)
	if x.Class != "" {
		fmt.Fprintf(out, "RuntimeClass %s: %s\n", x.Class, x.Governed)
	}
	if x.Node != "" {
		fmt.Fprintf(out, "node %s", x.Node)
		if x.NodeState != "" {
			fmt.Fprintf(out, ": %s", x.NodeState)
		}
		fmt.Fprintln(out)
	}
	if x.Class == "" && x.Governed == ByNode {
		fmt.Fprintf(out, "governed: %s\n", x.Governed)
	}
	if x.Policy != "" {
		fmt.Fprintf(out, "policy sha256 %s\n", x.Policy)
	}
}

func printTold(out io.Writer, all []Told) {
	for _, t := range all {
		mark := " "
		if t.Warning {
			mark = "!"
		}
		fmt.Fprintf(out, "  %s %s: %s\n", mark, t.Reason, t.Message)
		if t.See != "" {
			fmt.Fprintf(out, "      see: %s\n", t.See)
		}
	}
}

// Reported is the answer about namespaces.
type Reported struct {
	Workloads []Workload       `json:"workloads"`
	Pods      map[Governed]int `json:"pods"` // how many, by whether they are governed
}

// Workload is a controller's pods, or one pod that has none.
type Workload struct {
	Namespace string         `json:"namespace"`
	Kind      string         `json:"kind"` // of the controller: Deployment, StatefulSet, ...; "Pod" for a pod without one
	Name      string         `json:"name"`
	Governed  Governed       `json:"governed"`         // as in explain
	Pods      int            `json:"pods"`             // how many of its pods run or will
	Reasons   map[string]int `json:"events,omitempty"` // how many containers, by the event's reason
}

// report counts the pods that were read.
func report(s seen) Reported {
	r := Reported{Workloads: []Workload{}, Pods: map[Governed]int{}}
	index := map[string]int{}
	for _, p := range s.pods {
		if p.Status.Phase == "Succeeded" || p.Status.Phase == "Failed" {
			continue // it has ended
		}
		events := s.of(p)
		w := Workload{Namespace: p.Meta.Namespace, Governed: s.governed(p, events)}
		w.Kind, w.Name = workload(p)
		r.Pods[w.Governed]++
		key := fmt.Sprintf("%s/%s/%s/%s", w.Namespace, w.Kind, w.Name, w.Governed)
		n, known := index[key]
		if !known {
			n = len(r.Workloads)
			index[key] = n
			w.Reasons = map[string]int{}
			for _, e := range events {
				w.Reasons[word(e.Reason)]++
			}
			r.Workloads = append(r.Workloads, w)
		}
		r.Workloads[n].Pods++
	}
	slices.SortFunc(r.Workloads, func(a, b Workload) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), -cmp.Compare(a.Governed, b.Governed), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	return r
}

// workload is whose pod it is: a ReplicaSet's is its Deployment's, as far as names say.
func workload(p pod) (kind, name string) {
	for _, o := range p.Meta.Owners {
		if !o.Controller {
			continue
		}
		if deployment, cut := strings.CutSuffix(o.Name, "-"+p.Meta.Labels["pod-template-hash"]); o.Kind == "ReplicaSet" && cut {
			return "Deployment", word(deployment)
		}
		return word(o.Kind), word(o.Name)
	}
	return "Pod", p.Meta.Name
}

func (r Reported) print(out io.Writer) {
	if len(r.Workloads) == 0 {
		fmt.Fprintln(out, "no pods")
		return
	}
	total := 0
	var counts []string
	for _, g := range slices.Sorted(maps.Keys(r.Pods)) {
		total += r.Pods[g]
		counts = append(counts, fmt.Sprintf("%d %s", r.Pods[g], g))
	}
	fmt.Fprintf(out, "pods: %d (%s)\n\n", total, strings.Join(counts, ", "))
	lines := []string{"NAMESPACE\tWORKLOAD\tPODS\tGOVERNED\tEVENTS"}
	for _, w := range r.Workloads {
		var reasons []string
		for _, reason := range slices.Sorted(maps.Keys(w.Reasons)) {
			reasons = append(reasons, fmt.Sprintf("%s %d", reason, w.Reasons[reason]))
		}
		lines = append(lines, fmt.Sprintf("%s\t%s/%s\t%d\t%s\t%s", w.Namespace, strings.ToLower(w.Kind), w.Name, w.Pods, w.Governed, cmp.Or(strings.Join(reasons, ", "), "-")))
	}
	columns(out, lines)
}
