# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What both tables have in common: what was seen of an entry ($name, in $results), and the totals by kind. After `count` for each
# entry, ROWS, WORKS, DESIGN and GAPS are those of all; failed is 1 once something was wrong.

# shellcheck disable=SC2034 # it is what tables exit with
failed=0
wrong() {
  printf 'compat: %s\n' "$*" >&2
  failed=1
}
# shellcheck disable=SC2154 # tables set both
field() { jq -r "$2" "$results/$name.$1.json"; }

# yes MODE says whether the entry worked.
yes() { [[ $(field "$1" .works) == true ]]; }

declare -A kind_rows=() kind_works=() kind_design=()
# shellcheck disable=SC2034 # whoever counts prints them
ROWS=0 WORKS=0 DESIGN=0 GAPS=0

# count KIND VERDICT
count() {
  ROWS=$((ROWS + 1))
  kind_rows[$1]=$((${kind_rows[$1]:-0} + 1))
  case $2 in
    works)
      WORKS=$((WORKS + 1))
      kind_works[$1]=$((${kind_works[$1]:-0} + 1))
      ;;
    by*)
      DESIGN=$((DESIGN + 1))
      kind_design[$1]=$((${kind_design[$1]:-0} + 1))
      ;;
    *) GAPS=$((GAPS + 1)) ;;
  esac
}

# totals NOUN prints a row for each kind.
totals() {
  local kind w d
  printf '| kind | %s | work | cannot, by design | do not yet |\n| --- | --- | --- | --- | --- |\n' "$1"
  for kind in "${!kind_rows[@]}"; do
    w=${kind_works[$kind]:-0} d=${kind_design[$kind]:-0}
    printf '| %s | %d | %d | %d | %d |\n' "$kind" "${kind_rows[$kind]}" "$w" "$d" "$((${kind_rows[$kind]} - w - d))"
  done | sort
  printf '| **all** | %d | %d | %d | %d |\n' "$ROWS" "$WORKS" "$DESIGN" "$GAPS"
}
