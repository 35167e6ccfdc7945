// SPDX-License-Identifier: Apache-2.0

// Command criclient makes the calls of the Container Runtime Interface that tests and hack/record-fixtures need, by the
// kubelet's own client. Pods and containers are described in JSON on standard input, as crictl(1) reads them. It is a
// module of its own, so that the product's go.mod stays free of Kubernetes; Debian 12 has no crictl.
//
//	criclient SOCKET sandbox HANDLER <SANDBOX.json               prints the sandbox's id
//	criclient SOCKET create SANDBOX SANDBOX.json <CONTAINER.json creates and starts a container, prints its id
//	criclient SOCKET exec CONTAINER COMMAND...                   as a probe does; ends with the command's status
//	criclient SOCKET state CONTAINER                             running, exited, ...
//	criclient SOCKET stop CONTAINER                              stops and removes it
//	criclient SOCKET remove SANDBOX                              stops and removes it
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace/noop"
	cri "k8s.io/cri-api/pkg/apis"
	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"
	remote "k8s.io/cri-client/pkg"
	"k8s.io/klog/v2"
	"k8s.io/utils/exec"
)

const timeout = time.Minute

func main() {
	err := run(os.Args[1:])
	var status exec.CodeExitError
	switch {
	case errors.As(err, &status):
		os.Exit(status.Code)
	case err != nil:
		fmt.Fprintln(os.Stderr, "criclient:", err)
		os.Exit(255)
	}
}

func run(args []string) error {
	if len(args) < 3 {
		return errors.New("usage: criclient SOCKET VERB ...")
	}
	klog.LogToStderr(false) // it repeats the errors that are returned
	klog.SetOutput(io.Discard)
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	client, err := remote.NewRemoteRuntimeService(ctx, "unix://"+args[0], timeout, noop.NewTracerProvider(), false)
	if err != nil {
		return err
	}
	verb, rest := args[1], args[2:]
	switch {
	case verb == "sandbox" && len(rest) == 1:
		return sandbox(ctx, client, rest[0])
	case verb == "create" && len(rest) == 2:
		return create(ctx, client, rest[0], rest[1])
	case verb == "exec" && len(rest) >= 2:
		stdout, stderr, err := client.ExecSync(ctx, rest[0], rest[1:], timeout)
		_, _ = os.Stdout.Write(stdout)
		_, _ = os.Stderr.Write(stderr)
		return err
	case verb == "state" && len(rest) == 1:
		status, err := client.ContainerStatus(ctx, rest[0], false)
		if err == nil {
			fmt.Println(strings.ToLower(strings.TrimPrefix(status.Status.State.String(), "CONTAINER_")))
		}
		return err
	case verb == "stop" && len(rest) == 1:
		return errors.Join(client.StopContainer(ctx, rest[0], 0), client.RemoveContainer(ctx, rest[0]))
	case verb == "remove" && len(rest) == 1:
		return errors.Join(client.StopPodSandbox(ctx, rest[0]), client.RemovePodSandbox(ctx, rest[0]))
	}
	return fmt.Errorf("no such call: %q", args[1:])
}

func sandbox(ctx context.Context, client cri.RuntimeService, handler string) error {
	config, err := read[runtime.PodSandboxConfig]("/dev/stdin")
	if err != nil {
		return err
	}
	id, err := client.RunPodSandbox(ctx, config, handler)
	if err == nil {
		fmt.Println(id)
	}
	return err
}

func create(ctx context.Context, client cri.RuntimeService, pod, podFile string) error {
	config, err := read[runtime.ContainerConfig]("/dev/stdin")
	if err != nil {
		return err
	}
	podConfig, err := read[runtime.PodSandboxConfig](podFile)
	if err != nil {
		return err
	}
	id, err := client.CreateContainer(ctx, pod, config, podConfig)
	if err != nil {
		return err
	}
	fmt.Println(id)
	return client.StartContainer(ctx, id)
}

// read reads a message by the JSON names of its Go type, as crictl does; a name that it doesn't know is refused.
func read[T any](file string) (*T, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	message := new(T)
	d := json.NewDecoder(f)
	d.DisallowUnknownFields()
	if err := d.Decode(message); err != nil {
		return nil, fmt.Errorf("read %q: %w", file, err)
	}
	return message, nil
}
