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
  [[ $dom == *"<h1>Who ran as root"* && $dom == *"<rect class=\"rewritten\""* ]]
  [[ $dom != *"<script"* && $dom == *"&lt;script&gt;document.title=1"* && $dom == *"<title>nonroot-runc report"* ]]
  browser --window-size=1100,900 --screenshot="$BATS_TEST_TMPDIR/light.png"
  browser --window-size=1100,900 --force-dark-mode --screenshot="$BATS_TEST_TMPDIR/dark.png"
  # A page that shows nothing makes a much smaller picture.
  [[ $(stat -c %s "$BATS_TEST_TMPDIR/light.png") -gt 30000 && $(stat -c %s "$BATS_TEST_TMPDIR/dark.png") -gt 30000 ]]
  [[ $(cksum <"$BATS_TEST_TMPDIR/light.png") != $(cksum <"$BATS_TEST_TMPDIR/dark.png") ]]
}
