#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Package:   k8s.io/pod-security-admission v0.37.2, the level restricted
# Guess:     restricted lets in no pod that may run as root
# What is:   from its version v1.35 on, and so with latest, it lets in runAsUser: 0 in a pod with hostUsers: false; up to v1.34 it does not
# Why here:  docs/admission.md says where Pod Security is enough: with its version pinned, or where root of a user namespace may be

set -euo pipefail
work=$(mktemp -d)
trap 'chmod -R u+w "$work" && rm -rf "$work"' EXIT
cd "$work"
cat >go.mod <<'MOD'
module finding

go 1.26

require (
	k8s.io/api v0.37.2
	k8s.io/apimachinery v0.37.2
	k8s.io/pod-security-admission v0.37.2
)
MOD
cat >main.go <<'GO'
package main

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

func main() {
	no, root := false, int64(0)
	pod := corev1.PodSpec{HostUsers: &no, Containers: []corev1.Container{{Name: "c", SecurityContext: &corev1.SecurityContext{
		RunAsUser: &root, AllowPrivilegeEscalation: &no, Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}}}}
	all, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		panic(err)
	}
	for _, v := range []api.Version{api.MajorMinorVersion(1, 34), api.MajorMinorVersion(1, 35), api.LatestVersion()} {
		level := api.LevelVersion{Level: api.LevelRestricted, Version: v}
		fmt.Printf("%s: %t\n", level, policy.AggregateCheckResults(all.EvaluatePod(level, &metav1.ObjectMeta{}, &pod)).Allowed)
	}
}
GO
go mod tidy >/dev/null 2>&1
seen=$(go run .)
printf '%s\n' "$seen"
[[ $seen == 'restricted:v1.34: false
restricted:v1.35: true
restricted:latest: true' ]]
