// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"github.com/nonroot-runc/nonroot-runc/internal/podevents"
	"github.com/nonroot-runc/nonroot-runc/internal/resources"
	"github.com/nonroot-runc/nonroot-runc/internal/version"
)

// versionNote is the node's annotation with the agent's version.
const versionNote = podevents.Prefix + "version"

// cluster is the agent's connection to the API server. It watches its own node, its ConfigMap, and the names of the pods on
// its node. Objects are untyped, because the types of the whole API would take more memory than everything else.
type cluster struct {
	options
	dynamic  dynamic.Interface
	metadata metadata.Interface

	node, config, pods cache.Store
	changed            chan struct{} // receives when the ConfigMap or the node has changed

	turn turn // when this node next asks whether it may restart
}

func connect(o options) (*cluster, error) {
	config, err := rest.InClusterConfig()
	if err != nil {
		return nil, fmt.Errorf("find the API server: %w", err)
	}
	config.UserAgent = podevents.Component + "/" + version.Short()
	config.Timeout = 0 // watches have no time limit
	c := &cluster{options: o, changed: make(chan struct{}, 1)}
	return c, c.clients(config)
}

// clients makes the clients. Each delays requests beyond its own limit, by default ten at once and five a second: that must leave room for
// what is no event, because a burst of events would hold up the node's label.
func (c *cluster) clients(config *rest.Config) (err error) {
	config.QPS, config.Burst = 2*perSecond, 2*atOnce
	if c.dynamic, err = dynamic.NewForConfig(config); err != nil {
		return err
	}
	c.metadata, err = metadata.NewForConfig(config)
	return err
}

// requestLimit is the time limit for one request. While the API server is unreachable, the node stays as it is.
const requestLimit = 10 * time.Second

// start starts the watches, and waits for their first results.
func (c *cluster) start(ctx context.Context) error {
	byName := func(name string) string { return fields.OneTermEqualSelector("metadata.name", name).String() }
	var synced []cache.InformerSynced
	follow := func(store *cache.Store, lw *cache.ListWatch, object runtime.Object, handler cache.ResourceEventHandler) {
		informer, controller := cache.NewInformerWithOptions(cache.InformerOptions{
			ListerWatcher: lw, ObjectType: object, Handler: handler, Transform: slim,
		})
		*store = informer
		synced = append(synced, controller.HasSynced)
		go controller.RunWithContext(ctx)
	}
	wake := func(any) {
		select {
		case c.changed <- struct{}{}:
		default:
		}
	}
	none := cache.ResourceEventHandlerFuncs{}
	// A label that is removed is set again at once.
	follow(&c.node, objects(c.dynamic.Resource(resources.Nodes), byName(c.options.node)), &unstructured.Unstructured{},
		cache.ResourceEventHandlerFuncs{UpdateFunc: func(before, now any) {
			if label(before) != label(now) {
				wake(now)
			}
		}})
	follow(&c.config, objects(c.dynamic.Resource(resources.ConfigMaps).Namespace(c.namespace), byName(c.options.policies)), &unstructured.Unstructured{},
		cache.ResourceEventHandlerFuncs{AddFunc: wake, UpdateFunc: func(_, now any) { wake(now) }, DeleteFunc: wake})
	follow(&c.pods, &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.FieldSelector = fields.OneTermEqualSelector("spec.nodeName", c.options.node).String()
			return c.metadata.Resource(resources.Pods).List(ctx, o)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.FieldSelector = fields.OneTermEqualSelector("spec.nodeName", c.options.node).String()
			return c.metadata.Resource(resources.Pods).Watch(ctx, o)
		},
	}, &metav1.PartialObjectMetadata{}, none)
	if !cache.WaitForCacheSync(ctx.Done(), synced...) {
		return fmt.Errorf("wait for the API server: %w", context.Cause(ctx))
	}
	return nil
}

// label returns the node label that RuntimeClasses select by.
func label(object any) string {
	node, _ := object.(*unstructured.Unstructured)
	if node == nil {
		return ""
	}
	return node.GetLabels()[podevents.ReadyLabel]
}

// objects returns a ListWatch for the objects that match a field selector.
func objects(of dynamic.ResourceInterface, selector string) *cache.ListWatch {
	return &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.FieldSelector = selector
			return of.List(ctx, o)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.FieldSelector = selector
			return of.Watch(ctx, o)
		},
	}
}

// slim removes fields that the agent does not read and that may be long.
func slim(object any) (any, error) {
	switch o := object.(type) {
	case *metav1.PartialObjectMetadata:
		o.ManagedFields, o.Annotations, o.Labels = nil, nil, nil
	case *unstructured.Unstructured:
		o.SetManagedFields(nil)
		unstructured.RemoveNestedField(o.Object, "status", "images")
	}
	return object, nil
}

func one(store cache.Store) *unstructured.Unstructured {
	for _, object := range store.List() {
		if u, ok := object.(*unstructured.Unstructured); ok {
			return u
		}
	}
	return nil
}

// policies returns the texts in the ConfigMap. known is false if it doesn't exist.
func (c *cluster) policies() (texts map[string]string, known bool) {
	config := one(c.config)
	if config == nil {
		return nil, false
	}
	texts, _, err := unstructured.NestedStringMap(config.Object, "data")
	return texts, err == nil
}

// policyVersion returns a string that changes with the ConfigMap.
func (c *cluster) policyVersion() string {
	if config := one(c.config); config != nil {
		return string(config.GetUID()) + "/" + config.GetResourceVersion()
	}
	return ""
}

// nodeReady returns why the node is not ready, or nil.
func (c *cluster) nodeReady() error {
	for _, condition := range conditions(one(c.node)) {
		if condition["type"] == "Ready" {
			if condition["status"] == "True" {
				return nil
			}
			return fmt.Errorf("the node is not ready: %v", condition["message"])
		}
	}
	return errors.New("the node does not say whether it is ready")
}

// mayRestart returns why the CRI daemon can't be restarted yet, or nil. If the node is not ready before, for example because
// its pod network is still missing, it would not become ready in time afterwards, and the agent would roll everything back.
func (c *cluster) mayRestart() error {
	if err := c.nodeReady(); err != nil {
		return fmt.Errorf("%w until the CRI daemon can be restarted: %w", errWaiting, err)
	}
	return nil
}

func conditions(node *unstructured.Unstructured) (all []map[string]any) {
	if node == nil {
		return nil
	}
	list, _, err := unstructured.NestedSlice(node.Object, "status", "conditions")
	if err != nil {
		return nil
	}
	for _, entry := range list {
		if condition, ok := entry.(map[string]any); ok {
			all = append(all, condition)
		}
	}
	return all
}

// status is the node's state for the cluster.
type status struct {
	ready           bool
	reason, message string
	policies        applied
}

// publish updates the node's labels, annotations and condition where they differ.
func (c *cluster) publish(ctx context.Context, s status) error {
	node := one(c.node)
	if node == nil {
		return fmt.Errorf("there is no node %q", c.options.node)
	}
	want := map[string]any{versionNote: version.Short()}
	for _, h := range handlers {
		want[h.note()] = nil
		if sum, has := s.policies.digests[h.key]; has {
			want[h.note()] = sum
		}
	}
	var label any
	if s.ready {
		label = "true"
	}
	if s.reason == "Removed" {
		want = map[string]any{versionNote: nil}
		for _, h := range handlers {
			want[h.note()] = nil
		}
	}
	annotations := differing(node.GetAnnotations(), want)
	labels := differing(node.GetLabels(), map[string]any{podevents.ReadyLabel: label})
	if len(annotations)+len(labels) > 0 {
		meta := map[string]any{}
		if len(annotations) > 0 {
			meta["annotations"] = annotations
		}
		if len(labels) > 0 {
			meta["labels"] = labels
		}
		if err := c.patch(ctx, types.MergePatchType, map[string]any{"metadata": meta}); err != nil {
			return err
		}
	}
	return c.condition(ctx, node, s)
}

func (h handler) note() string {
	if h.profile == "" {
		return podevents.PolicyNote
	}
	return podevents.PolicyNote + "-" + h.profile
}

// differing returns the entries of want that differ from now. A nil value means that the entry must not exist.
func differing(now map[string]string, want map[string]any) map[string]any {
	out := maps.Clone(want)
	maps.DeleteFunc(out, func(key string, value any) bool {
		there, has := now[key]
		return value == nil && !has || has && value == there
	})
	return out
}

// condition sets a condition on the node, which is where people look for problems. A bad policy does not make the node
// unready, because the last good one stays in force.
func (c *cluster) condition(ctx context.Context, node *unstructured.Unstructured, s status) error {
	want := map[string]any{"type": podevents.NodeCondition, "status": "False", "reason": s.reason, "message": s.message}
	if s.ready {
		want["status"] = "True"
		if s.policies.refused != "" {
			want["reason"], want["message"] = "PolicyRefused", s.policies.refused
		}
	}
	now := time.Now().UTC().Format(time.RFC3339)
	want["lastHeartbeatTime"], want["lastTransitionTime"] = now, now
	for _, there := range conditions(node) {
		if there["type"] != podevents.NodeCondition {
			continue
		}
		if s.reason == "Removed" {
			break
		}
		if there["status"] == want["status"] && there["reason"] == want["reason"] && there["message"] == want["message"] {
			return nil
		}
		if there["status"] == want["status"] {
			want["lastTransitionTime"] = there["lastTransitionTime"]
		}
	}
	if s.reason == "Removed" {
		want = map[string]any{"type": podevents.NodeCondition, "$patch": "delete"}
	}
	return c.patch(ctx, types.StrategicMergePatchType, map[string]any{"status": map[string]any{"conditions": []any{want}}}, "status")
}

func (c *cluster) patch(ctx context.Context, kind types.PatchType, patch map[string]any, subresource ...string) error {
	data, err := json.Marshal(patch)
	if err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	now, err := c.dynamic.Resource(resources.Nodes).Patch(limited, c.options.node, kind, data, metav1.PatchOptions{FieldManager: podevents.Component}, subresource...)
	if err != nil {
		return fmt.Errorf("write on the node: %w", err)
	}
	// The watch may still have the old one, and the next round would write it again.
	_, err = slim(now)
	return errors.Join(err, c.node.Update(now))
}

// event creates an event. If one with the same name exists, it stays, and that is no error.
func (c *cluster) event(ctx context.Context, about map[string]any, name string, e podevents.Event) error {
	kind := "Normal"
	if e.Warning {
		kind = "Warning"
	}
	namespace, _ := about["namespace"].(string)
	if namespace == "" {
		namespace = metav1.NamespaceDefault // events about nodes go there
	}
	now := time.Now().UTC().Format(time.RFC3339)
	object := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Event",
		"metadata":       map[string]any{"name": name, "namespace": namespace},
		"involvedObject": about, "type": kind, "reason": e.Reason, "message": e.Message,
		"source":             map[string]any{"component": podevents.Component, "host": c.options.node},
		"reportingComponent": podevents.Component, "reportingInstance": c.options.node, "action": "Decided",
		"firstTimestamp": now, "lastTimestamp": now, "count": int64(1),
	}}
	limited, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	_, err := c.dynamic.Resource(resources.Events).Namespace(namespace).Create(limited, object, metav1.CreateOptions{FieldManager: podevents.Component})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// eventName returns a valid name for an object. The same words give the same name.
func eventName(words ...string) string {
	data, err := json.Marshal(words)
	if err != nil {
		panic(err) // strings can always be encoded
	}
	sum := sha256.Sum256(data)
	return fmt.Sprintf("nonroot-%x", sum[:12])
}

// nodeEvent creates an event about the node. If that fails, the agent's work is unaffected.
func (c *cluster) nodeEvent(ctx context.Context, warning bool, reason, message string) {
	about := map[string]any{"apiVersion": "v1", "kind": "Node", "name": c.options.node, "uid": c.options.node} // like the kubelet's own events
	e := podevents.Event{Warning: warning, Reason: reason, Message: message}
	_ = c.event(ctx, about, eventName(c.options.node, reason, time.Now().String()), e)
}

// policyEvent creates an event about a policy on the ConfigMap: one per text, from whichever node comes first.
func (c *cluster) policyEvent(ctx context.Context, key, digest, message string) error {
	config := one(c.config)
	if config == nil {
		return nil
	}
	about := map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "name": config.GetName(), "namespace": config.GetNamespace(), "uid": string(config.GetUID())}
	return c.event(ctx, about, eventName(key, digest), podevents.Event{Warning: true, Reason: "PolicyRefused", Message: message})
}

// answers returns an error if the API server can't be reached. It requests a pod, and any final response will do: a watch
// alone does not show that the connection still works.
func (c *cluster) answers(ctx context.Context, namespace, name string) error {
	limited, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	_, err := c.metadata.Resource(resources.Pods).Namespace(namespace).List(limited, metav1.ListOptions{
		FieldSelector: fields.SelectorFromSet(fields.Set{"metadata.name": name, "spec.nodeName": c.options.node}).String(),
	})
	if isFinal(err) {
		return nil
	}
	return err
}

// isFinal reports whether the API server answered, and would answer the same again. An admission webhook refuses with any status.
func isFinal(err error) bool {
	status := apierrors.APIStatus(nil)
	if !errors.As(err, &status) {
		return false
	}
	switch code := status.Status().Code; code {
	case http.StatusUnauthorized, http.StatusRequestTimeout, http.StatusTooManyRequests: // a token is renewed, a load goes by
		return false
	default:
		return code >= 400 && code < 500
	}
}

// pod returns a pod of this node, or nil if it is unknown or gone.
func (c *cluster) pod(namespace, name string) *metav1.PartialObjectMetadata {
	object, there, err := c.pods.GetByKey(namespace + "/" + name)
	if err != nil || !there {
		return nil
	}
	pod, _ := object.(*metav1.PartialObjectMetadata)
	return pod
}
