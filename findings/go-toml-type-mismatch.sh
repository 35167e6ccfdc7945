#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Package:   github.com/pelletier/go-toml/v2 v2.4.3, toml.Unmarshal
# Guess:     the error for a value of the wrong type names the key and the two types (TOML's string, Go's int64)
# What is:   where the key lies in a table that Go has as an anonymous struct, the error writes that whole struct out, with every
#            field and tag: one wrong value in a table of ten keys makes an error of hundreds of bytes, and nothing of it is the
#            file's author's. DecodeError.Key and Position have what one would want; the text does not.
# Why here:  a policy's commonest slip is a number in quotes; its message is what every `docker run` shows until it is mended

set -euo pipefail
work=$(mktemp -d)
trap 'chmod -R u+w "$work" && rm -rf "$work"' EXIT
cd "$work"
cat >go.mod <<'MOD'
module finding

go 1.26

require github.com/pelletier/go-toml/v2 v2.4.3
MOD
cat >main.go <<'GO'
package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

func main() {
	var f struct {
		Identity struct {
			UID   *int64   `toml:"uid"`
			GID   *int64   `toml:"gid"`
			Name  *string  `toml:"name"`
			Range *string  `toml:"range"`
			Hosts []string `toml:"hosts"`
		} `toml:"identity"`
	}
	err := toml.Unmarshal([]byte("[identity]\nuid = \"65532\"\n"), &f)
	fmt.Println(err)
	var wrong *toml.DecodeError
	fmt.Println("has Go's struct:", strings.Contains(err.Error(), "struct {"), "has the key:", errors.As(err, &wrong) && strings.Join(wrong.Key(), ".") == "identity.uid")
}
GO
go mod tidy >/dev/null 2>&1
seen=$(go run .)
printf '%s\n' "$seen"
[[ $seen == *"has Go's struct: true"* ]]
