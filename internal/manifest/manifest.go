// SPDX-License-Identifier: Apache-2.0

// Package manifest finds the pods in Kubernetes manifests: in objects of any kind that contain a pod specification, in
// lists, and in files of several documents. Values are parsed like in the API server (sigs.k8s.io/yaml), except that
// duplicate keys are errors. What a pod means for its containers' users belongs in internal/check.
package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	node "go.yaml.in/yaml/v3"
	"sigs.k8s.io/yaml"

	"github.com/nonroot-runc/nonroot-runc/internal/unread"
)

// Limits on what is read.
const (
	MaxBytes      = 16 << 20
	maxSpread     = 64 << 20 // bytes of a document once its anchors are expanded
	maxDepth      = 200
	maxPods       = 10_000
	maxContainers = 20_000 // containers of all pods
	maxObjects    = 100_000
)

// Context is the part of a pod's or container's security context that concerns users. nil: not set.
type Context struct {
	RunAsUser, RunAsGroup, FSGroup *int64
	RunAsNonRoot                   *bool
	Groups                         []int64
	Privileged                     bool

	UserLine, NonRootLine int
}

// Container is a container of a pod.
type Container struct {
	Role, Name, Image string
	Context
	Line    int // of its image, or where it starts
	Command []string
	Args    []string
	Mounts  []string // names of volumes
	Places  []string // mount points, in the same order
	Cwd     string
	Ports   []Port
	Probes  []Probe
}

// Probe is a command by which the kubelet checks a container.
type Probe struct {
	Command []string
	Line    int
}

// Port is a port that a container listens on.
type Port struct {
	Number int64
	Line   int
}

// Closed is a file in a volume whose mode keeps some users from reading it.
type Closed struct {
	Volume string
	What   string // secret, configMap or projected
	Mode   int64
	Line   int
}

// Pod is a pod's specification.
type Pod struct {
	Kind, Namespace, Name string
	Line                  int
	Windows               bool
	HostUsers             *bool
	HostNetwork           bool
	RuntimeClass          string
	Context
	Containers []Container
	Closed     []Closed
	// Unclear says why it is not known what the pod's containers run as; "": it is known.
	Unclear string

	// Metadata and Spec are the pod's complete data. nil, unless the file was read with Whole.
	Metadata, Spec map[string]any
}

// Namespace is a Namespace with the labels that affect its pods.
type Namespace struct {
	Name   string
	Line   int
	Labels map[string]string
}

// Title names the object that contains the pod.
func (p *Pod) Title() string {
	name := p.Name
	if p.Namespace != "" {
		name = p.Namespace + "/" + name
	}
	return strings.TrimSpace(p.Kind + " " + name)
}

// Is reports whether a text seems to start with a Kubernetes object, without parsing it.
func Is(text []byte) bool {
	if isUTF16(text) {
		text = bytes.ReplaceAll(text[2:], []byte{0}, nil) // as far as it is ASCII
	}
	return hasKey(text, "apiVersion") && hasKey(text, "kind")
}

// isUTF16 reports whether a text begins with UTF-16's byte order mark.
func isUTF16(text []byte) bool {
	return bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff"))
}

// hasKey looks for a key at the start of a line, or of a member of a flow mapping.
func hasKey(text []byte, key string) bool {
	for at := 0; ; {
		n := bytes.Index(text[at:], []byte(key))
		if n < 0 {
			return false
		}
		before, after := text[:at+n], text[at+n+len(key):]
		at += n + len(key)
		quoted := bytes.TrimRight(before, `"'`)
		before = bytes.TrimRight(quoted, " \t")
		// A byte order mark may be there as well.
		starts := len(before) == 0 || bytes.IndexByte([]byte("\r\n{[,-\xbf?"), before[len(before)-1]) >= 0
		after = bytes.TrimLeft(bytes.TrimLeft(after, `"'`), " \t")
		if starts && bytes.HasPrefix(after, []byte(":")) {
			return true
		}
	}
}

// IsOther reports whether a text can be read completely, and contains no Kubernetes object. It may contain the words, for example a
// workflow with a manifest in a string.
func IsOther(text []byte) bool {
	if isUTF16(text) {
		return false // Read refuses it
	}
	for line := range bytes.Lines(text) {
		if bytes.HasPrefix(line, []byte("apiVersion:")) {
			return false // so that nearly all manifests are parsed only once
		}
	}
	in := node.NewDecoder(bytes.NewReader(text))
	for {
		var root node.Node
		err := in.Decode(&root)
		if errors.Is(err, io.EOF) {
			return true
		}
		if err != nil || len(root.Content) != 1 || holds(root.Content[0]) {
			return false
		}
	}
}

// holds reports whether a document is an object, or a list of objects.
func holds(n *node.Node) bool {
	if n.Kind == node.SequenceNode {
		return slices.ContainsFunc(n.Content, func(c *node.Node) bool { return c.Kind != node.SequenceNode && holds(c) })
	}
	api, kind := false, false
	for i := 0; n.Kind == node.MappingNode && i+1 < len(n.Content); i += 2 {
		api, kind = api || n.Content[i].Value == "apiVersion", kind || n.Content[i].Value == "kind"
	}
	return api && kind
}

// File is the content of a file.
type File struct {
	Pods       []Pod
	Namespaces []Namespace
	Objects    int     // of every kind
	Patches    []Patch // texts by which Flux or Argo CD has kustomize change other objects
}

// Read returns the pods and the namespaces of a file.
func Read(text []byte) (File, error) { return read(text, false) }

// Whole is Read with each pod's complete data. It takes several times the memory of the text.
func Whole(text []byte) (File, error) { return read(text, true) }

func read(text []byte, whole bool) (File, error) {
	if len(text) > MaxBytes {
		return File{}, &unread.Error{Err: fmt.Errorf("it has more than %d bytes", MaxBytes)}
	}
	if isUTF16(text) {
		return File{}, &unread.Error{Line: 1, Err: errors.New("it is UTF-16, in which documents are not told apart\nhint: save it as UTF-8")}
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	r := &reader{whole: whole}
	for _, d := range documents(text) {
		r.line = d.line
		if err := r.document(d); err != nil {
			return File{}, err
		}
	}
	if r.objects == 0 {
		return File{}, &unread.Error{Err: errors.New("it has no object of Kubernetes' (apiVersion and kind)")}
	}
	return File{r.pods, r.namespaces, r.objects, r.patches}, nil
}

// namespace records a namespace with its labels.
func (r *reader) namespace(v map[string]any, path []any, name string) error {
	f := fields{r: r, path: join(path, "metadata")}
	n := Namespace{Name: name, Line: r.at(join(path, "metadata", "labels")...)}
	if meta := f.mapping(v, "metadata"); meta != nil {
		f.path = join(f.path, "labels")
		labels := f.mapping(meta, "labels")
		for _, label := range slices.Sorted(maps.Keys(labels)) {
			text, ok := labels[label].(string)
			if !ok {
				f.fail(join(f.path, label), "the label %s is not a string, which the API server refuses", label)
			}
			if n.Labels == nil {
				n.Labels = map[string]string{}
			}
			n.Labels[label] = text
		}
	}
	r.namespaces = append(r.namespaces, n)
	return f.err
}

type document struct {
	text []byte
	line int // number of the line before its first
	bad  string
}

// documents splits a file like kubectl, at lines that start with three hyphens.
func documents(text []byte) (all []document) {
	if first := bytes.TrimLeft(text, " \t\r\n"); bytes.HasPrefix(first, []byte("{")) && isJSON(text) {
		return []document{{text: text}}
	}
	n, d := 0, document{}
	for line := range bytes.Lines(text) {
		n++
		if rest, ok := bytes.CutPrefix(line, []byte("---")); ok {
			all = append(all, d)
			d = document{line: n}
			if rest = bytes.TrimSpace(rest); len(rest) > 0 && rest[0] != '#' {
				d.bad = string(rest)
			}
			continue
		}
		d.text = append(d.text, line...)
	}
	return append(all, d)
}

type reader struct {
	pods       []Pod
	namespaces []Namespace
	patches    []Patch
	objects    int
	containers int
	line       int
	root       *node.Node // of the document; nil: lines are unknown
	whole      bool
}

// owner is the object that contains a value.
type owner struct {
	api, kind, namespace, name string
	context                    map[string]any // an Argo workflow's, the default for its templates
	metadata                   map[string]any // next to the specification
	defaults                   map[string]any // an Argo workflow's, for its templates
	patches                    []string       // Argo's, of pods
}

func (r *reader) document(d document) error {
	if d.bad != "" {
		return &unread.Error{Line: d.line, Err: fmt.Errorf("%.100q stands behind the hyphens that begin a document, where kubectl passes over it", d.bad)}
	}
	if len(bytes.TrimSpace(d.text)) == 0 {
		return nil
	}
	if bytes.HasPrefix(bytes.TrimSpace(d.text), []byte("{")) && isJSON(d.text) {
		if err := once(d); err != nil {
			return err
		}
		return r.stream(d.text)
	}
	text, err := yaml.YAMLToJSON(d.text)
	if err != nil && bytes.Contains(d.text, []byte("{{")) {
		err = fmt.Errorf("%w: it seems to be a template; check what it makes, or leave it out by --exclude", err)
	}
	if err != nil {
		return &unread.Error{Line: d.line + lineOf(err), Err: err}
	}
	if len(text) > maxSpread {
		return &unread.Error{Line: d.line + 1, Err: fmt.Errorf("its anchors make more than %d bytes of it", maxSpread)}
	}
	var root, next node.Node
	in := node.NewDecoder(bytes.NewReader(d.text))
	if err := in.Decode(&root); err != nil && !errors.Is(err, io.EOF) {
		return &unread.Error{Line: d.line + lineOf(err), Err: err}
	}
	// YAML has more ways to end a document than those that kubectl knows. The API server's library reads the first one only.
	if err := in.Decode(&next); !errors.Is(err, io.EOF) {
		line := 0
		if err == nil {
			line = next.Line
		}
		return &unread.Error{Line: d.line + line, Err: errors.New("another document begins here, without a line of three hyphens, and kubectl passes over it")}
	}
	if len(root.Content) == 1 {
		r.root = root.Content[0]
		if twice := doubled(r.root); twice != nil {
			return &unread.Error{Line: d.line + twice.Line, Err: fmt.Errorf("%.100q is there twice, of which readers take one or the other", twice.Value)}
		}
	}
	defer func() { r.root = nil }()
	return r.stream(text)
}

// isJSON reports whether a document that starts with a brace is JSON, or at least no YAML. A flow mapping of YAML starts with one as well.
func isJSON(text []byte) bool {
	if bytes.HasPrefix(bytes.TrimLeft(bytes.TrimSpace(text)[1:], " \t\r\n"), []byte(`"`)) {
		return true
	}
	var root node.Node
	return node.Unmarshal(text, &root) != nil
}

// once returns an error if a name is twice in one of a JSON document's objects. encoding/json takes the last one.
func once(d document) error {
	in := jsontext.NewDecoder(bytes.NewReader(d.text), jsontext.AllowInvalidUTF8(true))
	for {
		_, err := in.ReadValue()
		if err == nil {
			continue
		}
		if !errors.Is(err, jsontext.ErrDuplicateName) {
			return nil // its reader reports other errors
		}
		line, name := 1, ""
		var at *jsontext.SyntacticError
		if errors.As(err, &at) {
			line, name = line+bytes.Count(d.text[:min(int(at.ByteOffset), len(d.text))], []byte("\n")), at.JSONPointer.LastToken()
		}
		return &unread.Error{Line: d.line + line, Err: fmt.Errorf("%.100q is there twice, of which readers take one or the other", name)}
	}
}

// doubled returns the second of two equal keys of a mapping, or nil. The target of an alias is visited once.
func doubled(n *node.Node) *node.Node {
	if n.Kind == node.MappingNode {
		seen := map[string]bool{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			if seen[key.Value] && key.Kind == node.ScalarNode && key.Value != "<<" {
				return key
			}
			seen[key.Value] = true
		}
	}
	for _, c := range n.Content {
		if twice := doubled(c); twice != nil {
			return twice
		}
	}
	return nil
}

// lineOf returns the line in an error of the YAML parser, or 0.
func lineOf(err error) int {
	_, rest, ok := strings.Cut(err.Error(), "line ")
	if !ok {
		return 0
	}
	end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	if end < 1 {
		return 0
	}
	n, err := strconv.ParseUint(rest[:end], 10, 31) //lint:allow a line
	if err != nil {
		return 0
	}
	return int(n)
}

// stream reads a sequence of JSON values.
func (r *reader) stream(text []byte) error {
	in := json.NewDecoder(bytes.NewReader(text))
	in.UseNumber()
	for {
		var value any
		err := in.Decode(&value)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return &unread.Error{Line: r.line, Err: err}
		}
		if value == nil {
			continue
		}
		if _, ok := value.(map[string]any); !ok {
			return &unread.Error{Line: r.line + 1, Err: errors.New("a document of it is not an object")}
		}
		before := r.objects
		if err := r.look(value, nil, owner{}); err != nil {
			return err
		}
		if r.objects == before {
			return &unread.Error{Line: r.line + 1, Err: errors.New("a document of it is not an object of Kubernetes' (apiVersion and kind)")}
		}
	}
}

// at returns the line of a path in the document, or of the closest parent that has one.
func (r *reader) at(path ...any) int {
	n, line := r.root, 0
	if n == nil {
		return 0
	}
	line = n.Line
	for _, step := range path {
		for hops := 0; n != nil && n.Kind == node.AliasNode && hops < 8; hops++ {
			n = n.Alias
		}
		if n == nil {
			break
		}
		var next *node.Node
		switch step := step.(type) {
		case string:
			for i := 0; n.Kind == node.MappingNode && i+1 < len(n.Content); i += 2 {
				if n.Content[i].Value == step {
					next, line = n.Content[i+1], n.Content[i].Line
				}
			}
		case int:
			if n.Kind == node.SequenceNode && step < len(n.Content) {
				next = n.Content[step]
				line = next.Line
			}
		}
		if next == nil {
			break
		}
		n = next
	}
	return r.line + line
}

func join(path []any, more ...any) []any { return slices.Concat(path, more) }

// look visits a value and everything below it.
func (r *reader) look(v any, path []any, of owner) error {
	if len(path) > maxDepth {
		return &unread.Error{Line: r.line, Err: fmt.Errorf("it is deeper than %d levels", maxDepth)}
	}
	switch v := v.(type) {
	case []any:
		for i, one := range v {
			if err := r.look(one, join(path, i), of); err != nil {
				return err
			}
		}
	case map[string]any:
		return r.mapping(v, path, of)
	}
	return nil
}

func (r *reader) mapping(v map[string]any, path []any, of owner) error {
	api, hasAPI := v["apiVersion"].(string)
	kind, hasKind := v["kind"].(string)
	if hasAPI && hasKind && kind != "" {
		if r.objects++; r.objects > maxObjects {
			return &unread.Error{Line: r.line, Err: fmt.Errorf("it has more than %d objects", maxObjects)}
		}
		of = owner{api: api, kind: kind}
		if meta, ok := v["metadata"].(map[string]any); ok {
			of.name, _ = meta["name"].(string)
			of.namespace, _ = meta["namespace"].(string)
		}
		if kind == "Namespace" && api == "v1" {
			if err := r.namespace(v, path, of.name); err != nil {
				return err
			}
		}
		if kind == "CustomResourceDefinition" && strings.HasPrefix(api, "apiextensions.k8s.io/") {
			return nil
		}
		if err := r.native(v, path, of); err != nil {
			return err
		}
	}
	r.kustomized(v, path, of)
	var passed []string // keys that were read
	if argo := strings.HasPrefix(of.api, "argoproj.io/"); argo {
		v = of.argo(v)
		if err := r.resource(v, path, of); err != nil {
			return err
		}
		if c, ok := v["securityContext"].(map[string]any); ok {
			of.context = c
		}
		for _, key := range []string{"container", "script"} {
			c, ok := v[key].(map[string]any)
			if ok && c["image"] != nil {
				passed = append(passed, "container", "script")
				err := r.pod(map[string]any{"containers": []any{c}, "initContainers": v["initContainers"], "sidecars": v["sidecars"], "securityContext": context(v, of), "volumes": v["volumes"]}, path, of, key)
				if err != nil {
					return err
				}
				break
			}
		}
	}
	if tekton := strings.HasPrefix(of.api, "tekton.dev/"); tekton {
		of.context = podContext(v, of.context)
		if steps, ok := v["steps"].([]any); ok {
			passed = append(passed, "steps", "stepTemplate")
			template, _ := v["stepTemplate"].(map[string]any)
			err := r.pod(map[string]any{"containers": withTemplate(steps, template), "sidecars": v["sidecars"], "securityContext": context(nil, of), "volumes": v["volumes"]}, path, of, "steps")
			if err != nil {
				return err
			}
		}
	}
	if passed != nil {
		passed = append(passed, lists...)
	} else if isPod(v, of) {
		passed = lists
		if v["securityContext"] == nil && of.context != nil {
			v = maps.Clone(v)
			v["securityContext"] = of.context
		}
		if err := r.pod(v, path, of, ""); err != nil {
			return err
		}
	}
	// There may be more pods below: custom resources have sidecars next to a template.
	for _, key := range slices.Sorted(maps.Keys(v)) {
		if slices.Contains(passed, key) {
			continue
		}
		inner := of
		if key == "spec" {
			inner.metadata, _ = v["metadata"].(map[string]any)
		}
		if err := r.look(v[key], join(path, key), inner); err != nil {
			return err
		}
	}
	return nil
}

// argo takes over what an Argo workflow has for the pods of its templates, and returns a template with the workflow's defaults for it.
func (of *owner) argo(v map[string]any) map[string]any {
	for _, key := range []string{"container", "script", "containerSet"} {
		if _, ok := v[key].(map[string]any); ok && of.defaults != nil {
			v, of.defaults = merged(of.defaults, v), nil
			break
		}
	}
	if defaults, ok := v["templateDefaults"].(map[string]any); ok {
		of.defaults = defaults
	}
	if patch, ok := v["podSpecPatch"].(string); ok && patch != "" {
		of.patches = append(slices.Clip(of.patches), patch)
	}
	return v
}

// natives maps the API server's own kinds to the path of their pod specification.
var natives = map[string][]string{
	"v1 Pod": {"spec"}, "v1 PodTemplate": {"template", "spec"}, "v1 ReplicationController": {"spec", "template", "spec"},
	"apps/v1 Deployment": {"spec", "template", "spec"}, "apps/v1 DaemonSet": {"spec", "template", "spec"},
	"apps/v1 ReplicaSet": {"spec", "template", "spec"}, "apps/v1 StatefulSet": {"spec", "template", "spec"},
	"batch/v1 Job": {"spec", "template", "spec"}, "batch/v1 CronJob": {"spec", "jobTemplate", "spec", "template", "spec"},
}

// native returns an error if an object of the API server's own kinds does not have a list of containers where it should.
// Otherwise nothing would be found in it.
func (r *reader) native(v map[string]any, path []any, of owner) error {
	f := fields{r: r, path: path}
	for _, step := range natives[of.api+" "+of.kind] {
		v = f.mapping(v, step)
		f.path = join(f.path, step)
		if v == nil || f.err != nil {
			return f.err
		}
	}
	if natives[of.api+" "+of.kind] == nil {
		return nil
	}
	for _, key := range lists {
		for i, c := range f.list(v, key) {
			if _, ok := c.(map[string]any); !ok {
				f.fail(join(f.path, key, i), "a container is not a mapping")
			}
		}
	}
	return f.err
}

// podContext returns the security context of pods in Tekton's runs; if there is none, the one that applies already.
func podContext(v, before map[string]any) map[string]any {
	if inner, ok := v["taskRunTemplate"].(map[string]any); ok {
		v = inner
	}
	template, _ := v["podTemplate"].(map[string]any)
	if c, ok := template["securityContext"].(map[string]any); ok {
		return c
	}
	return before
}

// withTemplate returns Tekton's steps with the settings of their template that they don't have (tektoncd/pipeline,
// pkg/apis/pipeline/v1/merge.go).
func withTemplate(steps []any, template map[string]any) []any {
	all := make([]any, len(steps))
	for i, one := range steps {
		step, ok := one.(map[string]any)
		if !ok {
			all[i] = one
			continue
		}
		merged := maps.Clone(template)
		if merged == nil {
			merged = map[string]any{}
		}
		maps.Copy(merged, step)
		own, _ := step["securityContext"].(map[string]any)
		if shared, ok := template["securityContext"].(map[string]any); ok && own != nil {
			both := maps.Clone(shared)
			maps.Copy(both, own)
			merged["securityContext"] = both
		}
		all[i] = merged
	}
	return all
}

func context(v map[string]any, of owner) any {
	if c := v["securityContext"]; c != nil {
		return c
	}
	if of.context == nil {
		return nil
	}
	return of.context
}

// isPod reports whether a mapping is a pod specification: it has a list of containers, and one of them has an image or, in a patch, a security
// context. That may also be the pod's.
func isPod(v map[string]any, of owner) bool {
	if of.kind == "" {
		return false
	}
	for _, key := range lists {
		if all, ok := v[key].([]any); ok && slices.ContainsFunc(all, func(c any) bool {
			one, ok := c.(map[string]any)
			return ok && (one["image"] != nil || one["securityContext"] != nil || one["name"] != nil && v["securityContext"] != nil)
		}) {
			return true
		}
	}
	return false
}

// lists are the lists of containers in a pod. sidecars is Argo's.
var lists = []string{"initContainers", "containers", "ephemeralContainers", "sidecars"}

var roles = map[string]string{"initContainers": "init container", "containers": "container", "ephemeralContainers": "ephemeral container", "sidecars": "sidecar"}

// pod reads a specification. single is the key of a single container in place of a list, which Argo has, or Tekton's "steps".
func (r *reader) pod(v map[string]any, path []any, of owner, single string) error {
	if len(r.pods) >= maxPods {
		return &unread.Error{Line: r.line, Err: fmt.Errorf("it has more than %d pods", maxPods)}
	}
	f := fields{r: r, path: path}
	p := Pod{Kind: of.kind, Namespace: of.namespace, Name: of.name, Line: r.at(path...)}
	if len(of.patches) > 0 {
		v, p.Unclear = patched(v, of.patches, single)
	}
	p.HostUsers = f.boolean(v, "hostUsers")
	p.RuntimeClass = f.text(v, "runtimeClassName")
	if host := f.boolean(v, "hostNetwork"); host != nil {
		p.HostNetwork = *host
	}
	if system := f.mapping(v, "os"); system != nil {
		p.Windows = f.text(system, "name") == "windows"
	}
	p.Context = f.context(v, path)
	p.Closed = f.volumes(v)
	if r.whole {
		p.Metadata, p.Spec = of.metadata, maps.Clone(v)
		if sidecars := f.list(v, "sidecars"); len(sidecars) > 0 { // Argo runs these next to the containers
			p.Spec["containers"] = slices.Concat(f.list(v, "containers"), sidecars)
		}
	}
	for _, key := range lists {
		list := f.list(v, key)
		for i, one := range list {
			at := join(path, key, i)
			switch {
			case key != "containers":
			case single == "steps":
				at = join(path, single, i)
			case single != "":
				at = join(path, single)
			}
			c, ok := one.(map[string]any)
			if !ok {
				f.fail(at, "a container is not a mapping")
				continue
			}
			if r.containers++; r.containers > maxContainers {
				return &unread.Error{Line: r.line, Err: fmt.Errorf("it has more than %d containers", maxContainers)}
			}
			p.Containers = append(p.Containers, f.container(c, at, roles[key]))
		}
	}
	if f.err != nil {
		return f.err
	}
	r.pods = append(r.pods, p)
	return nil
}

// fields reads members of the types that the API server requires. It keeps the first error.
type fields struct {
	r    *reader
	path []any
	err  error
}

func (f *fields) fail(at []any, format string, args ...any) {
	if f.err == nil {
		f.err = &unread.Error{Line: f.r.at(at...), Err: fmt.Errorf(format, args...)}
	}
}

func (f *fields) boolean(v map[string]any, key string) *bool {
	switch b := v[key].(type) {
	case nil:
		return nil
	case bool:
		return &b
	}
	f.fail(join(f.path, key), "%s is not a boolean, which the API server refuses", key)
	return nil
}

func (f *fields) text(v map[string]any, key string) string {
	switch s := v[key].(type) {
	case nil:
		return ""
	case string:
		return s
	}
	f.fail(join(f.path, key), "%s is not a string, which the API server refuses", key)
	return ""
}

func (f *fields) mapping(v map[string]any, key string) map[string]any {
	switch m := v[key].(type) {
	case nil:
		return nil
	case map[string]any:
		return m
	}
	f.fail(join(f.path, key), "%s is not a mapping, which the API server refuses", key)
	return nil
}

func (f *fields) list(v map[string]any, key string) []any {
	switch l := v[key].(type) {
	case nil:
		return nil
	case []any:
		return l
	}
	f.fail(join(f.path, key), "%s is not a list, which the API server refuses", key)
	return nil
}

func (f *fields) texts(v map[string]any, key string) (all []string) {
	for _, one := range f.list(v, key) {
		s, ok := one.(string)
		if !ok {
			f.fail(f.path, "%s has something that is not a string, which the API server refuses", key)
		}
		all = append(all, s)
	}
	return all
}

func (f *fields) number(v map[string]any, key string) *int64 {
	if v[key] == nil {
		return nil
	}
	n, ok := integer(v[key])
	if !ok {
		f.fail(join(f.path, key), "%s is not an integer, which the API server refuses", key)
		return nil
	}
	return &n
}

func integer(v any) (int64, bool) {
	number, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(number.String(), 10, 64) //lint:allow the API server reads it so
	return n, err == nil
}

func (f *fields) context(v map[string]any, path []any) (c Context) {
	was := f.path
	defer func() { f.path = was }()
	f.path = join(path, "securityContext")
	in := f.mapping(v, "securityContext")
	if in == nil {
		return c
	}
	c.RunAsUser, c.RunAsGroup, c.FSGroup, c.RunAsNonRoot = f.number(in, "runAsUser"), f.number(in, "runAsGroup"), f.number(in, "fsGroup"), f.boolean(in, "runAsNonRoot")
	if p := f.boolean(in, "privileged"); p != nil {
		c.Privileged = *p
	}
	for _, g := range f.list(in, "supplementalGroups") {
		n, ok := integer(g)
		if !ok {
			f.fail(f.path, "supplementalGroups has something that is not an integer, which the API server refuses")
		}
		c.Groups = append(c.Groups, n)
	}
	c.UserLine, c.NonRootLine = f.r.at(join(f.path, "runAsUser")...), f.r.at(join(f.path, "runAsNonRoot")...)
	for key, id := range map[string]*int64{"runAsUser": c.RunAsUser, "runAsGroup": c.RunAsGroup, "fsGroup": c.FSGroup} {
		if id != nil && (*id < 0 || *id > 1<<31-1) {
			f.fail(join(f.path, key), "%s is not from 0 to 2147483647, which the API server refuses", key)
		}
	}
	return c
}

func (f *fields) container(v map[string]any, at []any, role string) Container {
	was := f.path
	defer func() { f.path = was }()
	f.path = at
	c := Container{Role: role, Name: f.text(v, "name"), Image: f.text(v, "image"), Context: f.context(v, at), Command: f.texts(v, "command"), Args: f.texts(v, "args")}
	if role == "init container" && f.text(v, "restartPolicy") == "Always" {
		c.Role = "sidecar"
	}
	c.Line = f.r.at(join(at, "image")...)
	for _, m := range f.list(v, "volumeMounts") {
		if m, ok := m.(map[string]any); ok {
			c.Mounts = append(c.Mounts, f.text(m, "name"))
			c.Places = append(c.Places, f.text(m, "mountPath"))
		}
	}
	c.Cwd = f.text(v, "workingDir")
	for _, key := range []string{"startupProbe", "livenessProbe", "readinessProbe"} {
		if probe := f.mapping(v, key); probe != nil {
			if exec := f.mapping(probe, "exec"); exec != nil {
				c.Probes = append(c.Probes, Probe{f.texts(exec, "command"), f.r.at(join(at, key, "exec", "command")...)})
			}
		}
	}
	for i, one := range f.list(v, "ports") {
		if port, ok := one.(map[string]any); ok {
			if n := f.number(port, "containerPort"); n != nil {
				c.Ports = append(c.Ports, Port{*n, f.r.at(join(at, "ports", i, "containerPort")...)})
			}
		}
	}
	return c
}

// volumes returns the files that not every user may read. Tokens are left out, because the kubelet makes them readable for
// the pod's user.
func (f *fields) volumes(v map[string]any) (closed []Closed) {
	for i, one := range f.list(v, "volumes") {
		vol, ok := one.(map[string]any)
		if !ok {
			continue
		}
		name := f.text(vol, "name")
		add := func(what string, source map[string]any, mode *int64, path []any) {
			if mode != nil && *mode&0o004 == 0 {
				closed = append(closed, Closed{name, what, *mode, f.r.at(path...)})
			}
			for n, item := range f.list(source, "items") {
				if item, ok := item.(map[string]any); ok {
					if own := f.number(item, "mode"); own != nil && *own&0o004 == 0 {
						closed = append(closed, Closed{name, what, *own, f.r.at(join(path[:len(path)-1], "items", n, "mode")...)})
					}
				}
			}
		}
		for _, what := range []string{"secret", "configMap"} {
			if source := f.mapping(vol, what); source != nil {
				add(what, source, f.number(source, "defaultMode"), join(f.path, "volumes", i, what, "defaultMode"))
			}
		}
		projected := f.mapping(vol, "projected")
		if projected == nil {
			continue
		}
		mode := f.number(projected, "defaultMode")
		for n, s := range f.list(projected, "sources") {
			source, ok := s.(map[string]any)
			if !ok {
				continue
			}
			for _, what := range []string{"secret", "configMap"} {
				if inner := f.mapping(source, what); inner != nil {
					add("projected "+what, inner, mode, join(f.path, "volumes", i, "projected", "sources", n, what, "items"))
				}
			}
		}
	}
	return closed
}
