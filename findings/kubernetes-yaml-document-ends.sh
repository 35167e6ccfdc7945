#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Packages:  k8s.io/apimachinery v0.37.2, util/yaml (what kubectl apply -f reads with), beside github.com/goccy/go-yaml v1.18.0
# Guess:     it splits a stream of YAML as YAML does: the comments of its decoders say "each document (as defined by the YAML spec)"
# What is:   it splits at lines of "---" and nothing else, and its parser reads the first document of each piece. So a document after a line
#            of "..." is passed over without an error; "---" with the document's first node on the same line is an error, and so is a
#            stream that begins with a directive, as the directive becomes a document of its own. All of these are valid YAML
# Why here:  nonroot-ctl check reads manifests as the cluster will. A reader that follows YAML judges pods that kubectl never sends, and
#            says nothing of the one that does not apply

set -euo pipefail
work=$(mktemp -d)
trap 'chmod -R u+w "$work" && rm -rf "$work"' EXIT
cd "$work"
cat >go.mod <<'MOD'
module finding

go 1.26

require (
	github.com/goccy/go-yaml v1.18.0
	k8s.io/apimachinery v0.37.2
)
MOD
cat >main.go <<'GO'
package main

import (
	"fmt"
	"io"
	"strings"

	spec "github.com/goccy/go-yaml"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// names reads a stream to its end, or to an error.
func names(decode func(any) error) string {
	var found []string
	for {
		var object struct {
			Name string `json:"name" yaml:"name"`
		}
		switch err := decode(&object); err {
		case nil:
			found = append(found, object.Name)
		case io.EOF:
			return strings.Join(found, " ")
		default:
			return strings.Join(append(found, "an error"), " ")
		}
	}
}

func main() {
	for _, stream := range []string{
		"name: a\n---\nname: b\n",
		"name: a\n...\nname: b\n",
		"--- {name: a}\n--- {name: b}\n",
		"%YAML 1.2\n---\nname: a\n",
	} {
		whole := spec.NewDecoder(strings.NewReader(stream))
		fmt.Printf("%-36q YAML: %s; Kubernetes: %s\n", stream, names(func(v any) error { return whole.Decode(v) }),
			names(yaml.NewYAMLOrJSONDecoder(strings.NewReader(stream), 4096).Decode))
	}
}
GO
go mod tidy >/dev/null 2>&1
go run . | tee seen
diff - seen <<'SEEN'
"name: a\n---\nname: b\n"            YAML: a b; Kubernetes: a b
"name: a\n...\nname: b\n"            YAML: a b; Kubernetes: a
"--- {name: a}\n--- {name: b}\n"     YAML: a b; Kubernetes: an error
"%YAML 1.2\n---\nname: a\n"          YAML: a; Kubernetes: an error
SEEN
