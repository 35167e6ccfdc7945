#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Package:   github.com/moby/buildkit v0.34.2, its Dockerfile front end (dockerfile2llb)
# Guess:     of ENV and ARG with one name one always wins (the reference: "Environment variables defined using the ENV instruction
#            always override an ARG instruction of the same name"); and a stage that is FROM another one goes on where that one ended
# What is:   within a stage the later one wins. In a stage that is FROM it, the ENV is set again before the first instruction, while the
#            ARGs of the stage before are still there: the same `USER ${U}` is another user in the two stages, and a name that only ARG
#            has is inherited
# Why here:  nonroot-ctl check says who an image runs as before it is built, and a reader that follows the reference says "not root" of
#            an image that is

set -euo pipefail
work=$(mktemp -d)
trap 'chmod -R u+w "$work" && rm -rf "$work"' EXIT
cd "$work"
cat >go.mod <<'MOD'
module finding

go 1.26

require github.com/moby/buildkit v0.34.2
MOD
cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"

	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerui"
)

func main() {
	const file = `FROM scratch AS one
ENV U=env
ARG U=arg
ARG ONLY=inherited
USER ${U}:${ONLY}
FROM one AS two
USER ${U}:${ONLY}
`
	for _, target := range []string{"one", "two"} {
		result, err := dockerfile2llb.Dockerfile2LLB(context.Background(), []byte(file), dockerfile2llb.ConvertOpt{Config: dockerui.Config{Target: target, BuildArgs: map[string]string{}}})
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s: USER ${U}:${ONLY} is %s\n", target, result.Image.Config.User)
	}
}
GO
go mod tidy >/dev/null 2>&1
seen=$(go run .)
printf '%s\n' "$seen"
[[ $seen == 'one: USER ${U}:${ONLY} is arg:inherited
two: USER ${U}:${ONLY} is env:inherited' ]]
