# SPDX-License-Identifier: Apache-2.0
#
# bash completion of nonroot-ctl, which says itself what may come next.

_nonroot_ctl() {
  COMPREPLY=()
  mapfile -t COMPREPLY < <("$1" complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | cut -f 1)
  # Of what it does not know, files are the likeliest.
  [[ ${#COMPREPLY[@]} -gt 0 ]] || compopt -o default 2>/dev/null || true
}
complete -F _nonroot_ctl nonroot-ctl
