#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Package:   github.com/google/jsonschema-go v0.4.3, jsonschema.For, beside encoding/json of Go 1.26
# Guess:     the schema that it infers from a Go type accepts what encoding/json writes of a value of that type, as it is made for
#            ("compatible JSON schema types"; types that implement json.Marshaler "translate to schemas that match")
# What is:   it does for a nil slice, which may be null, and not for a nil map of the same struct, which is null as well. A []byte is an array
#            of numbers to it, where base64 is written, and so is a json.RawMessage, which may be anything. A type with MarshalText
#            of its own is an object of its fields, and an int with the option "string" an integer
# Why here:  docs/schemas is made with it. A test that compared only the files with the types would publish schemas that refuse our own
#            output; so what the commands print is held against them by another library, and a type that marshals itself is named in
#            ForOptions.TypeSchemas

set -euo pipefail
work=$(mktemp -d)
trap 'chmod -R u+w "$work" && rm -rf "$work"' EXIT
cd "$work"
cat >go.mod <<'MOD'
module finding

go 1.26

require github.com/google/jsonschema-go v0.4.3
MOD
cat >main.go <<'GO'
package main

import (
	"encoding/json"
	"fmt"
	"net/netip"

	"github.com/google/jsonschema-go/jsonschema"
)

// accepted infers a schema, and validates with it what encoding/json makes of a value of the same type.
func accepted[T any](what string, value T) {
	schema, err := jsonschema.For[T](nil)
	if err != nil {
		panic(err)
	}
	resolved, err := schema.Resolve(nil)
	if err != nil {
		panic(err)
	}
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	var read any
	if err := json.Unmarshal(text, &read); err != nil {
		panic(err)
	}
	fmt.Printf("%-28s %-16s accepted: %t\n", what, text, resolved.Validate(read) == nil)
}

func main() {
	type (
		slice struct{ A []string }
		table struct{ A map[string]string }
		bytes struct{ A []byte }
		raw   struct{ A json.RawMessage }
		addr  struct{ A netip.Addr }
		text  struct {
			A int `json:",string"`
		}
	)
	accepted("a nil slice", slice{})
	accepted("a nil map", table{})
	accepted("[]byte", bytes{[]byte("text")})
	accepted("json.RawMessage", raw{json.RawMessage(`{}`)})
	accepted("netip.Addr", addr{netip.IPv6Unspecified()})
	accepted(`int with the option "string"`, text{5})
}
GO
go mod tidy >/dev/null 2>&1
go run . | tee seen
diff - seen <<'SEEN'
a nil slice                  {"A":null}       accepted: true
a nil map                    {"A":null}       accepted: false
[]byte                       {"A":"dGV4dA=="} accepted: false
json.RawMessage              {"A":{}}         accepted: false
netip.Addr                   {"A":"::"}       accepted: false
int with the option "string" {"A":"5"}        accepted: false
SEEN
