// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/nonroot-runc/nonroot-runc/internal/testkit"
)

func parsed[T any](t *testing.T, text string) (one T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &one); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return one
}

// TestMembers: what reads the JSON goes by these names, which stay.
func TestMembers(t *testing.T) {
	text, err := json.Marshal(Explained{Class: "c", Node: "n", NodeState: "s", Policy: "p", Hint: "x", Events: []Told{{}}})
	if err != nil {
		t.Fatal(err)
	}
	got := slices.Sorted(maps.Keys(parsed[map[string]any](t, string(text))))
	if want := strings.Fields("answer containers events governed hint namespace node nodeState pod policySHA256 runtimeClass"); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

var schemas = testkit.Schemas{
	Program: "kubectl nonroot", Prefix: "kubectl-nonroot-",
	Printed: map[string]any{"explain": Explained{}, "report": Reported{}},
}

// TestSchemas: docs/schemas has what the commands print. UPDATE=1 writes it.
func TestSchemas(t *testing.T) {
	schemas.Check(t)
	for _, c := range app(io.Discard).Commands {
		if _, ok := schemas.Printed[c.Name]; !ok {
			t.Errorf("%s prints JSON without a schema", c.Name)
		}
	}
}

// valid says what of a value that is printed is not as its schema.
func valid(t *testing.T, name string, printed any) error {
	t.Helper()
	text, err := json.Marshal(printed)
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return schemas.Compiled(t, name).Validate(value)
}

// TestSchemasHold: a member that is not in the schema is found, and so is one that lacks, or is of another type.
func TestSchemasHold(t *testing.T) {
	for text, want := range map[string]bool{
		`{"workloads":[],"pods":{"enforced":1}}`:           true,
		`{"workloads":[],"pods":{"enforced":1},"nodes":1}`: false,
		`{"workloads":[]}`:                         false,
		`{"workloads":[],"pods":{"enforced":"1"}}`: false,
	} {
		if err := valid(t, "report", json.RawMessage(text)); (err == nil) != want {
			t.Errorf("%s: %v", text, err)
		}
	}
}

var classes = map[string]string{"nonroot": "nonroot", "nonroot-audit": "nonroot-audit", "runc": "runc", "renamed": "nonroot"}

const running = `"status":{"phase":"Running","containerStatuses":[{"name":"web","user":{"linux":{"uid":0,"gid":0}}}]}`

// TestExplain: the first line says what is so, whatever the pod says of itself.
func TestExplain(t *testing.T) {
	const (
		meta    = `"metadata":{"name":"web-1","namespace":"team"},`
		web     = `"containers":[{"name":"web"}]`
		of      = `{"involvedObject":{"kind":"Pod","namespace":"team","name":"web-1","fieldPath":"spec.containers{web}"},`
		became  = of + `"type":"Normal","reason":"RunsAsNonRoot","message":"container \"web\" asked for root and runs as 65532:65532"}`
		fails   = of + `"type":"Warning","reason":"NonRootMayFail","message":"hint: set fsGroup"}`
		refused = `{"involvedObject":{"kind":"Pod","namespace":"team","name":"web-1"},"type":"Warning","reason":"NonRootRefused","message":"it is refused: a hook"}`
		would   = of + `"type":"Normal","reason":"WouldRunAsNonRoot","message":"would run as 65532"}`
		dies    = of + `"type":"Warning","reason":"WouldBeRefused","message":"would be refused"}`
		another = `{"involvedObject":{"kind":"Pod","namespace":"team","name":"web-10","fieldPath":"spec.containers{web}"},"type":"Normal","reason":"RunsAsNonRoot","message":"x"}`
	)
	for _, c := range []struct {
		pod, events string
		want        []string
	}{
		{
			meta + `"spec":{"nodeName":"n","runtimeClassName":"nonroot",` + web + `},` + running, fails + "," + became,
			[]string{"team/web-1: it runs, and no process in it is root; something that it needs is closed to it\n", "container web asked for 0:0 (the image's)\n  ! NonRootMayFail: hint: set fsGroup\n    RunsAsNonRoot: ", "RuntimeClass nonroot: enforced\n"},
		},
		{meta + `"spec":{"nodeName":"n","runtimeClassName":"renamed",` + web + `},` + running, became, []string{"it asked for root, and no process in it is root\n"}},
		{meta + `"spec":{"nodeName":"n","runtimeClassName":"nonroot",` + web + `},` + running, another, []string{"no process in it is root; nothing was changed that is still known"}},
		{meta + `"spec":{"nodeName":"n","runtimeClassName":"nonroot",` + web + `},"status":{"phase":"Pending"}`, refused, []string{"web-1: it is refused\n", "  ! NonRootRefused: it is refused: a hook\n"}},
		{ // the page on a message, where there is one
			meta + `"spec":{"nodeName":"n","runtimeClassName":"nonroot",` + web + `},"status":{"phase":"Pending"}`, strings.ReplaceAll(refused, "a hook", `mounts[3] leads to the engine's socket \"/run/docker.sock\"; hint: leave it out`),
			[]string{"hint: leave it out\n      see: docs/troubleshooting.md#T"},
		},
		{meta + `"spec":{"nodeName":"n","runtimeClassName":"nonroot",` + web + `},"status":{"phase":"Pending"}`, "", []string{"it has not started yet\n", "hint: kubectl describe pod web-1"}},
		{
			meta + `"spec":{"runtimeClassName":"nonroot",` + web + `},"status":{"phase":"Pending","conditions":[{"type":"PodScheduled","status":"False","message":"0/2 nodes are available"}]}`, "",
			[]string{"it has no node yet: 0/2 nodes are available\n", "hint: a node takes such pods once its label nonroot-runc.io/ready is true"},
		},
		{meta + `"spec":{"nodeName":"n",` + web + `},` + running, "", []string{"it is not governed: it names no RuntimeClass\n", "hint: kubectl label namespace team nonroot-runc.io/runtime=nonroot"}},
		{meta + `"spec":{"nodeName":"n","runtimeClassName":"runc",` + web + `},` + running, "", []string{`it is not governed: the handler of its RuntimeClass "runc" is "runc"`}},
		{meta + `"spec":{"nodeName":"n",` + web + `},` + running, became, []string{"it asked for root, and no process in it is root\n", "node n\ngoverned: by its node, events say"}},
		{meta + `"spec":{"nodeName":"n","runtimeClassName":"nonroot-audit",` + web + `},` + running, would, []string{"it runs as it asked to; enforcing would change who it runs as\n", "nonroot-audit: audited"}},
		{meta + `"spec":{"nodeName":"n","runtimeClassName":"nonroot-audit",` + web + `},` + running, would + "," + dies, []string{"it runs as it asked to; enforcing would refuse it\n"}},
		{meta + `"spec":{"nodeName":"n","runtimeClassName":"nonroot-audit",` + web + `},` + running, would + "," + fails, []string{"enforcing would change who it runs as, and close something that it needs\n"}},
		{meta + `"spec":{"nodeName":"n","runtimeClassName":"nonroot-audit",` + web + `},` + running, fails, []string{"it runs as it asked to; enforcing would close something that it needs\n"}},
		{
			`"metadata":{"name":"train-1-x7k2p","namespace":"team","ownerReferences":[{"kind":"Job","name":"train","controller":true}]},"spec":{"nodeName":"n","runtimeClassName":"nonroot",` + web + `},` + running,
			strings.ReplaceAll(became, "web-1", "train-0-abcde"),
			[]string{"it asked for root, and no process in it is root\n"}, // an indexed Job's first pod
		},
		{
			`"metadata":{"name":"train-1","namespace":"team","ownerReferences":[{"kind":"StatefulSet","name":"train","controller":true}]},"spec":{"nodeName":"n","runtimeClassName":"nonroot",` + web + `},` + running,
			strings.ReplaceAll(became, "web-1", "train-0-abcde"),
			[]string{"nothing was changed that is still known"},
		},
		{
			meta + `"spec":{"nodeName":"n","runtimeClassName":"nonroot","securityContext":{"runAsUser":5},"initContainers":[{"name":"a"}],"containers":[{"name":"web","securityContext":{"runAsUser":0}}]},` + running, "",
			[]string{"container a asked for uid 5 (runAsUser)\ncontainer web asked for uid 0 (runAsUser)\n"},
		},
	} {
		s := seen{pods: []pod{parsed[pod](t, "{"+c.pod+"}")}, events: parsed[[]event](t, "["+c.events+"]"), classes: classes}
		var out bytes.Buffer
		explain(s).print(&out)
		if err := valid(t, "explain", explain(s)); err != nil {
			t.Error(err)
		}
		for _, want := range c.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s, %s\nsays\n%s\nnot\n%s", c.pod, c.events, out.String(), want)
			}
		}
	}
}

// TestExplainNode: what the node says of itself, and the digest of the policy that decided.
func TestExplainNode(t *testing.T) {
	s := seen{classes: classes, pods: []pod{parsed[pod](t, `{"metadata":{"name":"p","namespace":"team"},"spec":{"nodeName":"n","runtimeClassName":"nonroot-audit","containers":[]}}`)}}
	s.nodes = map[string]node{"n": parsed[node](t, `{"metadata":{"name":"n","annotations":{"nonroot-runc.io/policy-sha256":"aa","nonroot-runc.io/policy-sha256-audit":"bb"}},
		"status":{"conditions":[{"type":"NonRootRunc","status":"False","reason":"Failed","message":"self-test\u001b[31m"}]}}`)}
	x := explain(s)
	if err := valid(t, "explain", x); err != nil {
		t.Error(err)
	}
	if x.Policy != "bb" || x.NodeState != `not ready: Failed self-test\x1b[31m` {
		t.Errorf("%+v", x)
	}
}

// TestReport: workloads with their pods, and those of them that a workload's one event speaks for.
func TestReport(t *testing.T) {
	const (
		spec  = `"spec":{"nodeName":"n","runtimeClassName":"nonroot"},"status":{"phase":"Running"}}`
		owned = `"labels":{"pod-template-hash":"7f9"},"ownerReferences":[{"kind":"ReplicaSet","name":"web-7f9","controller":true}]},`
	)
	s := seen{classes: classes}
	for _, text := range []string{
		`{"metadata":{"name":"web-7f9-aaaaa","namespace":"team",` + owned + spec,
		`{"metadata":{"name":"web-7f9-bbbbb","namespace":"team",` + owned + spec,
		`{"metadata":{"name":"db-0","namespace":"team","ownerReferences":[{"kind":"StatefulSet","name":"db","controller":true}]},"spec":{"nodeName":"n"},"status":{"phase":"Running"}}`,
		`{"metadata":{"name":"once","namespace":"another"},` + spec,
		`{"metadata":{"name":"ended","namespace":"another"},"status":{"phase":"Succeeded"}}`,
	} {
		s.pods = append(s.pods, parsed[pod](t, text))
	}
	s.events = parsed[[]event](t, `[
		{"involvedObject":{"kind":"Pod","namespace":"team","name":"web-7f9-gone1","fieldPath":"spec.containers{web}"},"type":"Normal","reason":"RunsAsNonRoot","message":"x"},
		{"involvedObject":{"kind":"Pod","namespace":"another","name":"web-7f9-aaaaa"},"type":"Normal","reason":"NonRootRefused","message":"x"},
		{"involvedObject":{"kind":"Node","namespace":"team","name":"db-0"},"type":"Normal","reason":"NonRootRefused","message":"x"}]`)
	var out bytes.Buffer
	report(s).print(&out)
	if err := valid(t, "report", report(s)); err != nil {
		t.Error(err)
	}
	if want := `pods: 4 (3 enforced, 1 not governed)

NAMESPACE  WORKLOAD        PODS  GOVERNED      EVENTS
another    pod/once        1     enforced      -
team       statefulset/db  1     not governed  -
team       deployment/web  2     enforced      RunsAsNonRoot 1
`; out.String() != want {
		t.Errorf("says\n%s\nnot\n%s", out.String(), want)
	}
}

// TestHostileNames: whoever makes pods and events names owners and reasons, of which the API server checks nothing but that they are there.
func TestHostileNames(t *testing.T) {
	s := seen{
		classes: classes,
		pods: []pod{parsed[pod](t, `{"metadata":{"name":"p","namespace":"team","ownerReferences":[{"kind":"K\u001b[2J","name":"web\t1\tenforced\t-\nother\u001b[8m","controller":true}]},
			"spec":{"nodeName":"n","containers":[{"name":"c"}]},"status":{"phase":"Running"}}`)},
		events: parsed[[]event](t, `[{"involvedObject":{"kind":"Pod","namespace":"team","name":"p","fieldPath":"spec.containers{c}"},"type":"Normal","reason":"Runs\u001b[31m\n","message":"m"},
			{"involvedObject":{"kind":"Pod","namespace":"team","name":"p"},"type":"Normal","reason":"Of\u202eit","message":"m"}]`),
	}
	var out bytes.Buffer
	explain(s).print(&out)
	report(s).print(&out)
	if strings.ContainsAny(out.String(), "\x1b\u202e\t") || strings.Contains(out.String(), "\nother") || !strings.Contains(out.String(), `Runs\x1b[31m\n`) || !strings.Contains(out.String(), `web\t1`) {
		t.Errorf("says\n%q", out.String())
	}
}

// TestStaticPods: what the API server has of a static pod is its node's word, to which a namespace's default adds the class.
func TestStaticPods(t *testing.T) {
	const static = `{"metadata":{"name":"p","namespace":"team","annotations":{"kubernetes.io/config.mirror":"x"}},
		"spec":{"nodeName":"n","runtimeClassName":"nonroot","containers":[{"name":"c"}]},"status":{"phase":"Running"}}`
	const became = `{"involvedObject":{"kind":"Pod","namespace":"team","name":"p"},"type":"Normal","reason":"RunsAsNonRoot","message":"m"}`
	s := seen{classes: classes, pods: []pod{parsed[pod](t, static)}}
	x := explain(s)
	if err := valid(t, "explain", x); err != nil {
		t.Error(err)
	}
	if x.Governed != Otherwise || !strings.HasPrefix(x.Answer, "nothing says that it is governed: it is a static pod") || !strings.Contains(x.Hint, "manifest") {
		t.Errorf("%+v", x)
	}
	s.events = []event{parsed[event](t, became)}
	if x := explain(s); x.Governed != ByNode || x.Answer != "it asked for root, and no process in it is root" {
		t.Errorf("%+v", x)
	}
}
