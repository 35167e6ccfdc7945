// SPDX-License-Identifier: Apache-2.0

package ids

import (
	"math"
	"slices"
	"testing"
)

// TestTexts: each text as Parse, Plain and Number read it; -1 is refused.
func TestTexts(t *testing.T) {
	for text, want := range map[string][3]int64{
		"1": {1, 1, 1}, "65532": {65532, 65532, 65532}, "2147483647": {Max, Max, Max},
		"0": {-1, 0, 0}, "00": {-1, -1, 0}, "007": {7, -1, 7},
		"2147483648": {-1, 1 << 31, 1 << 31}, "4294967294": {-1, 1<<32 - 2, 1<<32 - 2}, "4294967295": {-1, -1, math.MaxUint32},
		"": {-1, -1, -1}, "-1": {-1, -1, -1}, "-0": {-1, -1, -1}, "+1": {-1, -1, -1}, " 1": {-1, -1, -1}, "1 ": {-1, -1, -1},
		"4294967296": {-1, -1, -1}, "4294967297": {-1, -1, -1}, "18446744073709551616": {-1, -1, -1}, "18446744073709551617": {-1, -1, -1},
		"0x1": {-1, -1, -1}, "1e3": {-1, -1, -1}, "1.0": {-1, -1, -1}, "1_000": {-1, -1, -1}, "\u0661": {-1, -1, -1}, "1\x00": {-1, -1, -1},
	} {
		got := [3]int64{-1, -1, -1}
		if id, err := Parse(text); err == nil {
			got[0] = int64(id)
		}
		if id, ok := Plain(text); ok {
			got[1] = int64(id)
		}
		if n, err := Number([]byte(text)); err == nil {
			got[2] = int64(n)
		}
		if got != want {
			t.Errorf("%q is %d, want %d", text, got, want)
		}
	}
}

func TestNumbers(t *testing.T) {
	if got, err := Numbers("\t0\t1000\t 4294967295 \n"); err != nil || !slices.Equal(got, []uint32{0, 1000, math.MaxUint32}) {
		t.Errorf("got %d, %v", got, err)
	}
	for _, text := range []string{"1 x", "4294967296", "1,2"} {
		if got, err := Numbers(text); err == nil {
			t.Errorf("%q is %d", text, got)
		}
	}
}
