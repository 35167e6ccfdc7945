#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Promise: the log that real containers have left becomes a page which a browser shows, and on which nothing that was
# logged is more than text.

load helpers

setup_file() {
  export BATS_TEST_TIMEOUT=300
  [[ ${RUNTIME:-runc} != runc ]] || "$BATS_TEST_DIRNAME/../../hack/install-packages" chromium
}

# browser OPTION... opens the page, without a network.
browser() {
  unshare --net chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
    --disable-component-update --disable-sync --disable-dev-shm-usage --hide-scrollbars \
    --user-data-dir="$BATS_TEST_TMPDIR/browser" "$@" "file://$BATS_TEST_TMPDIR/report.html" 2>/dev/null 3>&-
}

report() { "$REPO/bin/nonroot-ctl" report --policy "$POLICY" "$@"; }

@test "report: what happened, in a browser" {
  only runc || return 0
  local log=$BATS_TEST_TMPDIR/audit.log dom
  policy <<<"log.file = \"$log\""
  nonroot_shows nonroot
  fresh
  config '.process.cwd = "/proc/self/<script>document.title=1</script>"'
  refused 'below /proc' nonroot run "$ID-2"
  gzip "$log" && mv "$log.gz" "$log.2.gz"
  policy <<<"mode = \"audit\"
log.file = \"$log\""
  fresh
  shows root nonroot run "$ID-3"
  report --json | jq -e '.total == {root: 1, unstarted: 0, exempted: 0, rewritten: 1, refused: 1} and .malformed == 0 and .exemptions[0].used == 1'
  report --html "$BATS_TEST_TMPDIR/report.html" --textfile "$BATS_TEST_TMPDIR/nonroot.prom"
  grep -qxF 'nonroot_decisions_total{event="run",mode="audit",rule="default"} 1' "$BATS_TEST_TMPDIR/nonroot.prom"
  dom=$(browser --dump-dom)
  [[ $dom == *"<h1>What nonroot-runc decided"* && $dom == *"<rect class=\"rewritten\""* ]]
  [[ $dom != *"<script"* && $dom == *"&lt;script&gt;document.title=1"* && $dom == *"<title>nonroot-runc report"* ]]
}

# looked PAGE [once] looks at it in a browser, without a network.
looked() { unshare --net sh -c 'ip link set lo up && exec "$@"' - "$BATS_FILE_TMPDIR/page" "$1" "$BATS_TEST_TMPDIR" "${@:2}" 2>&1 3>&-; }

@test "report: the page reads well at three widths, light and dark, by keyboard and by screen reader" {
  only runc || return 0
  (cd "$REPO/test/page" && go build -o "$BATS_FILE_TMPDIR/page" .) || explain 'the program that looks was not built'
  local page=$BATS_TEST_TMPDIR/report.html bad=$BATS_TEST_TMPDIR/bad.html out
  policy <<<'mode = "audit"'
  report --html "$page" "$REPO/test/page/audit.log"
  # Each kind of fault is found where it is made.
  while IFS=$'\t' read -r change want; do
    sed "$change" "$page" >"$bad"
    if cmp -s "$bad" "$page"; then explain "nothing to change by $change"; fi
    out=$(looked "$bad" once) && explain "a page with a fault passes: $change"
    [[ $out == *"$want"* ]] || explain "by $change: $out"
  done <<'EOF'
s/--soft: #566173/--soft: #a0a8b4/	a contrast of
s/--rewritten: #1c7455/--rewritten: #bfe3d5/	where a shape needs 3
s/outline: 3px solid var(--focus)/outline: none/	the keyboard's place is not seen
s/<summary>/<summary tabindex="-1">/	the keyboard reaches
s/<\/svg>Refused<\/li>/<\/svg>refuse<\/li>/	the legend says
s/main { max-width: 1080px;/main { min-width: 1080px;/	wide, in a window of 360
EOF
  out=$(looked "$page") || explain "$out"
}

@test "report: at a terminal, no table and no sentence is wider than it; elsewhere they are in one piece" {
  only runc || return 0
  local line wide
  policy <<<'mode = "audit"'
  for wide in 40 60 80; do
    succeeds env NO_COLOR=1 SHELL=/bin/bash script -qec "stty cols $wide; $REPO/bin/nonroot-ctl report --policy $POLICY $REPO/test/page/audit.log" /dev/null </dev/null
    contains IMAGE
    while IFS= read -r line; do
      line=${line%$'\r'}
      # A long word, as the name of an image, stays in one piece outside of tables; hints and links are copied.
      [[ ${#line} -le $wide || $line =~ ^\ *(hint|see):\  || ! $line =~ [^\ ]\ [^\ ]+$ ]] || explain "at $wide: $line"
    done <<<"$OUT"
  done
  succeeds report "$REPO/test/page/audit.log"
  contains 'AS ROOT  NO START  REFUSED  LEFT ALONE  WITHOUT ROOT  LAST'
  contains 'registry.example.com/platform/team-a/payment-service-with-a-long-name:2026.03.01-rc1  3        0         2        0           7             2026-03-23'
}
