#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Package:   github.com/go-json-experiment/json v1.27.2, jsontext.Decoder.ReadToken
# Guess:     the error for a doubled member name shortens a long name
# What is:   the whole name stands in the error: 9,000 bytes of name make an error of 9,041
# Why here:  a runtime's error is shown in `docker run` and in Kubernetes' events, and names of annotations come from whoever
#            starts the container: what is printed has to be bounded by us

set -euo pipefail
work=$(mktemp -d)
trap 'chmod -R u+w "$work" && rm -rf "$work"' EXIT
cd "$work"
cat >go.mod <<'MOD'
module finding

go 1.26

require github.com/go-json-experiment/json v1.27.2
MOD
cat >main.go <<'GO'
package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

func main() {
	for _, n := range []int{9, 9000} {
		name := strings.Repeat("n", n)
		d := jsontext.NewDecoder(strings.NewReader(`{"` + name + `":1,"` + name + `":2}`))
		for {
			_, err := d.ReadToken()
			if err == io.EOF {
				fmt.Println(n, "no error")
				break
			}
			if err != nil {
				fmt.Println(n, len(err.Error()), strings.Count(err.Error(), name))
				break
			}
		}
	}
}
GO
go mod tidy >/dev/null 2>&1
seen=$(go run .)
printf 'bytes of the name, bytes of the error, how often it has the name:\n%s\n' "$seen"
awk '$1 == 9000 && $2 > 9000 && $3 >= 1 { found = 1 } END { exit !found }' <<<"$seen"
