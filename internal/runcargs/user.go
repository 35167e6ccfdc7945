// SPDX-License-Identifier: Apache-2.0

package runcargs

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/ids"
)

// maxID is the largest user or group id. 4294967295 is -1, which setresuid and
// chown take as "leave as it is" (SECURITY.md A4).
const maxID = 1<<32 - 2

// ParseUser reads the value of exec's --user: "uid" or "uid:gid", decimal digits
// only, each from 0 to 4294967294; gid is nil where it is not given. What it returns
// may be 0: it's the policy that decides.
//
// It is stricter than the runtimes on purpose. runc 1.1 to 1.6 take any Go int and cut it to 32
// bits (exec.go: uint32(uid) of strconv.Atoi), crun 1.8 any C long: "4294967296",
// "-4294967296" and "+0" all become root.
func ParseUser(s string) (uid uint32, gid *uint32, err error) {
	u, g, found := strings.Cut(s, ":")
	if uid, err = parseID(u); err != nil {
		return 0, nil, fmt.Errorf("user id in %s: %w", quote(s), err)
	}
	if !found {
		return uid, nil, nil
	}
	id, err := parseID(g)
	if err != nil {
		return 0, nil, fmt.Errorf("group id in %s: %w", quote(s), err)
	}
	return uid, &id, nil
}

// parseID reads one user or group id.
func parseID(s string) (uint32, error) {
	id, ok := ids.Plain(s)
	if !ok {
		return 0, notDecimal(s, maxID)
	}
	return id, nil
}

// parseDecimal reads a number that Go (base 0 in package flag), strtol and a
// person read in the same way: digits only, no sign, no leading zero.
func parseDecimal(s string, limit uint64) (uint64, error) {
	ok := s != "" && (s[0] != '0' || len(s) == 1)
	for i := 0; ok && i < len(s); i++ {
		ok = s[i] >= '0' && s[i] <= '9'
	}
	if ok {
		if n, err := strconv.ParseUint(s, 10, 64); err == nil && n <= limit {
			return n, nil
		}
	}
	return 0, notDecimal(s, limit)
}

func notDecimal(s string, limit uint64) error {
	return fmt.Errorf("%s is not a decimal number from 0 to %d", quote(s), limit)
}
