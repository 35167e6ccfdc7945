#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# nonroot-ctl configure with what Debian has: dpkg, containerd's own reading of its configuration, Podman. Of the machine, nothing is
# touched: the run has a mount namespace of its own (hack/bats), in which /etc, /usr and dpkg's data are covered.

load helpers

setup() {
  setup_bundle
  LAYERS=$(mktemp -d /run/nonroot-configure.XXXXXX)
  mount -t tmpfs -o mode=755 tmpfs "$LAYERS"
  COVERED=()
  local dir
  for dir in /etc /usr /var/lib/dpkg; do
    mkdir -p "$LAYERS$dir/upper" "$LAYERS$dir/work"
    mount -t overlay -o "lowerdir=$dir,upperdir=$LAYERS$dir/upper,workdir=$LAYERS$dir/work" overlay "$dir"
    COVERED=("$dir" "${COVERED[@]}")
  done
  rm -rf /etc/nonroot-runc /etc/docker /etc/containerd /etc/containers/containers.conf.d
  mkdir -p /usr/local/sbin
  (cd "$REPO" && hack/install)
  WRAPPER=/usr/local/sbin/nonroot-runc
  # The one that the guard looks for, whatever PATH names first.
  REAL=$(readlink -f "$(PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin command -v runc)")
  SUM=$(sha256sum <"$REAL")
}

teardown() {
  local dir
  cd /
  for dir in "${COVERED[@]}"; do umount -l "$dir"; done
  umount -l "$LAYERS"
  rmdir "$LAYERS"
  end_containers
}

ctl() { /usr/local/sbin/nonroot-ctl configure "$@"; }

# as_user is ctl for an ordinary user, whose home is $home.
as_user() { setpriv --reuid 4711 --regid 4711 --clear-groups env -u XDG_RUNTIME_DIR -u XDG_CONFIG_HOME HOME="$home" /usr/local/sbin/nonroot-ctl configure "$@"; }

# refuses TEXT COMMAND... : the command fails, and says so.
refuses() {
  fails_with 1 "${@:2}"
  [[ $ERR == *"$1"* ]] || explain "expected: $1"
}

# untouched: runc is what it was, and nothing of the guard is left.
untouched() {
  [[ ! -L $REAL && $(sha256sum <"$REAL") == "$SUM" ]] || explain "$REAL is not what it was"
  [[ ! -e $REAL.distrib && ! -e /etc/nonroot-runc && -z $(dpkg-divert --list "$REAL") ]] || explain "left: $(
    ls -l "$REAL"* /etc/nonroot-runc
    dpkg-divert --list "$REAL"
  )"
  [[ $(find "${REAL%/*}" -name '.runc*') == '' ]] || explain 'a temporary name is left'
}

# guarded: runc is the wrapper, which goes on to the real one; dpkg knows.
guarded() {
  [[ $(readlink "$REAL") == "$WRAPPER" && $(sha256sum <"$REAL.distrib") == "$SUM" ]] || explain 'expected the wrapper'
  [[ $(dpkg-divert --truename "$REAL") == "$REAL.distrib" ]] || explain 'expected a diversion'
  [[ $("$REAL" --version) == "$("$REAL.distrib" --version)" ]] || explain 'expected the version of the real one'
}

@test "the guard: put in place, once, and undone" {
  succeeds ctl runc --builds off --dry-run
  untouched
  succeeds ctl runc --builds off
  contains "move $REAL to $REAL.distrib"
  guarded
  grep -q '^mode = "off"$' /etc/nonroot-runc/config.toml
  succeeds ctl runc
  contains 'nothing to change'
  succeeds ctl runc --builds rewrite
  grep -q '^mode = "rewrite"$' /etc/nonroot-runc/config.toml
  run ! grep -q reason /etc/nonroot-runc/config.toml
  succeeds ctl runc --uninstall
  untouched
  succeeds ctl runc --uninstall
  contains 'nothing to change'
}

@test "the guard: whoever calls runc by its name is governed" {
  shows root "$REAL" --root "$STATE" run "$ID"
  succeeds ctl runc --builds off
  shows nonroot "$REAL" --root "$STATE" run "$ID"
}

@test "the guard: a call that was killed anywhere is completed or undone by the next one" {
  local state verb
  for state in linked diverted swapped gone; do
    for verb in --builds=off --uninstall; do
      # The policy is written first, and its receipt knows of the guard.
      succeeds ctl runc --builds off
      [[ $state == diverted ]] || dpkg-divert --quiet --local --no-rename --remove "$REAL"
      case $state in
        linked | diverted) ln -f "$REAL.distrib" "$REAL" ;;
        gone) rm "$REAL" ;;
      esac
      ln -s nowhere "${REAL%/*}/.runc.nonroot-ctl"
      succeeds ctl runc "$verb"
      if [[ $verb != --uninstall ]]; then
        guarded
        succeeds ctl runc --uninstall
      fi
      untouched
    done
  done
}

# killed_at CALL N VERB... : the command is killed when a thread of it makes this call for the Nth time.
killed_at() {
  strace --seccomp-bpf -f -o /dev/null -e trace="$1" -e "inject=$1:signal=KILL:when=$2" /usr/local/sbin/nonroot-ctl configure "${@:3}" >/dev/null 2>&1 || true
  "$REAL" --version >/dev/null || explain "no runc after $1 $2 of $3"
}

@test "the guard: killed when it changes names, a runc is there, and the next call completes it" {
  local call
  for call in linkat:1 symlinkat:1 renameat:1 renameat:2 unlinkat:1; do
    killed_at "${call%:*}" "${call#*:}" runc --builds off
    succeeds ctl runc --builds off
    guarded
    killed_at "${call%:*}" "${call#*:}" runc --uninstall
    succeeds ctl runc --uninstall
    # Who made an empty directory isn't known when the receipt in it is gone.
    [[ ! -d /etc/nonroot-runc ]] || rmdir /etc/nonroot-runc
    untouched
  done
}

@test "the guard: a wrapper that does not work is taken back" {
  printf '#!/bin/sh\nexit 1\n' >"$WRAPPER"
  refuses 'was put back' ctl runc --builds off
  [[ ! -L $REAL && $(sha256sum <"$REAL") == "$SUM" && ! -e $REAL.distrib ]] || explain 'expected the real runc'
}

@test "the guard: a runc that is a link to something else, or two of them" {
  mv "$REAL" "$REAL-1" && ln -s "$REAL-1" "$REAL"
  refuses 'is a link to' ctl runc --builds off
  rm "$REAL" && mv "$REAL-1" "$REAL"
  printf '#!/bin/sh\n' >"$REAL.distrib"
  refuses 'two different programs' ctl runc --builds off
  [[ $(sha256sum <"$REAL") == "$SUM" ]]
  rm "$REAL.distrib"
  untouched
}

@test "the guard: builds are a question" {
  refuses '--builds off' ctl runc
  untouched
  # On a terminal, it's asked.
  script -qec '/usr/local/sbin/nonroot-ctl configure runc' /dev/null <<<rewrite >"$BATS_TEST_TMPDIR/typed"
  grep -q 'off or rewrite?' "$BATS_TEST_TMPDIR/typed"
  guarded
  grep -q '^mode = "rewrite"$' /etc/nonroot-runc/config.toml
}

@test "the guard: a policy of one's own keeps what is in it" {
  mkdir /etc/nonroot-runc
  printf '# ours\nexisting = "leave"\n\n[build] # so far\nmode = "rewrite"\n' >/etc/nonroot-runc/config.toml
  cp /etc/nonroot-runc/config.toml "$BATS_TEST_TMPDIR/before"
  mkdir /etc/docker
  printf '{"data-root": "/srv/docker"}' >/etc/docker/daemon.json
  succeeds ctl docker --guard --builds off
  grep -q '^# ours$' /etc/nonroot-runc/config.toml
  grep -q '^bundles = \["/srv/docker/buildkit/executor"\]$' /etc/nonroot-runc/config.toml
  succeeds ctl docker --uninstall
  cmp /etc/nonroot-runc/config.toml "$BATS_TEST_TMPDIR/before"
  [[ $(</etc/docker/daemon.json) == '{"data-root": "/srv/docker"}' ]]
  rm -r /etc/nonroot-runc
  untouched
}

@test "the guard: a policy that is pinned is pinned again, unless somebody else has changed it" {
  mkdir /etc/nonroot-runc
  printf 'identity.uid = 4567\n' >/etc/nonroot-runc/config.toml
  succeeds /usr/local/sbin/nonroot-ctl policy pin
  succeeds ctl runc --builds off --dry-run
  contains 'pin /etc/nonroot-runc/config.toml again in /etc/nonroot-runc.pin'
  sha256sum --check --strict --status /etc/nonroot-runc.pin
  succeeds ctl runc --builds off
  sha256sum --check --strict --status /etc/nonroot-runc.pin
  runs probe
  shows 'nonroot(4567; 65532)' "$REAL" --root "$STATE" run "$ID"
  succeeds ctl runc --builds off
  contains 'nothing to change'
  succeeds ctl runc --uninstall
  sha256sum --check --strict --status /etc/nonroot-runc.pin
  [[ $(</etc/nonroot-runc/config.toml) == 'identity.uid = 4567' ]]

  printf '# not pinned\n' >>/etc/nonroot-runc/config.toml
  refuses 'differs from the one pinned' ctl runc --builds off
  [[ ! -L $REAL && $(</etc/nonroot-runc/config.toml) != *build* ]]

  # A policy that is the guard's alone goes with it, and so does its pin.
  rm -r /etc/nonroot-runc /etc/nonroot-runc.pin
  succeeds ctl runc --builds off
  succeeds /usr/local/sbin/nonroot-ctl policy pin
  succeeds ctl runc --uninstall
  fresh
  runs probe
  shows 'nonroot(65532; 65532)' "$WRAPPER" --nonroot-runtime "$RUNTIME_PATH" --root "$STATE" run "$ID-after"
  untouched
}

@test "the guard: a policy that is applied without a table for builds keeps the guard's, and that is said" {
  local policy=/etc/nonroot-runc/config.toml apply=(/usr/local/sbin/nonroot-ctl policy apply)
  succeeds ctl runc --builds off
  printf 'identity.uid = 4567\n' >"$BATS_TEST_TMPDIR/new.toml"
  succeeds "${apply[@]}" --dry-run "$BATS_TEST_TMPDIR/new.toml"
  contains "has no [build]: the guard's, by which image builds go, is kept (mode off)"
  succeeds "${apply[@]}" "$BATS_TEST_TMPDIR/new.toml"
  contains 'is kept (mode off)'
  grep -q '^identity.uid = 4567$' "$policy" && grep -q '^mode = "off"$' "$policy" && grep -q '^bundles = ' "$policy" || explain "$(<"$policy")"
  # One's own table counts, and so does standard input.
  says eval 'printf "[build]\nmode = \"rewrite\"\n" | /usr/local/sbin/nonroot-ctl policy apply -'
  [[ $STATUS == 0 && $OUT == *'ok: standard input: mode rewrite'* && $OUT != *'is kept'* && $(<"$policy") == $'[build]\nmode = "rewrite"' ]] || explain "$(<"$policy")"
  succeeds "${apply[@]}" --rollback
  grep -q '^identity.uid = 4567$' "$policy" && grep -q '^mode = "off"$' "$policy" || explain "$(<"$policy")"
  succeeds ctl runc --uninstall
  [[ $(<"$policy") == 'identity.uid = 4567' ]] || explain "$(<"$policy")"
  # Without the guard there is no table to keep.
  printf 'identity.uid = 4568\n' >"$BATS_TEST_TMPDIR/new.toml"
  succeeds "${apply[@]}" "$BATS_TEST_TMPDIR/new.toml"
  [[ $(<"$policy") == 'identity.uid = 4568' && $OUT != *'is kept'* ]] || explain "$(<"$policy")"
  rm -r /etc/nonroot-runc
  rm -rf /var/lib/nonroot-runc/*
  untouched
}

@test "a profile is registered by a link" {
  refuses 'has no policy' ctl podman --profile ci --runtime-name ci
  mkdir /etc/nonroot-runc
  printf 'mode = "refuse"\n' >/etc/nonroot-runc/ci.toml
  succeeds ctl podman --profile ci --runtime-name ci
  [[ $(readlink "$WRAPPER.ci") == nonroot-runc ]]
  grep -qF "ci = [\"$WRAPPER.ci\"]" /etc/containers/containers.conf.d/zz-ci.conf
  succeeds ctl podman --profile ci --runtime-name ci
  contains 'nothing to change'
  ln -sf /bin/true "$WRAPPER.ci"
  refuses 'remove it' ctl podman --profile ci --runtime-name ci
}

@test "podman reads the drop-ins: the system's, and a user's own" {
  succeeds ctl podman --set-default
  [[ $(podman info -f '{{.Host.OCIRuntime.Name}} {{.Host.OCIRuntime.Path}}') == "nonroot $WRAPPER" ]] || explain "$(podman info 2>&1)"
  succeeds ctl podman --uninstall
  [[ ! -e /etc/containers/containers.conf.d ]]

  local home=$LAYERS/home
  install -d -o 4711 -g 4711 "$home"
  run -0 as_user podman --set-default
  [[ $(stat -c '%u %a' "$home/.config/containers/containers.conf.d/zz-nonroot.conf") == '4711 644' ]]
  run -0 as_user podman --uninstall
  [[ -z $(ls -A "$home") ]] || explain "left: $(find "$home")"
}

@test "what needs root says so before anything else, unless the engine is one's own" {
  local home=$LAYERS/home engine
  install -d -o 4711 -g 4711 "$home"
  mkdir -p /etc/docker /etc/containerd /etc/crio
  for engine in docker containerd crio runc; do
    refuses $'needs root\nhint: sudo nonroot-ctl configure '"$engine" as_user "$engine"
    [[ -z $OUT && -z $(find "$home" -mindepth 1) ]] || explain "expected nothing but the message: $(find "$home")"
  done
  refuses $'needs root\nhint: sudo nonroot-ctl configure docker' as_user docker --uninstall
  install -m 600 /dev/null /etc/containerd/config.toml
  refuses $'needs root\nhint: sudo nonroot-ctl configure containerd' as_user containerd
  # What would change may be seen by everybody.
  succeeds as_user crio --dry-run
  contains '+runtime_path'
  # A dockerd of one's own has its file at home.
  install -d -o 4711 -g 4711 "$home/.config" "$home/.config/docker"
  printf '{}\n' >"$home/.config/docker/daemon.json"
  chown 4711:4711 "$home/.config/docker/daemon.json"
  succeeds as_user docker
  jq -e .runtimes.nonroot "$home/.config/docker/daemon.json"
}

@test "an engine that is not here is named, unless its directory or file is" {
  local engine program
  for engine in docker:dockerd containerd:containerd podman:podman crio:crio; do
    program=${engine#*:} engine=${engine%:*}
    # Wherever the machine has it.
    while command -v "$program" >/dev/null; do
      rm "$(command -v "$program")"
      hash -r
    done
    rm -rf "/etc/${engine:?}" /etc/containers
    refuses "there is no $program here" ctl "$engine"
    [[ ! -e /etc/$engine && ! -e /etc/containers ]] || explain "written for $engine"
    succeeds ctl "$engine" --uninstall
    succeeds ctl "$engine" --config "$LAYERS/$engine/conf"
    if [[ $engine == podman ]]; then mkdir /etc/containers; else mkdir "/etc/$engine"; fi
    succeeds ctl "$engine"
  done
  succeeds ctl docker --set-default
  contains 'no dockerd was found that runs'
}

@test "the guard: it stays until the last name goes, and that is said" {
  mkdir /etc/docker
  succeeds ctl docker --guard --builds off
  succeeds ctl docker --runtime-name second
  succeeds ctl docker --uninstall
  contains 'the guard stays while a runtime is registered, and ["second"] still is: nonroot-ctl configure runc --uninstall removes it now'
  guarded
  succeeds ctl docker --runtime-name second --uninstall
  lacks 'the guard stays'
  untouched
}

@test "a wrapper in somebody's home is to be installed, not to be given to root" {
  local home=$LAYERS/home dir
  for dir in "$home/alice" "$home/root"; do
    install -d -o 4711 "$dir"
    install -d "$dir/bin"
    install -m 755 "$REPO/bin/nonroot-runc" "$dir/bin"
  done
  chown 0 "$home/root"
  chown 4711 "$home/root/bin/nonroot-runc"
  for dir in "$home/alice" "$home/root"; do
    refuses 'belongs to uid 4711' ctl podman --binary "$dir/bin/nonroot-runc"
    [[ $ERR == *'install it in /usr/local/sbin (make install)'* && $ERR != *chown* ]] || explain 'expected no chown'
  done
}

@test "a default that is displaced is named" {
  mkdir -p /etc/docker /etc/crio/crio.conf.d
  printf '{"default-runtime": "kata", "runtimes": {"kata": {"path": "/opt/kata"}}}' >/etc/docker/daemon.json
  succeeds ctl docker --dry-run
  lacks warning
  succeeds ctl docker --set-default
  contains 'warning: the default was "kata" ("/opt/kata"): nonroot-runc calls it only if the policy'
  succeeds ctl docker --runtime-name second --set-default
  lacks warning
  printf '[crio.runtime]\ndefault_runtime = "nvidia"\n[crio.runtime.runtimes.nvidia]\nruntime_path = "/usr/bin/nvidia-container-runtime"\n' >/etc/crio/crio.conf.d/99-nvidia.conf
  succeeds ctl crio --set-default
  contains 'warning: the default was "nvidia"'
  contains 'runtimes = ["/usr/local/sbin/nonroot-runc"]'
  printf '[crio.runtime]\ndefault_runtime = "runc"\n' >/etc/crio/crio.conf.d/99-runc.conf
  succeeds ctl crio --uninstall
  succeeds ctl crio --set-default
  lacks warning
}

@test "list: each command that it prints works, also where the guard makes other names nonroot-runc's" {
  local command ctl=/usr/local/sbin/nonroot-ctl
  mkdir -p /etc/docker /etc/containerd
  printf '{"runtimes": {"old": {"path": "runc"}, "older": {"path": "%s"}}}\n' "$REAL" >/etc/docker/daemon.json
  printf 'version = 2\n[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]\nruntime_type = "io.containerd.runc.v2"\n' >/etc/containerd/config.toml
  cp /etc/docker/daemon.json /etc/containerd/config.toml "$BATS_TEST_TMPDIR"
  succeeds ctl docker --runtime-name strict
  succeeds ctl containerd --set-default
  succeeds ctl podman
  succeeds ctl runc --builds off
  succeeds "$ctl" configure list --json
  [[ $(jq -r '.registrations[] | "\(.engine) \(.name)"' <<<"$OUT") == $'docker strict\ncontainerd nonroot\npodman nonroot\nrunc runc' ]] || explain 'other registrations'
  succeeds "$ctl" configure list
  while IFS= read -r command; do
    succeeds sh -c "PATH=/usr/local/sbin:\$PATH; $command"
  done < <(sed -n 's/^  hint: \(nonroot-ctl .*\)/\1/p' <<<"$OUT")
  succeeds "$ctl" configure list --exit-code
  untouched
  cmp /etc/docker/daemon.json "$BATS_TEST_TMPDIR/daemon.json"
  cmp /etc/containerd/config.toml "$BATS_TEST_TMPDIR/config.toml"
}
