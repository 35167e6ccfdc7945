// SPDX-License-Identifier: Apache-2.0

// Package resources names the kinds of objects that the programs for Kubernetes ask the API server for. They are
// data alone: who may read which of them, the chart says.
package resources

import "k8s.io/apimachinery/pkg/runtime/schema"

// The kinds.
var (
	Pods           = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	Nodes          = schema.GroupVersionResource{Version: "v1", Resource: "nodes"}
	ConfigMaps     = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	Events         = schema.GroupVersionResource{Version: "v1", Resource: "events"}
	DaemonSets     = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "daemonsets"}
	Leases         = schema.GroupVersionResource{Group: "coordination.k8s.io", Version: "v1", Resource: "leases"}
	RuntimeClasses = schema.GroupVersionResource{Group: "node.k8s.io", Version: "v1", Resource: "runtimeclasses"}
)
