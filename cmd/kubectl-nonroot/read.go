// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/nonroot-runc/nonroot-runc/internal/podevents"
	"github.com/nonroot-runc/nonroot-runc/internal/resources"
	"github.com/nonroot-runc/nonroot-runc/internal/version"
)

// source is where pods are looked for.
type source struct {
	kubeconfig, context, namespace string
	all                            bool
}

type cluster struct {
	source
	client dynamic.Interface
}

// requestLimit is how long one request may take.
const requestLimit = 30 * time.Second

// connect reads the kubeconfig as kubectl does: the flag, KUBECONFIG, ~/.kube/config, or the pod's own account.
func (s source) connect() (*cluster, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = s.kubeconfig
	overrides := &clientcmd.ConfigOverrides{CurrentContext: s.context}
	overrides.Context.Namespace = s.namespace
	config := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides)
	rest, err := config.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("find the cluster: %w", err)
	}
	rest.UserAgent = "kubectl-nonroot/" + version.Short()
	rest.Timeout = requestLimit
	if s.namespace, _, err = config.Namespace(); err != nil {
		return nil, fmt.Errorf("find the namespace: %w", err)
	}
	if s.all {
		s.namespace = metav1.NamespaceAll
	}
	client, err := dynamic.NewForConfig(rest)
	return &cluster{s, client}, err
}

// The parts of the API's objects that count here.

type meta struct {
	Name      string            `json:"name"`
	Namespace string            `json:"namespace"`
	UID       string            `json:"uid"`
	Labels    map[string]string `json:"labels"`
	Notes     map[string]string `json:"annotations"`
	Owners    []struct {
		Kind       string `json:"kind"`
		Name       string `json:"name"`
		Controller bool   `json:"controller"`
	} `json:"ownerReferences"`
}

type security struct {
	RunAsUser *int64 `json:"runAsUser"`
}

type container struct {
	Name     string    `json:"name"`
	Security *security `json:"securityContext"`
}

type containerStatus struct {
	Name  string `json:"name"`
	State struct {
		Waiting *struct {
			Reason  string `json:"reason"`
			Message string `json:"message"`
		} `json:"waiting"`
	} `json:"state"`
	User *struct {
		Linux *struct {
			UID int64 `json:"uid"`
			GID int64 `json:"gid"`
		} `json:"linux"`
	} `json:"user"`
}

type pod struct {
	Meta meta `json:"metadata"`
	Spec struct {
		Node       string            `json:"nodeName"`
		Class      string            `json:"runtimeClassName"`
		OS         map[string]string `json:"os"`
		Security   *security         `json:"securityContext"`
		Init       []container       `json:"initContainers"`
		Containers []container       `json:"containers"`
		Ephemeral  []container       `json:"ephemeralContainers"`
	} `json:"spec"`
	Status struct {
		Phase      string            `json:"phase"`
		Init       []containerStatus `json:"initContainerStatuses"`
		Containers []containerStatus `json:"containerStatuses"`
		Ephemeral  []containerStatus `json:"ephemeralContainerStatuses"`
		Conditions []condition       `json:"conditions"`
	} `json:"status"`
}

type condition struct {
	Type    string `json:"type"`
	Status  string `json:"status"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

type event struct {
	About struct {
		Kind      string `json:"kind"`
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
		Field     string `json:"fieldPath"`
	} `json:"involvedObject"`
	Type    string `json:"type"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

type class struct {
	Meta    meta   `json:"metadata"`
	Handler string `json:"handler"`
}

type node struct {
	Meta   meta `json:"metadata"`
	Status struct {
		Conditions []condition `json:"conditions"`
	} `json:"status"`
}

// seen is what was read.
type seen struct {
	pods    []pod
	events  []event
	classes map[string]string // the handler of each RuntimeClass
	nodes   map[string]node   // nil: who asks may not read them
}

// look reads one pod, or those of the namespace, and what is known of them.
func (c *cluster) look(ctx context.Context, name string) (s seen, err error) {
	if name != "" {
		u, err := c.client.Resource(resources.Pods).Namespace(c.namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return s, err
		}
		p, err := as[pod](u.Object)
		if err != nil {
			return s, err
		}
		s.pods = []pod{p}
	} else if s.pods, err = list[pod](ctx, c, resources.Pods, c.namespace, ""); err != nil {
		return s, err
	}
	s.events, err = list[event](ctx, c, resources.Events, c.namespace, fields.OneTermEqualSelector("source", podevents.Component).String())
	if err != nil {
		return s, err
	}
	classes, err := list[class](ctx, c, resources.RuntimeClasses, "", "")
	if err != nil {
		return s, err
	}
	s.classes = map[string]string{}
	for _, r := range classes {
		s.classes[r.Meta.Name] = r.Handler
	}
	if name != "" && s.pods[0].Spec.Node != "" {
		u, err := c.client.Resource(resources.Nodes).Get(ctx, s.pods[0].Spec.Node, metav1.GetOptions{})
		switch {
		case apierrors.IsForbidden(err) || apierrors.IsNotFound(err):
		case err != nil:
			return s, err
		default:
			n, err := as[node](u.Object)
			if err != nil {
				return s, err
			}
			s.nodes = map[string]node{n.Meta.Name: n}
		}
	}
	return s, nil
}

// list reads all of a kind, some hundred at a time.
func list[T any](ctx context.Context, c *cluster, of schema.GroupVersionResource, namespace, selector string) (all []T, err error) {
	o := metav1.ListOptions{FieldSelector: selector, Limit: 500}
	for {
		var resource dynamic.ResourceInterface = c.client.Resource(of)
		if namespace != "" {
			resource = c.client.Resource(of).Namespace(namespace)
		}
		page, err := resource.List(ctx, o)
		if apierrors.IsResourceExpired(err) && o.Continue != "" {
			return nil, errors.New("the list changed faster than it was read\nhint: try again, or name a namespace")
		}
		if err != nil {
			return nil, err
		}
		for i := range page.Items {
			one, err := as[T](page.Items[i].Object)
			if err != nil {
				return nil, err
			}
			all = append(all, one)
		}
		if o.Continue = page.GetContinue(); o.Continue == "" {
			return all, nil
		}
	}
}

// as reads the parts of an object that count here.
func as[T any](object map[string]any) (one T, err error) {
	data, err := json.Marshal(object)
	if err == nil {
		err = json.Unmarshal(data, &one)
	}
	return one, err
}
