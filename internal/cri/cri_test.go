// SPDX-License-Identifier: Apache-2.0

package cri

import (
	"slices"
	"testing"

	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"
)

func answer(ready bool, config string, handlers ...string) *runtime.StatusResponse {
	a := &runtime.StatusResponse{
		Status: &runtime.RuntimeStatus{Conditions: []*runtime.RuntimeCondition{
			{Type: runtime.NetworkReady, Status: true}, {Type: runtime.RuntimeReady, Status: ready},
		}},
		Info: map[string]string{"golang": "go1.26"},
	}
	if config != "" {
		a.Info["config"] = config
	}
	for _, h := range handlers {
		a.RuntimeHandlers = append(a.RuntimeHandlers, &runtime.RuntimeHandler{Name: h})
	}
	return a
}

func TestRead(t *testing.T) {
	const two = `{"containerd":{"defaultRuntimeName":"runc","runtimes":{"runc":{"runtimeType":"io.containerd.runc.v2","options":{"BinaryName":""}},` +
		`"nonroot":{"options":{"BinaryName":"/opt/nonroot-runc/bin/nonroot-runc","SystemdCgroup":true}}}}}`
	for _, c := range []struct {
		answer   *runtime.StatusResponse
		ready    bool
		handlers []string
		has      bool
	}{
		{answer(true, two, "", "nonroot", "runc"), true, []string{"nonroot", "runc"}, true},
		{answer(false, two), false, []string{"nonroot", "runc"}, true}, // containerd 1.7 has no list
		{answer(true, `{"containerd":{"runtimes":{"nonroot":{"options":{"BinaryName":"/usr/sbin/runc"}}}}}`, "nonroot"), true, []string{"nonroot"}, false},
		{answer(true, `{"containerd":{"runtimes":{"runc":{}}}}`, "runc"), true, []string{"runc"}, false},
		{answer(true, "", "nonroot", "runc"), true, []string{"nonroot", "runc"}, true}, // CRI-O tells no configuration
		{answer(true, "", "runc"), true, []string{"runc"}, false},
	} {
		s, err := read(c.answer)
		if err != nil {
			t.Fatal(err)
		}
		if s.Ready != c.ready || !slices.Equal(s.Handlers, c.handlers) || s.Has("nonroot", "/opt/nonroot-runc/bin/nonroot-runc") != c.has {
			t.Errorf("%v\nis %+v", c.answer, s)
		}
	}
	if _, err := read(answer(true, "{")); err == nil {
		t.Error("a configuration that can't be read is one")
	}
}
