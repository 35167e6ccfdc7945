// SPDX-License-Identifier: Apache-2.0

package host

import (
	"slices"
	"testing"
)

func TestRawMajors(t *testing.T) {
	const list = "Character devices:\n  1 mem\n 21 sg\n240 nvme\n248 bsg\n249 nvme-generic\n250 watchdog\n\nBlock devices:\n  7 loop\n239 bsg\n"
	if got, want := rawMajors(list), []int64{9, 21, 90, 162, 206, 240, 248, 249}; !slices.Equal(got, want) {
		t.Errorf("got %d, want %d", got, want)
	}
	if got := rawMajors(""); !slices.Equal(got, fixedMajors) {
		t.Errorf("without a list: %d", got)
	}
}
