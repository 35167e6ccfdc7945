#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# nonroot-ctl setup: what it does is what the commands do that it names.

load engines

setup_file() {
  rm -rf /etc/docker /etc/containers/containers.conf.d /etc/nonroot-runc
  start_dockerd
  docker_image bb
}
teardown_file() {
  no_containers
  # Other files' tests count the images.
  docker rmi --force bb >/dev/null
  stop_dockerd
}
teardown() {
  nonroot-ctl configure docker --uninstall >/dev/null
  nonroot-ctl configure runc --uninstall >/dev/null
  nonroot-ctl configure podman --uninstall >/dev/null
  no_policy
  rm -f /var/log/nonroot-runc.log
  # dockerd forgets a default that is gone from its file by a restart only.
  stop_dockerd
  start_dockerd
}

files() { find /etc/docker /etc/containers /etc/containerd /etc/nonroot-runc -type f -exec sha256sum {} + 2>/dev/null | sort || true; }
default() { docker info -f '{{.DefaultRuntime}}'; }

@test "setup: nobody is asked without a terminal, an ordinary user is told, and options are checked" {
  local before
  before=$(files)
  fails_with 1 nonroot-ctl setup
  [[ $ERR == *'not a terminal'*'hint: --yes'* ]] || explain terminal
  fails_with 1 setpriv --reuid 1000 --clear-groups nonroot-ctl setup --yes
  [[ $ERR == *'setup needs root'*'configure podman'* ]] || explain root
  fails_with 1 nonroot-ctl setup --yes --mode enforce
  [[ $ERR == *'--mode is "enforce"'*'audit or rewrite'* ]] || explain mode
  fails_with 1 nonroot-ctl setup --yes --engine kata
  [[ $ERR == *'"kata"'* ]] || explain engine
  fails_with 1 nonroot-ctl setup --yes --engine podman --guard off
  [[ $ERR == *'--guard belongs to docker'* ]] || explain guard
  [[ $(files) == "$before" ]] || explain 'something has changed'
}

@test "setup --dry-run shows the commands and their changes, and changes nothing" {
  local before
  before=$(files)
  succeeds nonroot-ctl setup --yes --dry-run
  contains 'nonroot-ctl configure docker --set-default --reload'
  contains 'nonroot-ctl configure podman --set-default'
  contains '+    "default-runtime": "nonroot"'
  contains 'containerd is left out, as it only serves Docker'
  [[ $(files) == "$before" && $(default) == runc ]] || explain 'something has changed'
  shows '.dry_run and .checks == [] and (.undo | index("nonroot-ctl configure docker --uninstall"))
    and any(.commands[]; .command == "nonroot-ctl configure docker --set-default --reload" and (.result.changes | length > 0))' \
    nonroot-ctl setup --yes --dry-run --json
  fails_with 1 nonroot-ctl setup --json
  [[ $ERR == *'asks no questions'* ]] || explain json
  [[ $(files) == "$before" && $(default) == runc ]] || explain 'something has changed'
}

@test "setup --json makes the changes, and says what each command and doctor print" {
  says nonroot-ctl setup --yes --engine docker --mode audit --json
  jq -e '(.dry_run | not) and (.checks | length > 5) and (.commands | map(.command)) == ["nonroot-ctl policy apply -", "nonroot-ctl configure docker --set-default --reload"]
    and .commands[0].result.applied and (.commands[0].stdin | startswith("mode = \"audit\"")) and .undo[-1] == "rm /etc/nonroot-runc/config.toml"' <<<"$OUT" >/dev/null || explain json
  await test "$(default)" = nonroot
}

@test "setup does what the commands do that it names, checks it, and says how to undo it" {
  local by_setup
  succeeds nonroot-ctl setup --yes --engine docker --engine podman
  contains 'ok   docker: default: it is "nonroot"'
  by_setup=$(files)
  await eval '[[ $(default) == nonroot ]]'
  shows nonroot docker run --rm bb probe
  [[ $OUT != *policy*apply* && ! -e $POLICY ]] || explain 'a policy was made'
  nonroot-ctl configure docker --uninstall
  nonroot-ctl configure podman --uninstall
  nonroot-ctl configure docker --set-default
  nonroot-ctl configure podman --set-default
  [[ $(files) == "$by_setup" ]] || explain "$by_setup" "$(files)"
}

@test "setup --mode audit: containers run as before, with a log; the way back is the one that is said" {
  succeeds nonroot-ctl setup --yes --engine docker --mode audit
  contains "nonroot-ctl report /var/log/nonroot-runc.log"
  contains "rm $POLICY"
  # The policy is shown, each change once, and every command can be typed: none names a file that is gone.
  contains $'nonroot-ctl policy apply - <<\'END\'\nmode = "audit"\n\n[log]\nfile = "/var/log/nonroot-runc.log"\nEND'
  [[ $(grep -c '"default-runtime": "nonroot"' <<<"$OUT") == 1 && $OUT != */tmp/* ]] || explain 'expected one diff, and no temporary file'
  contains 'nonroot-ctl doctor --audit:'
  contains 'note self-test: nothing is enforced'
  contains 'ok   docker: registered'
  await eval '[[ $(default) == nonroot ]]'
  shows root docker run --rm bb probe
  succeeds nonroot-ctl report /var/log/nonroot-runc.log
  contains 'root'
  # Enforcing is another answer; the policy that says audit is somebody's now.
  fails_with 1 nonroot-ctl setup --yes --engine docker --mode rewrite
  [[ $ERR == *'has mode "audit"'*'policy apply'* ]] || explain 'a policy was changed'
  sed 's/audit/rewrite/' "$POLICY" >"$BATS_TEST_TMPDIR/copy"
  succeeds nonroot-ctl policy apply "$BATS_TEST_TMPDIR/copy"
  succeeds nonroot-ctl setup --yes --engine docker --mode rewrite
  shows nonroot docker run --rm bb probe
}

@test "setup: by name only, with the guard" {
  succeeds nonroot-ctl setup --yes --engine docker --default no --guard off
  await eval 'docker info -f "{{json .Runtimes}}" | grep -q nonroot'
  [[ $(default) == runc ]] || explain "$(default)"
  shows nonroot docker run --rm --runtime runc bb probe
}

@test "setup asks at a terminal: an empty line takes what is proposed, and no is nothing changed" {
  local before
  before=$(files)
  # Which engines, mode, default, guard; then whether to do it.
  printf '%s\n' yes no no r yes '' no >"$BATS_TEST_TMPDIR/answers"
  says eval 'script -qec "nonroot-ctl setup" /dev/null <"$BATS_TEST_TMPDIR/answers"'
  contains 'Set up docker? (yes, no) [yes]'
  contains 'Do it? (yes, no) [yes]'
  contains 'nothing was changed'
  [[ $(files) == "$before" ]] || explain 'something has changed'
}
