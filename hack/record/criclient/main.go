// SPDX-License-Identifier: Apache-2.0

// Command criclient makes the few CRI calls that record-fixtures needs, as the kubelet makes them.
// It is a module of its own, so that the product's go.mod stays free of Kubernetes; Debian 12 has no crictl.
//
//	criclient SOCKET sandbox NAME              prints the sandbox's id; the one named privileged may have such containers
//	criclient SOCKET container SANDBOX IMAGE VARIANT   prints the container's id
//	criclient SOCKET exec CONTAINER COMMAND...
//	criclient SOCKET remove SANDBOX
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "criclient:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 2 {
		return fmt.Errorf("usage: criclient SOCKET VERB ...")
	}
	conn, err := grpc.NewClient("unix://"+args[0], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client := cri.NewRuntimeServiceClient(conn)
	verb, rest := args[1], args[2:]
	switch {
	case verb == "sandbox" && len(rest) == 1:
		reply, err := client.RunPodSandbox(ctx, &cri.RunPodSandboxRequest{Config: sandbox(rest[0])})
		if err != nil {
			return err
		}
		fmt.Println(reply.PodSandboxId)
	case verb == "container" && len(rest) == 3:
		pod := "web"
		if rest[2] == "privileged" {
			pod = rest[2]
		}
		created, err := client.CreateContainer(ctx, &cri.CreateContainerRequest{
			PodSandboxId: rest[0], Config: container(rest[1], rest[2]), SandboxConfig: sandbox(pod),
		})
		if err != nil {
			return err
		}
		if _, err := client.StartContainer(ctx, &cri.StartContainerRequest{ContainerId: created.ContainerId}); err != nil {
			return err
		}
		fmt.Println(created.ContainerId)
	case verb == "exec" && len(rest) >= 2:
		reply, err := client.ExecSync(ctx, &cri.ExecSyncRequest{ContainerId: rest[0], Cmd: rest[1:], Timeout: 10})
		if err != nil {
			return err
		}
		os.Stdout.Write(reply.Stdout)
	case verb == "remove" && len(rest) == 1:
		if _, err := client.StopPodSandbox(ctx, &cri.StopPodSandboxRequest{PodSandboxId: rest[0]}); err != nil {
			return err
		}
		_, err := client.RemovePodSandbox(ctx, &cri.RemovePodSandboxRequest{PodSandboxId: rest[0]})
		return err
	default:
		return fmt.Errorf("no such call: %q", args[1:])
	}
	return nil
}

// sandbox is a pod as the kubelet describes one that has no securityContext.
func sandbox(name string) *cri.PodSandboxConfig {
	return &cri.PodSandboxConfig{
		Metadata:     &cri.PodSandboxMetadata{Name: name, Namespace: "default", Uid: "5fd1aa3a-6b1f-4b8e-9f4e-6f2b3c0d9a11"},
		Hostname:     name,
		LogDirectory: "/var/log/pods/default_web_5fd1aa3a-6b1f-4b8e-9f4e-6f2b3c0d9a11",
		Labels: map[string]string{
			"io.kubernetes.pod.name": name, "io.kubernetes.pod.namespace": "default",
			"io.kubernetes.pod.uid": "5fd1aa3a-6b1f-4b8e-9f4e-6f2b3c0d9a11",
		},
		Linux: &cri.LinuxPodSandboxConfig{
			CgroupParent: "/kubepods/besteffort/pod5fd1aa3a-6b1f-4b8e-9f4e-6f2b3c0d9a11",
			SecurityContext: &cri.LinuxSandboxSecurityContext{
				Privileged:       name == "privileged",
				NamespaceOptions: &cri.NamespaceOption{Network: cri.NamespaceMode_POD, Pid: cri.NamespaceMode_CONTAINER},
				Seccomp:          &cri.SecurityProfile{ProfileType: cri.SecurityProfile_RuntimeDefault},
			},
		},
	}
}

// container is what the kubelet sends for the named variant.
func container(image, variant string) *cri.ContainerConfig {
	security := &cri.LinuxContainerSecurityContext{
		NamespaceOptions: &cri.NamespaceOption{Network: cri.NamespaceMode_POD, Pid: cri.NamespaceMode_CONTAINER},
		MaskedPaths:      []string{"/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/scsi", "/sys/firmware"},
		ReadonlyPaths:    []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"},
	}
	switch variant {
	case "plain": // The kubelet's default: no seccomp.
		security.Seccomp = &cri.SecurityProfile{ProfileType: cri.SecurityProfile_Unconfined}
	case "runtimedefault": // With fsGroup and supplementalGroups.
		security.Seccomp = &cri.SecurityProfile{ProfileType: cri.SecurityProfile_RuntimeDefault}
		security.SupplementalGroups = []int64{2000, 3000}
	case "privileged":
		security.Privileged = true
	case "runasuser":
		security.RunAsUser = &cri.Int64Value{Value: 1000}
		security.RunAsGroup = &cri.Int64Value{Value: 1000}
		security.NoNewPrivs = true
		security.Capabilities = &cri.Capability{DropCapabilities: []string{"ALL"}}
	}
	return &cri.ContainerConfig{
		Metadata: &cri.ContainerMetadata{Name: variant},
		Image:    &cri.ImageSpec{Image: image},
		Command:  []string{"/bin/sleep", "600"},
		Envs:     []*cri.KeyValue{{Key: "KUBERNETES_SERVICE_HOST", Value: "10.96.0.1"}},
		LogPath:  variant + "/0.log",
		Labels: map[string]string{
			"io.kubernetes.container.name": variant, "io.kubernetes.pod.name": "web",
			"io.kubernetes.pod.namespace": "default", "io.kubernetes.pod.uid": "5fd1aa3a-6b1f-4b8e-9f4e-6f2b3c0d9a11",
		},
		Annotations: map[string]string{"io.kubernetes.container.restartCount": "0"},
		Linux:       &cri.LinuxContainerConfig{Resources: &cri.LinuxContainerResources{CpuShares: 2, OomScoreAdj: 1000}, SecurityContext: security},
	}
}
