#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# What nonroot-ctl check says of Dockerfiles, and its exit status.

load helpers

setup() {
  export CTL=$REPO/bin/nonroot-ctl
  cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
  [[ -n ${STATE:-} ]] || return 0
  end_containers
  unlayered
}

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
  fails_with 1 sh -c 'echo FROM debian | "$CTL" check --json -'
  jq -e '.results[0] | .verdict == "root" and .findings[0].id == "runs-as-root" and .findings[0].line == 1' <<<"$OUT" || explain 'expected JSON'
}

@test "check: the entrypoint is read where it is there, and nothing outside of the directory" {
  printf 'FROM debian\nCOPY start.sh /start.sh\nUSER 1:1\nENTRYPOINT ["/start.sh"]\n' >Dockerfile
  fails_with 0 ctl check Dockerfile
  printf '#!/bin/sh\nexec gosu app "$@"\n' >start.sh
  fails_with 1 ctl check Dockerfile
  [[ $OUT == *'by "start.sh": gosu changes to another user'* ]] || explain 'expected the script'
  printf '*.sh\n' >.dockerignore
  fails_with 0 ctl check Dockerfile
  printf '!start.sh\n' >>.dockerignore
  fails_with 1 ctl check Dockerfile
  : >Dockerfile.dockerignore
  printf '*\n' >.dockerignore
  fails_with 1 ctl check Dockerfile
  rm Dockerfile.dockerignore
  mkdir lib
  printf 'FROM debian\n' >lib/Dockerfile
  # What leaves out all but a list does not mean lib, which may have a context of its own.
  fails_with 1 ctl check .
  fails_with 0 ctl check --exclude /lib .
  printf 'lib\n*.sh\n' >.dockerignore
  fails_with 0 ctl check .
  [[ $ERR == *'1 Dockerfile in directories of "." that .dockerignore leaves out not checked'* ]] || explain 'expected that it is told'
  fails_with 1 ctl check lib
  rm -r .dockerignore lib
  mkdir named
  printf 'FROM debian\nUSER 5:5\n' | tee named/Dockerfile >named/Dockerfile.go
  printf 'package named\n' >named/dockerfile.go
  fails_with 0 ctl check named
  [[ $OUT == *'named/Dockerfile.go: runs as "5:5"'* ]] || explain 'expected a Dockerfile by what it says'
  [[ $ERR == *'1 file in "named" named like a Dockerfile, and none by content, not checked: named/dockerfile.go'* ]] || explain 'expected that it is told'
  rm -r named
  mkdir inner
  mv start.sh real.sh
  ln -s ../real.sh inner/start.sh
  fails_with 0 sh -c '"$CTL" check - <Dockerfile'
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
  fails_with 0 sh -c '"$CTL" check - <app.tar'
  head -c 5000 root.tar >cut.tar
  fails_with 2 ctl check cut.tar
  [[ $OUT == *"it can't be read"* ]] || explain 'expected that it is cut off'
  fails_with 2 ctl check docker-daemon:no-such-image:at-all
}

@test "check: an archive on standard input takes at most half of what is free, and leaves nothing" {
  archive root.tar ''
  mkdir small
  mount -t tmpfs -o size=16m tmpfs small
  export TMPDIR=$PWD/small
  fails_with 1 sh -c '"$CTL" check - <root.tar'
  fails_with 2 sh -c '{ cat root.tar; cat /dev/zero; } | "$CTL" check -'
  [[ $ERR == *'has more than 8'*' bytes, half of what is free in '*'hint: save it as a file'* ]] || explain 'expected what to do'
  # Nothing is left by a signal either, and the program ends.
  mkfifo pipe
  "$CTL" check - <pipe >/dev/null 2>&1 &
  local pid=$!
  exec 7>pipe
  {
    cat root.tar
    head -c 1000000 /dev/zero
  } >&7
  await sh -c 'ls -l "/proc/$1/fd" | grep -q "$TMPDIR"' - "$pid"
  kill -TERM "$pid"
  exec 7>&-
  fails_with 143 wait "$pid"
  [[ -z $(ls -A small) ]] || explain 'expected an empty directory'
  umount small
}

@test "check: manifests, in a directory and on standard input, and what can't be read whole" {
  mkdir -p k chart/templates
  cat >k/app.yaml <<'EOF'
apiVersion: apps/v1
kind: Deployment
metadata: {name: app, namespace: prod}
spec:
  template:
    spec:
      securityContext: {runAsUser: 1000, runAsGroup: 1000}
      initContainers:
      - {name: prepare, image: example.org/tools, securityContext: {runAsUser: 0}}
      containers:
      - {name: app, image: example.org/app}
EOF
  printf 'apiVersion: v1\nkind: Pod\nspec: {{ x }}\n' >chart/templates/pod.yaml
  printf 'apiVersion: v2\nname: x\n' >chart/Chart.yaml
  fails_with 1 ctl check k
  [[ $OUT == *'k/app.yaml:9: error: runAsUser is 0 (container) [pod-runs-as-root]'* && $OUT == *'prod/app, container app: runs as "1000", not as root'* ]] ||
    explain 'expected the init container'
  fails_with 1 ctl check .
  [[ $ERR == *"1 template of Helm's"* ]] || explain 'expected that templates are not checked'
  fails_with 1 sh -c '"$CTL" check - <k/app.yaml'
  fails_with 0 sh -c 'sed "s/runAsUser: 0/runAsUser: 5/" k/app.yaml | "$CTL" check -'
  # In a namespace with the label, nobody is root, wherever the label is said.
  fails_with 0 ctl check --labelled-namespace prod k
  [[ $OUT == *'init container prepare: asks for root, and runs under nonroot-runc, as somebody else'* ]] || explain 'expected that it runs as somebody else'
  fails_with 0 sh -c 'sed "s/, namespace: prod//" k/app.yaml | "$CTL" check --labelled-namespace prod --namespace prod -'
  fails_with 1 sh -c 'sed "s/, namespace: prod//" k/app.yaml | "$CTL" check --labelled-namespace prod -'
  printf 'apiVersion: v1\nkind: Namespace\nmetadata: {name: prod, labels: {nonroot-runc.io/runtime: nonroot}}\n' >k/namespace.yaml
  fails_with 0 ctl check k
  fails_with 1 ctl check k/app.yaml
  mkdir other
  printf 'apiVersion: v1\nkind: Namespace\nmetadata: {name: prod}\n' >other/namespace.yaml
  fails_with 1 ctl check k other
  rm k/namespace.yaml
  # So it is with the level of Pod Security.
  printf 'apiVersion: v1\nkind: Namespace\nmetadata: {name: prod, labels: {pod-security.kubernetes.io/enforce: restricted, pod-security.kubernetes.io/enforce-version: v1.20}}\n' >other/namespace.yaml
  sed 's/runAsUser: 0/runAsUser: 5/' k/app.yaml >k/five.yaml
  fails_with 0 ctl check k/five.yaml
  fails_with 1 ctl check k/five.yaml other
  [[ $OUT == *'k/five.yaml:6: error: the namespace "prod" has a level by which the API server refuses its pods: violates PodSecurity "restricted:v1.20": '*'(containers "prepare", "app" must set securityContext.allowPrivilegeEscalation=false)'*'[pod-security]'* ]] ||
    explain 'expected the words of the API server'
  fails_with 1 ctl check --format sarif k/five.yaml other
  [[ $OUT == *'"ruleId": "pod-security"'* ]] || explain 'expected the finding'
  fails_with 0 ctl check --pod-security privileged k/five.yaml other
  fails_with 0 ctl check --pod-security baseline k/five.yaml
  [[ $OUT == *'Pod Security baseline:latest lets the pod in'* ]] || explain 'expected that it was asked'
  fails_with 1 ctl check --pod-security restricted k/five.yaml
  fails_with 2 ctl check --pod-security strict k/five.yaml
  [[ $ERR == *'hint: write LEVEL or LEVEL:VERSION'* ]] || explain 'expected a hint'
  rm k/five.yaml
  fails_with 2 ctl check chart/templates/pod.yaml
  fails_with 2 sh -c '{ cat k/app.yaml; printf -- "---\nkind: [\n"; } | "$CTL" check -'
}

@test "check: Compose files, by their Dockerfiles and variables" {
  mkdir app
  printf 'FROM debian\nARG U=0\nUSER ${U}\n' >app/Dockerfile
  printf 'services:\n  app:\n    build: {context: app, args: {U: "5:5"}}\n  db:\n    image: example.org/db\n    user: "${DB:-0}"\n' >compose.yaml
  fails_with 1 ctl check compose.yaml
  [[ $OUT == *'service app: runs as "5:5", not as root'*'compose.yaml:6: error: user is "0" [service-runs-as-root]'* ]] || explain 'expected both services'
  DB=7:7 fails_with 0 ctl check compose.yaml
  DB=7:7 fails_with 0 sh -c '"$CTL" check - <compose.yaml'
  # A secret that is a file keeps its owner and mode, whatever the file says; where it is not there, nothing is known.
  printf 'services:\n  app: {image: example.org/app, user: "5:5", secrets: [{source: token, uid: "5", mode: 0444}]}\nsecrets: {token: {file: token}}\n' >compose.yaml
  fails_with 0 ctl check compose.yaml
  install -m 0400 /dev/null token
  fails_with 1 ctl check compose.yaml
  [[ $OUT == *'token" of 0:0 with mode 0400, and the service runs as 5 [closed-service-secret]'* ]] || explain 'expected the file'
  chown 5 token
  fails_with 0 ctl check compose.yaml
  printf 'services:\n  app: {usr: 5}\n' >compose.yaml
  fails_with 2 ctl check compose.yaml
}

@test "check: a Compose file leads to nothing outside of its repository" {
  mkdir -p repo/a elsewhere
  git init -q repo
  printf 'services: {x: {image: y, user: "${PW}"}}\n' >repo/a/x.yaml
  printf 'PW=hunter2\n' >elsewhere/s.env
  printf 'topsecret\n' >elsewhere/secret
  printf 'FROM debian\nUSER 5:5\n' >repo/Dockerfile
  cd repo/a
  printf 'services: {b: {build: {context: ., dockerfile: ../../elsewhere/secret}}}\n' >compose.yaml
  fails_with 1 ctl check compose.yaml
  [[ $OUT == *'is outside of '*' and is not read'* && $OUT != *topsecret* ]] || explain 'expected that it is not read'
  printf 'include: [{path: x.yaml, env_file: ../../elsewhere/s.env}]\n' >compose.yaml
  fails_with 2 ctl check compose.yaml
  [[ $OUT == *'is outside of '*'docker compose config'* && $OUT != *hunter2* ]] || explain 'expected that it is not read'
  printf 'services: {b: {build: ..}}\n' >compose.yaml
  fails_with 0 ctl check compose.yaml
  # What is piped may lead anywhere.
  printf 'FROM debian\nUSER 5:5\n' >../../elsewhere/Dockerfile
  printf 'services:\n  b: {build: ../../elsewhere}\n' >compose.yaml
  fails_with 1 ctl check compose.yaml
  fails_with 0 sh -c '"$CTL" check - <compose.yaml'
}

@test "check: what is found in an included Compose file is said once, and ignored there" {
  mkdir -p api
  printf 'include: [api/compose.yaml]\nservices:\n  web: {image: example.org/web, user: "5:5"}\n' >compose.yaml
  printf 'services:\n  api:\n    image: example.org/api\n    user: root\n' >api/compose.yaml
  fails_with 1 ctl check .
  [[ $OUT == *'compose.yaml: service api: runs as root'*'api/compose.yaml, line 4: user is "root"'* ]] || explain 'expected the place'
  [[ $(grep -c 'api/compose.yaml:4: error: user is "root"' <<<"$OUT") == 1 ]] || explain 'expected it once'
  fails_with 1 ctl check compose.yaml
  [[ $OUT == *'api/compose.yaml:4: error: user is "root"'* ]] || explain 'expected the place'
  sed -i 's/user: root/user: root # nonroot-ctl: ignore service-runs-as-root a builder/' api/compose.yaml
  fails_with 0 ctl check .
  fails_with 0 ctl check compose.yaml
}

@test "check: a patch of a Kustomization is no workload, and what in it asks for root is found" {
  mkdir -p base over
  printf 'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec:\n  template:\n    spec:\n      securityContext: {runAsUser: 5, runAsGroup: 5}\n      containers: [{name: c, image: example.org/app}]\n' >base/app.yaml
  printf 'resources: [app.yaml]\n' >base/kustomization.yaml
  printf 'resources: [../base]\npatches:\n- path: image.yaml\n' >over/kustomization.yaml
  printf 'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {template: {spec: {containers: [{name: c, image: example.org/other}]}}}\n' >over/image.yaml
  fails_with 0 ctl check .
  [[ $ERR == *'1 patch of Kustomizations in "." checked without what'*'kustomize build DIRECTORY'* ]] || explain 'expected a word about the patch'
  fails_with 0 ctl check over/image.yaml
  printf -- '- path: user.yaml\n  target: {kind: Deployment}\n' >>over/kustomization.yaml
  printf -- '- op: replace\n  path: /spec/template/spec/securityContext/runAsUser\n  value: 0\n' >over/user.yaml
  fails_with 1 ctl check .
  [[ $OUT == *'over/user.yaml:2: error: the patch sets runAsUser to 0 [pod-runs-as-root]'*'kustomize build'* ]] || explain 'expected the patch'
}

@test "check: an override beside a Compose file is merged in a directory, and where both are named" {
  mkdir p
  printf 'services:\n  app:\n    image: example.org/app\n    user: "5:5"\n' >p/compose.yaml
  printf 'services:\n  app:\n    user: root\n' >p/docker-compose.override.yml
  fails_with 1 ctl check p
  [[ $OUT == *'p/compose.yaml: service app: runs as root'*'p/docker-compose.override.yml:3: error: user is "root" [service-runs-as-root]'* && $OUT != *'names no image'* ]] ||
    explain 'expected one project'
  fails_with 1 ctl check p/docker-compose.override.yml p/compose.yaml
  [[ $OUT == *'p/docker-compose.override.yml:3: error: user is "root" [service-runs-as-root]'* ]] || explain 'expected one project'
  # A file that is named is checked as docker compose -f reads it, and that is said.
  fails_with 0 ctl check p/compose.yaml
  [[ $ERR == *'without "p/docker-compose.override.yml" beside it'* ]] || explain 'expected a word about the override'
  # Whoever has the file mends the finding there.
  printf 'services:\n  app:\n    # nonroot-ctl: ignore service-runs-as-root for the debugger\n    user: root\n' >p/docker-compose.override.yml
  fails_with 0 ctl check p
}

@test "check: what is known of bases, and --bases and --local" {
  printf 'FROM node:22-alpine\n' >Dockerfile
  fails_with 1 ctl check Dockerfile
  [[ $OUT == *'runs as root'*'nodejs/docker-node@'* ]] || explain 'expected the source'
  printf 'FROM example.org/own:1\nUSER $APP\n' >Dockerfile
  fails_with 1 ctl check Dockerfile
  [[ $OUT == *'it is not known who it runs as'* ]] || explain 'expected no answer'
  printf '[[base]]\nimage = "example.org/own"\ntags = ["1"]\nuser = ""\nenv = ["APP=5:5"]\ndate = "2026-01-01"\nsource = "us"\n' >bases.toml
  fails_with 0 ctl check --bases bases.toml Dockerfile
  sed -i 's/^user/usr/' bases.toml
  fails_with 2 ctl check --bases bases.toml Dockerfile
  mkdir path
  printf '#!/bin/sh\n[ "$*" = "image inspect -- example.org/own:1" ] && echo %s\n' "'"'[{"Os":"linux","Config":{"User":"7","Env":["APP=0"]}}]'"'" >path/podman
  chmod +x path/podman
  PATH=$PWD/path:$PATH fails_with 1 ctl check --local podman Dockerfile
  [[ $OUT == *'runs as root'*'podman has it here'* ]] || explain 'expected what podman has'
  fails_with 2 ctl check --local none Dockerfile
}

@test "check: the action, the job for GitLab and the pre-commit hook" {
  printf 'FROM debian\n' >Dockerfile
  printf 'FROM debian\nUSER 1:1\n' >other.Dockerfile
  local action=$REPO/.github/actions/check
  CHECK_PATHS=$'Dockerfile\nother.Dockerfile' CHECK_SARIF=out.sarif NONROOT_CTL=$CTL GITHUB_ACTION_PATH=$action fails_with 1 "$action/run"
  [[ $OUT == '::error file=Dockerfile,line=1,title=runs-as-root::'* ]] || explain 'expected an annotation'
  jq -e '.runs[0].results | length == 1' out.sarif || explain 'expected SARIF'
  CHECK_PATHS='other.Dockerfile' CHECK_FAIL_ON=note NONROOT_CTL=$CTL GITHUB_ACTION_PATH=$action fails_with 0 "$action/run"
  # An input is no code, and no option.
  CHECK_PATHS='$(touch pwned) --explain' NONROOT_CTL=$CTL GITHUB_ACTION_PATH=$action fails_with 2 "$action/run"
  [[ ! -e pwned ]] || explain 'the input was run'
  local job
  job=$(sed -n 's/^    - \(nonroot-ctl check .*\)/\1/p' "$REPO/docs/check.md")
  PATH=$REPO/bin:$PATH fails_with 1 sh -c "$job"
  grep -q '<failure type="runs-as-root"' nonroot.xml || explain 'expected a report'
  local entry
  entry=$(sed -n 's/^  entry: //p' "$REPO/.pre-commit-hooks.yaml")
  entry+=" $(sed -n 's/^  args: \[\([^]]*\)\].*/\1/p' "$REPO/.pre-commit-hooks.yaml")"
  PATH=$REPO/bin:$PATH fails_with 1 sh -c "$entry Dockerfile other.Dockerfile"
  # The name of a file is no option.
  cp Dockerfile ./--explain=root.Dockerfile
  PATH=$REPO/bin:$PATH fails_with 1 sh -c "$entry --explain=root.Dockerfile other.Dockerfile"
  printf 'x: y\n' >values.yaml
  fails_with 2 ctl check values.yaml
  [[ $OUT == *"neither objects of Kubernetes'"* ]] || explain 'expected what it is not'
}

@test "check: --fix changes a file in its place, and nothing where it is not sure" {
  printf 'FROM alpine:3.20\r\nCMD ["sleep", "60"]\n' >real
  chmod 640 real
  ln -s real Dockerfile
  fails_with 0 ctl check --fix Dockerfile
  [[ $ERR == *'fixed Dockerfile: the image ends with the user 10001:10001'* && $OUT == *'runs as "10001:10001"'* ]] || explain 'expected the change'
  [[ -L Dockerfile && $(stat -c %a real) == 640 && $(head -c 20 real | od -c) == *'\r'* && $(tail -1 real) == 'USER 10001:10001' ]] || explain "$(cat real)"
  cp real before
  fails_with 0 ctl check --fix Dockerfile
  cmp real before
  printf 'FROM debian\nENTRYPOINT ["gosu", "app"]\n' >real
  fails_with 1 ctl check --fix Dockerfile
  [[ $ERR == *'not fixed in Dockerfile: runs-as-root: it needs root for what else is found (steps-down)'* ]] || explain 'expected why'
  [[ $(cat real) == $'FROM debian\nENTRYPOINT ["gosu", "app"]' ]] || explain 'expected that it stays'
}

@test "check: a bundle has the answer that the runtime then gives, with its place in config.json" {
  setup_bundle
  mkdir -p "$ROOTFS/srv/app"
  runs probe pause
  layered
  local before
  before=$(find "$BUNDLE" -maxdepth 1 -type f -exec sha256sum {} + | sort)
  fails_with 1 ctl check --policy "$POLICY" --json "$BUNDLE"
  jq -e '.results[0] | .verdict == "root" and .user == "0:0" and (.policy | test("runs it as 65532:65532"))
    and (.given | index("/srv")) and (.findings[0] | .id == "bundle-runs-as-root" and .line > 1 and .length == 1)' <<<"$OUT" || explain 'expected root'
  [[ $(find "$BUNDLE" -maxdepth 1 -type f -exec sha256sum {} + | sort) == "$before" ]] || explain 'something was written'
  local given
  given=$(jq -c '.results[0].given' <<<"$OUT")
  # As runc spec indents it.
  mkdir -p tabs/rootfs
  jq --tab . "$BUNDLE/config.json" >tabs/config.json
  fails_with 1 ctl check --policy "$POLICY" tabs
  [[ $OUT == *$'\n       "uid": 0'* ]] || explain 'expected spaces in place of tabs'
  created nonroot
  jq -r '.[]' <<<"$given" | while IFS= read -r dir; do
    [[ $(stat -c %u "$ROOTFS$dir") == 65532 ]] || explain "expected that $dir is given"
  done
  fails_with 0 ctl check --policy "$POLICY" "$BUNDLE"
  [[ $OUT == *'runs as "65532:65532", not as root'*'config.json asked for the user 0:0, and nonroot-runc has made the container with 65532:65532'* ]] ||
    explain 'expected what was decided'
  printf '{"ociVersion": "1.0.2", "process": {"user": {"uid": 0, "uid": 5}}}' >config.json
  fails_with 2 ctl check --policy "$POLICY" "$BUNDLE"
}

# runnable has the runtime under the name that check --run looks for, as nonroot has it.
runnable() {
  setup_bundle
  mkdir "$BATS_TEST_TMPDIR/path"
  printf '#!/bin/sh\nexec %s "$@"\n' "${NONROOT[*]@Q}" >"$BATS_TEST_TMPDIR/path/nonroot-runc"
  chmod 755 "$BATS_TEST_TMPDIR/path/nonroot-runc"
  PATH=$BATS_TEST_TMPDIR/path:$REPO/bin:$PATH
  cd "$BATS_TEST_TMPDIR" || return
}

# nothing_left: the bundle is as it was, and no container is there.
nothing_left() {
  [[ $(find "$BUNDLE" -maxdepth 1 -type f -exec sha256sum {} + | sort) == "$1" ]] || explain "the bundle has changed: $1: $(find "$BUNDLE" -maxdepth 1 -type f -exec sha256sum {} + | sort)"
  [[ -z $("${BARE[@]}" list -q) ]] || explain 'a container is left'
}

@test "check --run: the examples of the pages about what is denied and what fails" {
  runnable
  local id example was examples=0
  was=$(find "$BUNDLE" -maxdepth 1 -type f -exec sha256sum {} + | sort)
  for id in denied-at-run failed-at-run; do
    for example in Bad Good; do
      sed -n "/^## $example/,\$p" "$REPO/docs/checks/$id.md" | sed -n '/^```sh/,/^```/p;/^```$/q' | grep -v '^```' >line
      [[ $example == Bad ]] && fails_with 1 sh line || fails_with 0 sh line
      [[ $example == Good || $OUT == *"[$id]"* ]] || explain "expected $id"
      [[ $OUT == *'bundle: runs as "65532:65532", not as root'* ]] || explain 'expected who it was'
      nothing_left "$was"
      examples=$((examples + 1))
    done
  done
  ((examples == 4))
}

@test "check --run: what is denied is a finding with the policy's line; by root nothing is" {
  runnable
  printf 'adapt.applications = false\n' >"$POLICY"
  mkdir -p "$ROOTFS/export/app"
  runs sh -c 'echo 1 >/export/app/file; echo served'
  layered
  # Root itself is denied nothing.
  bare_shows_served() { (cd "$BUNDLE" && bare run "$ID" >out) && grep -q served "$BUNDLE/out" && rm "$BUNDLE/out"; }
  bare_shows_served
  relayered
  fails_with 1 ctl check --policy "$POLICY" --run bundle --json
  jq -e '.results[0] | .findings | any(.id == "denied-at-run" and .object == "/export/app" and (.do | test("adapt.own")))' <<<"$OUT" || explain 'expected the directory'
  [[ $ERR == *served* && $OUT != *$'\n'served* ]] || explain 'expected what it prints apart from the findings'
  fails_with 1 ctl check --policy "$POLICY" --run bundle --format sarif
  jq -e '.runs[0].results[0].ruleId == "denied-at-run"' <<<"$OUT" || explain 'expected SARIF'
}

@test "check --run: it is over in time, whatever the container does, and nothing is left" {
  runnable
  runs sh -c 'trap "" TERM INT; while :; do sleep 1; done'
  local was began=$SECONDS
  was=$(find "$BUNDLE" -maxdepth 1 -type f -exec sha256sum {} + | sort)
  fails_with 0 ctl check --run bundle --for 2s
  ((SECONDS - began < 60)) || explain 'it took too long'
  [[ $OUT == *'was ended then'* ]] || explain 'expected that it was ended'
  nothing_left "$was"
  "$CTL" check --run bundle --for 500s >/dev/null 2>&1 &
  local pid=$!
  until [[ -n $("${BARE[@]}" list -q) ]]; do sleep 0.1; done
  kill -TERM "$pid"
  wait "$pid" && explain 'expected that it was interrupted'
  nothing_left "$was"
}

@test "check --run: a bundle with a terminal, as runc spec makes it, runs without one" {
  runnable
  runs sh -c 'test -t 0 || echo none'
  jq '.process.terminal = true' "$BUNDLE/config.json" >edited
  cat edited >"$BUNDLE/config.json"
  local was
  was=$(find "$BUNDLE" -maxdepth 1 -type f -exec sha256sum {} + | sort)
  fails_with 0 ctl check --run bundle
  [[ $ERR == *none* ]] || explain 'expected no terminal'
  nothing_left "$was"
  fails_with 0 ctl check --run bundle -- echo other
  [[ $ERR == *other* ]] || explain 'expected the other command'
  nothing_left "$was"
}

@test "check --run: what is not run by nonroot-runc is no answer" {
  runnable
  runs true
  printf 'mode = "audit"\n' >"$POLICY"
  fails_with 2 ctl check --run bundle
  [[ $ERR == *'nonroot-runc did not make the container'* ]] || explain 'expected why'
  fails_with 2 ctl check --run bundle --runtime "$RUNTIME_PATH"
  fails_with 2 ctl check --run none
  fails_with 2 ctl check --run bundle --for 0s
  printf 'mode = "refuse"\n' >"$POLICY"
  fails_with 2 ctl check --run bundle
}
