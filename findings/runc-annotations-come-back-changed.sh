#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Package:   github.com/opencontainers/runc v1.5.3 (as root)
# Guess:     the annotations in a container's state, which `runc state` prints and hooks read from standard input, are those of config.json,
#            as the runtime specification says
# What is:   runc keeps them as one list of "key=value", beside a label of its own for the bundle, and splits each at its first equals
#            sign. A key that has one comes back as another key with another value, and an annotation that is named "bundle" not at all
# Why here:  what is decided about a container must be found again at an exec; nonroot-runc keeps a record of its own in the bundle, and
#            takes nothing from annotations that runc gives back

set -euo pipefail
work=$(mktemp -d)
trap '[[ ! -d $work/state/finding-$$ ]] || "$work/runc" --root "$work/state" delete --force "finding-$$"; chmod -R u+w "$work" && rm -rf "$work"' EXIT
cd "$work"
source=$(go mod download -json github.com/opencontainers/runc@v1.5.3 | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
cp -r --no-preserve=mode "$source" source
(cd source && CGO_ENABLED=1 go build -mod=mod -trimpath -buildvcs=false -o "$work/runc" .)

mkdir -p bundle/rootfs/proc
cat >nothing.go <<'GO'
package main

func main() {}
GO
CGO_ENABLED=0 go build -o bundle/rootfs/nothing nothing.go
cat >bundle/config.json <<JSON
{
  "ociVersion": "1.2.0",
  "process": {"user": {"uid": 0, "gid": 0}, "args": ["/nothing"], "cwd": "/"},
  "root": {"path": "rootfs"},
  "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
  "hooks": {"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", "cat >$work/hook.json"]}]},
  "annotations": {"org.example.plain": "a=b", "org.example.team=web": "blue", "bundle": "of apples"},
  "linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}]}
}
JSON
./runc --root state create --bundle bundle "finding-$$" </dev/null >/dev/null
# given FILE prints its annotations, one a line, in order.
given() { tr -d '\n' <"$1" | grep -o '"annotations": *{[^}]*}' | grep -o '"[^"]*": *"[^"]*"' | tr -s ' ' | sed 's/": "/":"/' | sort; }
./runc --root state state "finding-$$" >state.json
{
  echo in config.json
  given bundle/config.json
  echo in the state
  given state.json
  echo what the hook reads
  given hook.json
} | tee seen
diff - seen <<'SEEN'
in config.json
"bundle":"of apples"
"org.example.plain":"a=b"
"org.example.team=web":"blue"
in the state
"org.example.plain":"a=b"
"org.example.team":"web=blue"
what the hook reads
"org.example.plain":"a=b"
"org.example.team":"web=blue"
SEEN
