// SPDX-License-Identifier: Apache-2.0

// Package cri asks a daemon of Kubernetes' Container Runtime Interface what it has: its handlers, and the pods that need one. It
// changes nothing of theirs, and knows nothing of how a handler is registered (internal/configure).
package cri

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// Client speaks to one daemon, over a unix socket.
type Client struct {
	conn    *grpc.ClientConn
	service runtime.RuntimeServiceClient
}

// Dial prepares the connection, which is made when it is needed, and again after the daemon's restart.
func Dial(socket string) (*Client, error) {
	conn, err := grpc.NewClient("unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	return &Client{conn, runtime.NewRuntimeServiceClient(conn)}, nil
}

// Close ends the connection.
func (c *Client) Close() error { return c.conn.Close() }

// State is what a daemon says of itself.
type State struct {
	Ready    bool
	Handlers []string          // the names that it has, as far as it tells
	Binaries map[string]string // the runtime of each handler, by the configuration that it runs with; nil: it doesn't tell
}

// State asks the running daemon: a configuration that it has not read yet does not count.
func (c *Client) State(ctx context.Context) (*State, error) {
	answer, err := c.service.Status(ctx, &runtime.StatusRequest{Verbose: true})
	if err != nil {
		return nil, fmt.Errorf("ask the CRI daemon for its status: %w", err)
	}
	return read(answer)
}

func read(answer *runtime.StatusResponse) (*State, error) {
	s := &State{}
	for _, condition := range answer.GetStatus().GetConditions() {
		if condition.GetType() == runtime.RuntimeReady {
			s.Ready = condition.GetStatus()
		}
	}
	for _, handler := range answer.GetRuntimeHandlers() {
		if handler.GetName() != "" { // the default once more
			s.Handlers = append(s.Handlers, handler.GetName())
		}
	}
	// containerd, internal/cri/server/status.go: the configuration of the plugin, in the names of its JSON.
	text := answer.GetInfo()["config"]
	if text == "" {
		return s, nil
	}
	var config struct {
		Containerd struct {
			Runtimes map[string]struct {
				Options struct {
					BinaryName string `json:"BinaryName"`
				} `json:"options"`
			} `json:"runtimes"`
		} `json:"containerd"`
	}
	if err := json.Unmarshal([]byte(text), &config); err != nil {
		return nil, fmt.Errorf("read the configuration that the CRI daemon runs with: %w", err)
	}
	s.Binaries = map[string]string{}
	for name, entry := range config.Containerd.Runtimes {
		s.Binaries[name] = entry.Options.BinaryName
		if !slices.Contains(s.Handlers, name) {
			s.Handlers = append(s.Handlers, name) // before 2.0 containerd has no list of its handlers
		}
	}
	slices.Sort(s.Handlers)
	return s, nil
}

// Has reports whether the running daemon calls a binary for a handler. Of a daemon that does not tell which binary it calls, the name is
// all there is.
func (s *State) Has(handler, binary string) bool {
	if s.Binaries != nil {
		return s.Binaries[handler] == binary
	}
	return slices.Contains(s.Handlers, handler)
}

// Pod is a pod that runs.
type Pod struct{ Namespace, Name string }

func (p Pod) String() string { return p.Namespace + "/" + p.Name }

// Needing are the pods whose handler is one of those named, sorted. One that is about to be removed still needs its handler.
func (c *Client) Needing(ctx context.Context, handlers ...string) ([]Pod, error) {
	answer, err := c.service.ListPodSandbox(ctx, &runtime.ListPodSandboxRequest{})
	if err != nil {
		return nil, fmt.Errorf("ask the CRI daemon for its pods: %w", err)
	}
	var pods []Pod
	for _, sandbox := range answer.GetItems() {
		if slices.Contains(handlers, sandbox.GetRuntimeHandler()) {
			pods = append(pods, Pod{sandbox.GetMetadata().GetNamespace(), sandbox.GetMetadata().GetName()})
		}
	}
	slices.SortFunc(pods, func(a, b Pod) int {
		switch x, y := a.String(), b.String(); {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	return slices.Compact(pods), nil
}
