# SPDX-License-Identifier: Apache-2.0
#
# fish completion of nonroot-ctl, which says itself what may come next; where it says nothing, fish offers files.

function __nonroot_ctl_offered
    set -l words (commandline -opc) (commandline -ct)
    $words[1] complete -- $words[2..-1] 2>/dev/null
end
complete -c nonroot-ctl -n 'test (count (__nonroot_ctl_offered)) -gt 0' -f -a '(__nonroot_ctl_offered)'
