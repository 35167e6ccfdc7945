#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Packages:  github.com/containerd/containerd/v2 v2.2.9 and v2.3.7, containerd config dump
# Guess:     a configuration without "version" is of version 1, and a 2.x daemon either migrates it or refuses it
# What is:   2.2 (as 2.0 and 2.1) goes on without its CRI plugin's part: a warning for each key, status 0, and the runtimes, with
#            SystemdCgroup, are the built-in ones. 2.3 migrates the same file whole.
# Why here:  a runtime that is registered in such a file is not there after an upgrade to 2.0, and is there again with 2.3; only the
#            daemon's own dump tells, which nonroot-ctl configure therefore reads before it writes

set -euo pipefail
work=$(mktemp -d)
trap 'chmod -R u+w "$work" && rm -rf "$work"' EXIT
cd "$work"

cat >config.toml <<'TOML'
[plugins.cri.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
  [plugins.cri.containerd.runtimes.runc.options]
    SystemdCgroup = true
TOML
for version in v2.2.9 v2.3.7; do
  source=$(go mod download -json "github.com/containerd/containerd/v2@$version" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
  cp -r --no-preserve=mode "$source" "$version"
  (cd "$version" && CGO_ENABLED=0 go build -mod=mod -trimpath -buildvcs=false -tags no_btrfs -o "$work/containerd-$version" ./cmd/containerd)
  "./containerd-$version" --config config.toml config dump >"$version.dump" 2>"$version.said"
  printf '%s: status 0, %s, %d warnings\n' "$version" "$(grep -o 'SystemdCgroup = .*' "$version.dump")" "$(grep -c 'Ignoring unknown key' "$version.said" || true)"
done
grep -q 'SystemdCgroup = false' v2.2.9.dump
grep -q 'SystemdCgroup = true' v2.3.7.dump
