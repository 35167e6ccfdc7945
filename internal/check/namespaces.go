// SPDX-License-Identifier: Apache-2.0

package check

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/manifest"
	"github.com/nonroot-runc/nonroot-runc/internal/podsecurity"
	"github.com/nonroot-runc/nonroot-runc/internal/quote"
)

// namespaceLabel is the label with which the Helm chart's admission policies set a namespace's default RuntimeClass.
const namespaceLabel = "nonroot-runc.io/runtime"

// enforced is the label's value for the class that runs no container as root.
const enforced = "nonroot"

// maxLevels limits the different levels of Pod Security of a namespace in all files together.
const maxLevels = 16

// Namespaces has the labels of namespaces in all files together. A pod's namespace may be in another file than the pod.
type Namespaces struct {
	classes map[string]string // the value of namespaceLabel; "": it has none, or two files contradict each other
	levels  map[string]map[podsecurity.Level]bool
}

// Add adds the namespaces of a file.
func (n *Namespaces) Add(f *Objects) {
	for _, one := range f.file.Namespaces {
		n.class(one.Name, one.Labels[namespaceLabel])
		level, _ := podsecurity.OfLabels(one.Labels)
		n.level(one.Name, level)
	}
}

// Labelled sets the label that runs a namespace's pods under nonroot-runc, whatever the files say.
func (n *Namespaces) Labelled(name string) {
	n.class(name, enforced)
	n.classes[name] = enforced
}

func (n *Namespaces) class(name, value string) {
	if n.classes == nil {
		n.classes = map[string]string{}
	}
	if before, ok := n.classes[name]; ok && before != value {
		value = ""
	}
	n.classes[name] = value
}

// level adds a level. All levels of a namespace are kept: the files may be for several clusters, and one of them may refuse the pod.
func (n *Namespaces) level(name string, level podsecurity.Level) {
	if !level.Refuses() || len(n.levels[name]) > maxLevels {
		return
	}
	if n.levels == nil {
		n.levels = map[string]map[podsecurity.Level]bool{}
	}
	if n.levels[name] == nil {
		n.levels[name] = map[podsecurity.Level]bool{}
	}
	n.levels[name][level] = true
}

// with merges two sets of namespaces. For the class, more takes precedence.
func (n *Namespaces) with(more *Namespaces) *Namespaces {
	if more == nil {
		return n
	}
	both := &Namespaces{classes: map[string]string{}}
	maps.Copy(both.classes, n.classes)
	maps.Copy(both.classes, more.classes)
	for _, one := range []*Namespaces{n, more} {
		for name, levels := range one.levels {
			for level := range levels {
				both.level(name, level)
			}
		}
	}
	return both
}

// governs reports whether the pods of a namespace that name no class run under nonroot-runc.
func (n *Namespaces) governs(name string) bool {
	return n != nil && name != "" && n.classes[name] == enforced
}

// namespaceOf returns the namespace of a pod; "": unknown.
func (o Options) namespaceOf(pod *manifest.Pod) string {
	if pod.Namespace != "" {
		return pod.Namespace
	}
	return o.Namespace
}

// admitted checks whether Pod Security admits pod n of the file. It adds its findings to the pod's first container.
func (f *Objects) admitted(n int, r *Result, o Options) {
	pod := &f.file.Pods[n]
	namespace := o.namespaceOf(pod)
	levels, what := slices.Collect(maps.Keys(o.Namespaces.levels[namespace])), "it"
	if pod.Kind != "Pod" {
		what = "its pods"
	}
	by := fmt.Sprintf("the namespace %s has a level by which the API server refuses %s", quote.Value(namespace), what)
	switch {
	case o.PodSecurity != nil:
		levels, by = []podsecurity.Level{*o.PodSecurity}, fmt.Sprintf("in a namespace of this level, the API server refuses %s", what)
	case namespace == "":
		return
	}
	found := func(why string) {
		found := f.in.finding(podSecurity, pod.Line, "", why)
		found.Object = pod.Title()
		r.Findings = append(r.Findings, found)
	}
	if len(levels) > maxLevels {
		found(fmt.Sprintf("the namespace %s has more than %d levels of Pod Security in what is checked: none of them is tried", quote.Value(namespace), maxLevels))
		return
	}
	slices.SortFunc(levels, func(a, b podsecurity.Level) int { return strings.Compare(a.String(), b.String()) })
	for _, level := range levels {
		if !level.Refuses() {
			continue
		}
		switch refusal, err := level.Refusal(f.whole(n)); {
		case err != nil:
			found(fmt.Sprintf("whether Pod Security lets it in is not known, as the API server reads no pod there: %v", err))
		case refusal != "":
			found(by + ": " + refusal)
		default:
			r.Steps = append(r.Steps, Step{Text: fmt.Sprintf("Pod Security %s lets the pod in", level)})
		}
	}
}

// whole returns the complete data of pod n of the file. It reads the file again: few pods need this, and keeping it for all would take much
// memory.
func (f *Objects) whole(n int) (metadata, spec map[string]any) {
	if f.pods == nil {
		file, err := manifest.Whole([]byte(strings.Join(f.in.lines, "\n")))
		if err != nil {
			panic(err) // it could be read before
		}
		f.pods = file.Pods
	}
	return f.pods[n].Metadata, f.pods[n].Spec
}

// wrongLabels returns findings for labels that are not levels of Pod Security, with which the API server refuses a namespace.
func (f *Objects) wrongLabels() (all []Finding) {
	for _, n := range f.file.Namespaces {
		_, wrong := podsecurity.OfLabels(n.Labels)
		for _, w := range wrong {
			line := n.Line
			for at := n.Line; at >= 1 && at <= len(f.in.lines); at++ {
				if strings.Contains(f.in.lines[at-1], w.Label) {
					line = at
					break
				}
			}
			found := f.in.finding(podSecurityLabel, line, w.Value, fmt.Sprintf("the API server refuses the namespace %s: the label %s is %s, and %s", quote.Value(n.Name), w.Label, quote.Value(w.Value), w.Why))
			found.Object = "Namespace " + n.Name
			all = append(all, found)
		}
	}
	return all
}
