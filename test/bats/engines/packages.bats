#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# The packages, on a Debian of their own: installed, upgraded under running containers, not removed while they are needed, removed and
# purged; the rpm in a root of its own.

load engines

setup_file() {
  # Another file of tests may have registered it.
  rm -rf /etc/docker /etc/containerd /etc/containers/containers.conf.d /etc/nonroot-runc /var/lib/nonroot-runc
  mkdir "$BATS_FILE_TMPDIR/aside"
  mv /usr/local/sbin/nonroot-* "$BATS_FILE_TMPDIR/aside/"
  start_dockerd
  docker_image bb
}
teardown_file() {
  no_containers
  # Other files' tests count the images.
  docker rmi --force bb >/dev/null
  stop_dockerd
  NONROOT_RUNC_REMOVE_IN_USE=yes dpkg --purge nonroot-runc >/dev/null 2>&1 || true
  rm -rf /etc/docker
  mv "$BATS_FILE_TMPDIR"/aside/* /usr/local/sbin/
}

# What is mounted must not be there when bats removes its directories.
teardown() { ! mountpoint -q "$BATS_TEST_TMPDIR/root/proc" || umount "$BATS_TEST_TMPDIR/root/proc"; }

deb() { printf '%s/nonroot-runc_%s_amd64.deb' "$NONROOT_PACKAGES" "$1"; }
state() { dpkg-query -W -f '${db:Status-Status}' nonroot-runc 2>/dev/null; }

@test "deb: it installs without any other package, starts nothing, and names the next command" {
  succeeds dpkg --install "$(deb 1.0.0)"
  contains 'no engine uses it yet'
  contains 'nonroot-ctl setup'
  [[ $(state) == installed && ! -e /etc/docker/daemon.json && ! -e /etc/containers/containers.conf.d ]] || explain 'an engine was configured'
  [[ -z $(dpkg-query -W -f '${Depends}${Pre-Depends}' nonroot-runc) ]] || explain 'it needs others'
  [[ $(dpkg-query -W -f '${Conffiles}' nonroot-runc) == *' /etc/nonroot-runc/config.toml '* ]] || explain 'the policy is no conffile'
  succeeds nonroot-ctl version
  contains 1.0.0
  # What lies there changes nothing as long as no line of it is set.
  succeeds nonroot-ctl policy show --engine docker
  contains 'mode      rewrite'
  succeeds nonroot-ctl policy check
  local file
  for file in man/man8/nonroot-ctl.8.gz doc/nonroot-runc/{copyright,docs/policy.md,docs/checks/runs-as-root.md,nonroot-runc.cdx.json} nonroot-runc/policies/workstation.toml; do
    [[ -s /usr/share/$file ]] || explain "/usr/share/$file is missing"
  done
  succeeds nonroot-ctl configure list --exit-code
}

@test "deb: setup makes it Docker's default, an upgrade and a downgrade leave running containers alone" {
  succeeds nonroot-ctl setup --yes --engine docker
  contains 'nonroot-ctl configure docker --set-default --reload'
  contains 'nonroot-ctl configure docker --uninstall'
  await eval '[[ $(docker info -f "{{.DefaultRuntime}}") == nonroot ]]'
  docker run -d --name web bb probe pause >/dev/null
  shows nonroot docker exec web probe
  local pid
  pid=$(docker inspect -f '{{.State.Pid}}' web)
  succeeds dpkg --install "$(deb 1.0.1)"
  lacks 'no engine uses it yet'
  succeeds nonroot-ctl version
  contains 1.0.1
  shows nonroot docker exec web probe
  shows nonroot docker run --rm bb probe
  printf '# mine\n' >>/etc/nonroot-runc/config.toml
  succeeds dpkg --force-downgrade --install "$(deb 1.0.0)"
  [[ $(tail -n 1 /etc/nonroot-runc/config.toml) == '# mine' ]] || explain 'the policy was replaced'
  shows nonroot docker exec web probe
  [[ $(docker inspect -f '{{.State.Pid}}' web) == "$pid" && -e /proc/$pid ]] || explain 'the container was stopped'
  succeeds docker restart --time 0 web
}

@test "deb: it is not removed while Docker or a container needs it, and says what to do" {
  fails_with 1 dpkg --remove nonroot-runc
  [[ $ERR == *'nonroot-runc is in use, and is not removed'* && $ERR == *'docker: "nonroot" ("/usr/sbin/nonroot-runc"), the default'* &&
    $ERR == *'hint: nonroot-ctl configure docker --uninstall'* && $ERR == *'container "web" (docker) runs with nonroot-runc'* ]] || explain 'what needs it?'
  [[ $(state) == installed && -x /usr/sbin/nonroot-runc ]] || explain "$(state)"
  shows nonroot docker exec web probe

  docker rm --force web >/dev/null
  succeeds nonroot-ctl configure docker --uninstall
  fails_with 0 nonroot-ctl configure list --exit-code
  ended dockerd
  succeeds dpkg --remove nonroot-runc
  [[ $(state) == config-files && ! -e /usr/sbin/nonroot-runc && ! -e /usr/bin/nonroot-ctl && -e /etc/nonroot-runc/config.toml ]] || explain "$(state)"
  start_dockerd
  shows root docker run --rm bb probe
}

@test "deb: what can't be read is no all-clear, and whoever must can remove it all the same" {
  succeeds dpkg --install "$(deb 1.0.0)"
  mkdir -p /etc/docker
  echo '{' >/etc/docker/daemon.json
  fails_with 1 dpkg --remove nonroot-runc
  [[ $ERR == *'can not be told'*/etc/docker/daemon.json* && $(state) == installed ]] || explain "$(state)"
  succeeds env NONROOT_RUNC_REMOVE_IN_USE=yes dpkg --remove nonroot-runc
  rm -r /etc/docker
  mkdir -p /var/lib/nonroot-runc/leases
  succeeds dpkg --purge nonroot-runc
  [[ ! -e /etc/nonroot-runc && ! -e /var/lib/nonroot-runc ]] || explain "$(find /etc/nonroot-runc /var/lib/nonroot-runc)"
}

@test "rpm: the same files, installed, upgraded and removed in a root of its own" {
  local root=$BATS_TEST_TMPDIR/root
  mkdir -p "$root"
  image | tar -C "$root" -x
  mkdir -p "$root/tmp" "$root/proc"
  mount -t proc proc "$root/proc"
  rpm_there() { rpm --root "$root" --force-debian --nodeps "$@"; }
  succeeds rpm_there --install "$NONROOT_PACKAGES/nonroot-runc-1.0.0-1.x86_64.rpm"
  contains 'nonroot-ctl setup'
  [[ $(chroot "$root" /usr/bin/nonroot-ctl version) == *1.0.0* ]] || explain "$(chroot "$root" /usr/bin/nonroot-ctl version)"
  printf 'mode = "audit"\n' >"$root/etc/nonroot-runc/config.toml"
  succeeds rpm_there --upgrade "$NONROOT_PACKAGES/nonroot-runc-1.0.1-1.x86_64.rpm"
  [[ $(chroot "$root" /usr/bin/nonroot-ctl version) == *1.0.1* && $(<"$root/etc/nonroot-runc/config.toml") == 'mode = "audit"' ]] || explain 'upgrade'
  mkdir -p "$root/etc/docker"
  printf '{"runtimes": {"nonroot": {"path": "/usr/sbin/nonroot-runc"}}}' >"$root/etc/docker/daemon.json"
  says rpm_there --erase nonroot-runc
  [[ $STATUS != 0 && $ERR == *'hint: nonroot-ctl configure docker --uninstall'* && -x $root/usr/sbin/nonroot-runc ]] || explain 'erased'
  rm -r "$root/etc/docker"
  succeeds rpm_there --erase nonroot-runc
  [[ ! -e $root/usr/sbin/nonroot-runc && ! -e $root/usr/share/nonroot-runc ]] || explain "$(find "$root" -name '*nonroot*')"

  # Beside the place of zsh's file, both kinds have the same.
  contents() { sed 's#zsh/[a-z-]*#zsh#' | sort; }
  [[ $(rpm -qp --qf '[%{FILEMODES:perms} %{FILENAMES}\n]' "$NONROOT_PACKAGES/nonroot-runc-1.0.0-1.x86_64.rpm" | sed -n 's/^-[^ ]* //p' | contents) == $(dpkg-deb --fsys-tarfile "$(deb 1.0.0)" | tar -t | sed -n 's#^\./#/#; /[^/]$/p' | contents) ]] || explain 'they differ'
}

@test "arm64: programs of that architecture, of which nonroot-ctl runs under an emulator" {
  local there=$BATS_TEST_TMPDIR/arm64 program
  dpkg-deb --extract "$NONROOT_PACKAGES/nonroot-runc_1.0.0_arm64.deb" "$there"
  for program in sbin/nonroot-runc bin/nonroot-ctl; do
    [[ $(readelf --file-header "$there/usr/$program") == *AArch64* ]] || explain "$program"
  done
  succeeds qemu-aarch64-static "$there/usr/bin/nonroot-ctl" version
  contains 1.0.0
}

# Debian's emulator (QEMU 7.2) has no openat2, without which nothing of a rootfs is opened: a container is refused, as on
# a kernel that is too old. What decides runs there, with its tests (hack/test-release).
@test "arm64: under an emulator, nonroot-runc passes calls on to runc, and refuses to make a container" {
  local there=$BATS_TEST_TMPDIR/arm64 bundle=$BATS_TEST_TMPDIR/bundle
  dpkg-deb --extract "$NONROOT_PACKAGES/nonroot-runc_1.0.0_arm64.deb" "$there"
  succeeds qemu-aarch64-static "$there/usr/sbin/nonroot-runc" --version
  contains 'runc version'
  mkdir -m 700 "$bundle"
  cp -a "$NONROOT_BATS_KIT" "$bundle/rootfs"
  jq '.process.args = ["id"]' "$REPO/test/bats/config.json" >"$bundle/config.json"
  succeeds runc run --bundle "$bundle" bare
  contains 'uid=0(root)'
  fails_with 1 qemu-aarch64-static "$there/usr/sbin/nonroot-runc" run --bundle "$bundle" arm64
  [[ $ERR == *'this kernel has no openat2'* ]] || explain 'another reason'
  [[ -z $(runc list --quiet) ]] || explain 'there is a container'
}

@test "a package of the same commit has the same bytes" {
  local file
  for file in nonroot-runc_1.0.0_amd64.deb nonroot-runc-1.0.0-1.x86_64.rpm; do
    cmp "$NONROOT_PACKAGES/$file" "$NONROOT_PACKAGES/again/$file"
  done
}

@test "completions: bash, zsh and fish offer what comes next" {
  local there=$BATS_TEST_TMPDIR/completions
  dpkg-deb --extract "$(deb 1.0.0)" "$there"
  export PATH=$there/usr/bin:$PATH
  # shellcheck disable=SC2016 # bash is to expand it
  succeeds bash -c 'source "$1" && COMP_WORDS=(nonroot-ctl configure docker --set) COMP_CWORD=3 && _nonroot_ctl nonroot-ctl && printf "%s\n" "${COMPREPLY[@]}"' \
    - "$there/usr/share/bash-completion/completions/nonroot-ctl"
  [[ $OUT == --set-default ]] || explain bash
  succeeds fish --no-config -c "source $there/usr/share/fish/vendor_completions.d/nonroot-ctl.fish; complete -C 'nonroot-ctl configure docker --set'"
  [[ $OUT == --set-default$'\t'* ]] || explain fish
  # zsh has its completion's builtins at a terminal only: the file's own call is looked at.
  # shellcheck disable=SC2016 # zsh is to expand it
  succeeds zsh -f -c 'compadd() { print -rl -- $names; }; typed() { local -a words=(nonroot-ctl configure docker --set) && local CURRENT=4 && source "$1"; }; typed "$1"' \
    - "$there/usr/share/zsh/vendor-completions/_nonroot-ctl"
  [[ $OUT == --set-default ]] || explain zsh
}
