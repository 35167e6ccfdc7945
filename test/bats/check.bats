#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# What nonroot-ctl check says of Dockerfiles, and its exit status.

load helpers

setup() { cd "$BATS_TEST_TMPDIR" || return; }

ctl() { "$REPO/bin/nonroot-ctl" "$@"; }

@test "check: an image that runs as root, why, and what the policy makes of it" {
  printf 'FROM debian\nARG U\nRUN useradd app\nUSER ${U}\n' >Dockerfile
  fails_with 1 ctl check Dockerfile
  [[ $OUT == 'Dockerfile: runs as root'* && $OUT == *'Dockerfile:4: error: '*'as nothing gives U a value [runs-as-root]'* &&
    $OUT == *$'\n    USER ${U}\n         ^^^^\n  hint: '* && $OUT == *'the policy runs it as 65532:65532'* ]] || explain 'expected the reason'
  fails_with 0 ctl check --build-arg U=1001:1001 Dockerfile
}

@test "check: what is not known is no pass, and --base says it" {
  printf 'FROM example.org/base:1\n' >Dockerfile
  fails_with 1 ctl check .
  [[ $OUT == *user-unknown* ]] || explain 'expected that it is unknown'
  fails_with 0 ctl check --base example.org/base=1001:1001 .
  fails_with 1 ctl check --base example.org/base=0 .
}

@test "check: exit statuses, and JSON" {
  printf 'FROM debian\nUSER app\n' >Dockerfile
  fails_with 0 ctl check Dockerfile
  fails_with 1 ctl check --fail-on note Dockerfile
  printf 'FROM debian\nUSR app\n' >Broken
  fails_with 2 ctl check Broken Dockerfile
  [[ $OUT == *"it can't be read"*'runs as "app", not as root'* ]] || explain 'expected both files'
  fails_with 2 ctl check "$BATS_TEST_TMPDIR/none"
  fails_with 2 ctl check
  fails_with 2 ctl check --fail-on never Dockerfile
  fails_with 2 ctl check --no-such-option Dockerfile
  export CTL=$REPO/bin/nonroot-ctl
  fails_with 1 sh -c 'echo FROM debian | "$CTL" check --json -'
  jq -e '.results[0] | .verdict == "root" and .findings[0].id == "runs-as-root" and .findings[0].line == 1' <<<"$OUT" || explain 'expected JSON'
}

@test "check: the entrypoint is read where it is there, and nothing outside of the directory" {
  printf 'FROM debian\nCOPY start.sh /start.sh\nUSER 1:1\nENTRYPOINT ["/start.sh"]\n' >Dockerfile
  fails_with 0 ctl check Dockerfile
  printf '#!/bin/sh\nexec gosu app "$@"\n' >start.sh
  fails_with 1 ctl check Dockerfile
  [[ $OUT == *'by "start.sh": gosu changes to another user'* ]] || explain 'expected the script'
  mkdir inner
  mv start.sh real.sh
  ln -s ../real.sh inner/start.sh
  CTL=$REPO/bin/nonroot-ctl fails_with 0 sh -c '"$CTL" check - <Dockerfile'
  mv Dockerfile inner
  fails_with 0 ctl check inner
}

@test "check: a directory, by what git ignores; formats, explain and a baseline" {
  git init -q .
  mkdir -p a/b dist
  printf 'FROM debian\n' | tee a/b/Dockerfile >dist/Dockerfile
  printf 'FROM debian\nUSER 1:1\n' >a/app.Dockerfile
  printf '/dist\n' >.gitignore
  fails_with 1 ctl check .
  [[ $OUT == *'a/app.Dockerfile: runs as "1:1"'*'a/b/Dockerfile: runs as root'* && $OUT != *dist/* ]] || explain 'expected two files'
  fails_with 1 ctl check --format sarif .
  jq -e '.version == "2.1.0" and .runs[0].results[0].ruleId == "runs-as-root"' <<<"$OUT" || explain 'expected SARIF'
  fails_with 1 ctl check --format github .
  [[ $OUT == '::error file=a/b/Dockerfile,line=1,title=runs-as-root::'* ]] || explain 'expected an annotation'
  fails_with 1 ctl check --format junit .
  [[ $OUT == '<?xml '*'<testsuites name="nonroot-ctl check" tests="2" failures="1">'* ]] || explain 'expected JUnit'
  fails_with 2 ctl check --format yaml .
  fails_with 0 ctl check --explain runs-as-root
  [[ $OUT == '# The image runs as root'* ]] || explain 'expected the page'
  fails_with 2 ctl check --explain nothing
  fails_with 1 ctl check --write-baseline known .
  fails_with 0 ctl check --baseline known .
  [[ $OUT == *'a/b/Dockerfile:1: ignored: it was there'* ]] || explain 'expected that it is named'
  printf 'RUN chmod u+s /x\n' >>a/b/Dockerfile
  fails_with 1 ctl check --baseline known .
  printf 'USER 5:5\n' >a/b/Dockerfile
  fails_with 2 ctl check --baseline known .
}

# archive NAME USER: an image of one layer as docker save writes it; its passwd has app as 1000:1000.
archive() {
  mkdir -p "$1.d/etc"
  printf 'root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/:/bin/sh\n' >"$1.d/etc/passwd"
  printf 'app:x:1000:\n' >"$1.d/etc/group"
  tar -C "$1.d" -cf layer.tar .
  printf '{"architecture":"amd64","os":"linux","config":{"User":"%s"},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
    "$2" "$(sha256sum layer.tar | cut -d' ' -f1)" >config.json
  printf '[{"Config":"config.json","RepoTags":["app:1"],"Layers":["layer.tar"]}]' >manifest.json
  tar -cf "$1" layer.tar config.json manifest.json
}

@test "check: archives of images, by name and on standard input" {
  archive root.tar ''
  fails_with 1 ctl check root.tar
  [[ $OUT == *'root.tar: app:1: runs as root'*'the policy runs it as 1000:1000'*'[runs-as-root]'* ]] || explain 'expected whom it was built for'
  archive app.tar app
  CTL=$REPO/bin/nonroot-ctl fails_with 0 sh -c '"$CTL" check - <app.tar'
  head -c 5000 root.tar >cut.tar
  fails_with 2 ctl check cut.tar
  [[ $OUT == *"it can't be read"* ]] || explain 'expected that it is cut off'
  fails_with 2 ctl check docker-daemon:no-such-image:at-all
}
