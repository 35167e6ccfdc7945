#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# No test: what hack/bench-kubernetes measures on the cluster of test/bats/kubernetes. It prints, and fails only where something
# can't be measured.

# shellcheck source=test/bats/kubernetes/kubernetes.bash
source "$BATS_TEST_DIRNAME/../bats/kubernetes/kubernetes.bash"

setup_file() {
  local node
  agent_image
  new_namespace speed
  deploy
  for node in "${NODES[@]}"; do patiently labelled "$node"; done
  class runc
}
teardown_file() { no_namespace speed; }

say() { printf '# %s\n' "$*" >&3; }

# pods ROUND CLASS makes PODS of them at once on node1, waits until all are ready, removes them, and adds to $CLUSTER/CLASS.times how
# many seconds each took from its node's being known to Ready, as a watch sees both.
pods() {
  local seen=$CLUSTER/$2.$1.seen
  kubectl -n speed get pods -w --output-watch-events -o json 3>&- |
    jq --unbuffered -c '.object | select(.kind == "Pod") | [now, .metadata.name, (.status.conditions // [] | map(select(.status == "True").type))]' >"$seen" &
  local watch=$!
  local n before busy
  before=$(requests) busy=$(busy)
  for n in $(seq "$PODS"); do made_pod speed "p$1-$n" "$2" '.spec.nodeSelector = {"kubernetes.io/hostname": "node1"}'; done | kubectl apply -f - >/dev/null
  kubectl -n speed wait --for=condition=Ready --timeout=540s pod --all >/dev/null
  sleep 2
  echo "$(($(busy) - busy))" >>"$CLUSTER/$2.busy"
  echo "$(($(requests) - before))" >>"$CLUSTER/$2.requests"
  jq -rs 'group_by(.[1])[] | [(map(select(.[2] | index("PodScheduled"))) | map(.[0]) | min), (map(select(.[2] | index("Ready"))) | map(.[0]) | min)] | select(.[0] and .[1]) | .[1] - .[0]' \
    "$seen" >"$CLUSTER/$2.$1.times"
  (($(wc -l <"$CLUSTER/$2.$1.times") == PODS)) || explain "$(wc -l <"$CLUSTER/$2.$1.times") of $PODS pods were seen"
  cat "$CLUSTER/$2.$1.times" >>"$CLUSTER/$2.times"
  kubectl -n speed delete pod --all --grace-period=1 >/dev/null
  kill "$watch" 2>/dev/null || true
}

# busy prints how many ticks the processors have worked since the machine's start, for whomever (proc_stat(5)).
busy() { awk '$1 == "cpu" { print $2 + $3 + $4 + $7 + $8 }' /proc/stat; }

# requests prints how many the API server has answered so far, of whomever.
requests() { kubectl get --raw /metrics | awk '/^apiserver_request_total/ { all += $NF } END { print all }'; }

# percentile P FILE
percentile() { sort -n "$2" | awk -v p="$1" '{ all[NR] = $1 } END { n = int(NR * p / 100 + 0.999999); print all[n < 1 ? 1 : n] }'; }

@test "the turn of a node" {
  # From the request by which it takes its Lease to the one by which it gives it back.
  local turns
  turns=$(jq -rs '[.[] | select(.objectRef.resource == "leases" and .verb == "update" and .responseStatus.code == 200)
    | {node: .user.extra["authentication.kubernetes.io/node-name"][0], at: ((.stageTimestamp | sub("\\.[0-9]+Z"; "Z") | fromdate) + (.stageTimestamp | capture("(?<f>\\.[0-9]+)Z").f | tonumber))}]
    | group_by(.node)[] | select(length == 2) | "\(.[0].node) \((.[1].at - .[0].at) * 1000 | round) ms"' "$CLUSTER/audit.log")
  [[ $(wc -l <<<"$turns") == 2 ]] || explain "$turns"
  say "turns: ${turns//$'\n'/, }"
  say "requests of both agents until both nodes were ready: $(jq -r '"\(.verb) \(.objectRef.resource)"' "$CLUSTER/audit.log" | sort | uniq -c | awk '{ printf "%s%d %s %s", sep, $1, $2, $3; sep = ", " }')"
}

@test "pods, alternating" {
  local round class p
  PODS=${PODS:-50}
  pods 0 nonroot # what comes first waits for caches
  pods 0 runc
  rm "$CLUSTER"/{runc,nonroot}.{times,requests,busy}
  for round in $(seq "${ROUNDS:-4}"); do
    local order=(runc nonroot)
    ((round % 2)) || order=(nonroot runc)
    for class in "${order[@]}"; do pods "$round" "$class"; done
  done
  for p in 50 99; do
    say "$(awk -v p="$p" -v a="$(percentile "$p" "$CLUSTER/runc.times")" -v b="$(percentile "$p" "$CLUSTER/nonroot.times")" \
      'BEGIN { printf "scheduled to Ready, p%d: runc %.3f s, nonroot %.3f s: %.3fx", p, a, b, b / a }')"
  done
  # Rounds of a busy machine differ more than the classes do: so each pair of rounds, too.
  for p in 50 99; do
    say "p$p of each pair of rounds: $(for round in $(seq "${ROUNDS:-4}"); do
      awk -v a="$(percentile "$p" "$CLUSTER/runc.$round.times")" -v b="$(percentile "$p" "$CLUSTER/nonroot.$round.times")" 'BEGIN { printf "%.3f\n", b / a }'
    done | sort -n | awk '{ all[NR] = $1 } END { printf "median %.3fx, %sx to %sx", (all[int((NR + 1) / 2)] + all[int(NR / 2) + 1]) / 2, all[1], all[NR] }')"
  done
  say "processor time of the whole machine, two nodes and their API server: $(paste "$CLUSTER/runc.busy" "$CLUSTER/nonroot.busy" |
    awk -v n="$PODS" '{ a += $1; b += $2 } END { printf "runc %.0f ms a pod, nonroot %.0f ms: %.3fx", a * 10 / NR / n, b * 10 / NR / n, b / a }')"
  for class in runc nonroot; do
    say "$class: $(awk -v n="$(wc -l <"$CLUSTER/$class.times")" '{ all += $1 } END { printf "%.1f", all / n }' "$CLUSTER/$class.requests") requests to the API server for each pod, by everybody"
  done
  say "pods of each: $(wc -l <"$CLUSTER/runc.times"), $PODS at once"
}

@test "from the decision to its event" {
  local n name
  # The log's time of each decision, and when the API server had the agent's request.
  for n in $(seq 20); do
    name=latency-$n
    made_pod speed "$name" nonroot '.spec.nodeSelector = {"kubernetes.io/hostname": "node1"}' | kubectl apply -f - >/dev/null
    runs speed "$name"
    patiently has_event speed "$name" RunsAsNonRoot
  done
  on node1 cat /var/log/nonroot-runc.log | jq -r 'select(.namespace == "speed" and .event == "create" and .container == "web") | [.pod, .time] | @tsv' >"$CLUSTER/decided"
  jq -r 'select(.verb == "create" and .objectRef.resource == "events" and .objectRef.namespace == "speed") | [.objectRef.name, .stageTimestamp] | @tsv' "$CLUSTER/audit.log" >"$CLUSTER/told"
  kubectl -n speed get events -o json | jq -r '.items[] | select(.reason == "RunsAsNonRoot") | [.metadata.name, .involvedObject.name] | @tsv' >"$CLUSTER/names"
  awk -F '\t' -v OFS='\t' '
    FILENAME ~ /names$/ { pod[$1] = $2; next }
    FILENAME ~ /told$/ { told[pod[$1]] = $2; next }
    $1 in told && $1 ~ /^latency/ { print $2, told[$1] }' "$CLUSTER/names" "$CLUSTER/told" "$CLUSTER/decided" |
    while IFS=$'\t' read -r from to; do awk -v a="$(date -d "$from" +%s.%N)" -v b="$(date -d "$to" +%s.%N)" 'BEGIN { printf "%.3f\n", b - a }'; done >"$CLUSTER/latencies"
  (($(wc -l <"$CLUSTER/latencies") == 20)) || explain "$(wc -l <"$CLUSTER/latencies") latencies"
  say "from the decision to the API server's having its event: p50 $(percentile 50 "$CLUSTER/latencies") s, most $(percentile 100 "$CLUSTER/latencies") s"
}

@test "an agent that has nothing to do" {
  local pid group before after
  pid=$(on node1 sh -c 'for p in /proc/[0-9]*; do [ "$(cat $p/comm)" = nonroot-node ] && echo ${p#/proc/}; done' | head -n 1)
  # By its control group: what /proc says is counted by ticks, of which a program that timers wake has more than it uses.
  group=$(awk -F : '$2 ~ /cpuacct/ { print "/sys/fs/cgroup/cpuacct" $3 "/cpuacct.usage" }' "/proc/$pid/cgroup")
  sleep 10
  before=$(<"$group")
  sleep 120
  after=$(<"$group")
  say "$(awk -v ns=$((after - before)) 'BEGIN { printf "processor: %.3f %% of a core in two minutes", ns / 1e9 / 120 * 100 }')"
  say "resident: $(awk '/^VmRSS/ { print $2, $3 }' "/proc/$pid/status"), most $(awk '/^VmHWM/ { print $2, $3 }' "/proc/$pid/status")"
}
