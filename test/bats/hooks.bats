#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# What a runtime calls as root while it makes a container (SECURITY.md C4).

load helpers

# program FILE makes a hook's program, which reads what the runtime says, as it must: it leaves who it is in $BATS_TEST_TMPDIR/ran.
program() {
  printf '#!/bin/sh\ncat >/dev/null\ngrep -E "^(Uid|CapEff)" /proc/self/status >%q\n' "$BATS_TEST_TMPDIR/ran" >"$1"
  chmod 755 "$1"
}

# hook STAGE PATH [ARGUMENT...] makes the program a hook.
hook() {
  config --arg stage "$1" --arg path "$2" '.hooks[$stage] = [{path: $path, args: (["hook"] + $ARGS.positional)}]' --args -- "${@:3}"
}

# ran says that the hook has run as root, with every capability that root has here.
ran() {
  grep -q $'^Uid:\t0\t0\t0\t0$' "$BATS_TEST_TMPDIR/ran" || explain 'expected that the hook has run as root'
  rm "$BATS_TEST_TMPDIR/ran"
}

# rejects REGEX STAGE PATH: the bare runtime calls the hook as root, the wrapper nobody.
rejects() {
  fresh
  hook "$2" "$3"
  bare_shows root
  ran
  refused "$1" nonroot run "$ID"
  [[ ! -e $BATS_TEST_TMPDIR/ran ]] || explain 'expected that the hook has not run'
}

@test "C4: a program that others can change, or exchange" {
  local stage dir=$BATS_TEST_TMPDIR/dir
  mkdir "$dir"
  program "$dir/hook"
  chmod 777 "$dir/hook"
  for stage in prestart createRuntime createContainer poststart poststop; do
    rejects 'can be written by others' "$stage" "$dir/hook"
  done
  chmod 755 "$dir/hook"
  chown 1000 "$dir/hook"
  rejects 'belongs to uid 1000' createRuntime "$dir/hook"
  chown 0 "$dir/hook"
  chmod 777 "$dir"
  rejects 'can be written by others' createRuntime "$dir/hook"
  chmod 755 "$dir"
  # By way of a link of somebody else's, and of a directory of somebody else's that leads back.
  ln -s "$dir" "$BATS_TEST_TMPDIR/link"
  chown -h 1000 "$BATS_TEST_TMPDIR/link"
  rejects 'symbolic link .* belongs to uid 1000' createRuntime "$BATS_TEST_TMPDIR/link/hook"
  mkdir "$BATS_TEST_TMPDIR/theirs"
  chown 1000 "$BATS_TEST_TMPDIR/theirs"
  rejects 'belongs to uid 1000' createRuntime "$BATS_TEST_TMPDIR/theirs/../dir/hook"
  rejects "kernel's magic link" createRuntime "/proc/self/root$dir/hook"
}

@test "C4: a program of the image" {
  program "$ROOTFS/srv/hook"
  rejects "container's own files" createRuntime "$ROOTFS/srv/hook"
  ln -s "$ROOTFS/srv" "$BATS_TEST_TMPDIR/link"
  rejects "container's own files" createRuntime "$BATS_TEST_TMPDIR/link/hook"
}

# The hook's program is looked at on the host, and called where the container's mounts are made already.
@test "C4: a program that the container's mounts cover, as its rootfs is the host's" {
  program "$BATS_TEST_TMPDIR/evil"
  install -m 755 "$(type -P true)" "$BATS_TEST_TMPDIR/hook"
  config --arg evil "$BATS_TEST_TMPDIR/evil" --arg hook "$BATS_TEST_TMPDIR/hook" \
    '.root.path = "/" | .mounts += [{destination: $hook, type: "bind", source: $evil, options: ["bind"]}]'
  hook createContainer "$BATS_TEST_TMPDIR/hook"
  says bare run "$ID" # which fails later: no runtime makes the host's own root a container's
  ran
  refused "rootfs is the host's" nonroot run "$ID"
  [[ ! -e $BATS_TEST_TMPDIR/ran ]] || explain 'expected that nothing has run'
  hook createRuntime "$BATS_TEST_TMPDIR/hook"
  config 'del(.hooks.createContainer)'
  says nonroot run "$ID"
  [[ $ERR != *'would run as root'* && ! -e $BATS_TEST_TMPDIR/ran ]] || explain 'expected the program that was looked at'
}

@test "C4: a program of root's goes on being called, and the record and the log say so" {
  local stage
  program "$BATS_TEST_TMPDIR/hook"
  ln -s hook "$BATS_TEST_TMPDIR/link"
  policy <<<"log.file = \"$BATS_TEST_TMPDIR/log\""
  for stage in prestart createRuntime createContainer poststart poststop; do
    fresh
    hook "$stage" "$BATS_TEST_TMPDIR/link"
    nonroot_shows nonroot
    ran
    jq -e --arg text "the $stage hook \"$BATS_TEST_TMPDIR/hook\" runs as root" '.notes | index($text)' nonroot-runc.json >/dev/null ||
      explain "expected a note: $(<nonroot-runc.json)"
    tail -n 1 "$BATS_TEST_TMPDIR/log" | jq -e '.notes | any(test("hook"))' >/dev/null || explain 'expected it in the log'
  done
}

# As Docker's daemon names itself for its network.
@test "C4: what a process of root's runs, but not a process of somebody else's or of a container" {
  local program
  program=$(command -v sleep)
  sleep 1000 3>&- &
  fresh
  hook createRuntime "/proc/$!/exe" 0
  nonroot_shows nonroot
  jq -e --arg p "$(realpath "$program")" '.notes | any(contains($p))' nonroot-runc.json >/dev/null
  kill $!
  setpriv --reuid 1000 --clear-groups sleep 1001 3>&- &
  fresh
  hook createRuntime "/proc/$!/exe" 0
  bare_shows root
  refused 'belongs to uid 1000' nonroot run "$ID"
  kill $!
  fresh
  detached bare "$ID-other"
  fresh
  hook createRuntime "/proc/$(pid "$ID-other")/exe"
  bare_shows root
  refused 'another pid namespace' nonroot run "$ID"
}

@test "C4: the policy names the programs" {
  program "$BATS_TEST_TMPDIR/hook"
  program "$BATS_TEST_TMPDIR/other"
  policy <<<"hooks.allowed = [\"$BATS_TEST_TMPDIR/h*\"]"
  hook createContainer "$BATS_TEST_TMPDIR/hook"
  nonroot_shows nonroot
  ran
  fresh
  hook createContainer "$BATS_TEST_TMPDIR/other"
  bare_shows root
  ran
  refused 'hooks.allowed' nonroot run "$ID"
  policy <<<'hooks.allowed = []'
  refused 'hooks.allowed' nonroot run "$ID"
  [[ ! -e $BATS_TEST_TMPDIR/ran ]] || explain 'expected that the hook has not run'
}

@test "C4: the stage startContainer is the container's user's own" {
  local shown='cat >/dev/null; grep -E "^(Uid|CapEff|NoNewPrivs)" /proc/self/status >/tmp/ran'
  config --arg c "$shown" '.hooks.startContainer = [{path: "/bin/sh", args: ["sh", "-c", $c]}]'
  bare_shows root
  grep -q $'^Uid:\t0' "$ROOTFS/tmp/ran"
  rm "$ROOTFS/tmp/ran"
  nonroot_shows nonroot
  [[ $(<"$ROOTFS/tmp/ran") == $'Uid:\t65532\t65532\t65532\t65532\nCapEff:\t0000000000000000\nNoNewPrivs:\t1' ]] ||
    explain "expected nobody's root: $(<"$ROOTFS/tmp/ran")"
}

@test "C5: run.oci.hooks.stdout makes crun write a file of the host's" {
  program "$BATS_TEST_TMPDIR/hook"
  printf '#!/bin/sh\ncat >/dev/null\necho written by a hook\n' >"$BATS_TEST_TMPDIR/hook"
  hook createRuntime "$BATS_TEST_TMPDIR/hook"
  config --arg f "$BATS_TEST_TMPDIR/victim" '.annotations = {"run.oci.hooks.stdout": $f, "run.oci.hooks.stderr": $f}'
  if only crun; then
    bare_shows root
    [[ $(<"$BATS_TEST_TMPDIR/victim") == 'written by a hook' ]]
    rm "$BATS_TEST_TMPDIR/victim"
  fi
  says nonroot run "$ID"
  [[ $STATUS == 0 && ! -e $BATS_TEST_TMPDIR/victim ]] || explain 'expected a container, and no file'
}
