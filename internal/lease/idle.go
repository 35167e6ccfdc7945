// SPDX-License-Identifier: Apache-2.0

package lease

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/ids"
	"golang.org/x/sys/unix"
)

// idlers lists numbers of a range that was used up, starting with those that have been out of use longest. The list is
// stored, because making it means looking at each number's file: a tenth of a second for 65,536. A number that was
// assigned since has another time of use than in the list, and is skipped. Files of numbers are never removed, so a
// range that was used up stays so.
type idlers struct {
	numbers Numbers
	all     []idler
}

type idler struct {
	number uint32
	used   int64 // nanoseconds since 1970, the modification time of the number's file
}

const (
	idleFile = "idle"
	// idleMost is how many are kept: the list is searched from the beginning each time.
	idleMost = 256
)

// idle returns the stored list for this range; nil if there is none.
func (f *directory) idle(n Numbers) *idlers {
	data, err := f.dir.Read(idleFile)
	if err != nil {
		return nil
	}
	head, rest, _ := strings.Cut(string(data), "\n")
	if head != n.head() {
		return nil
	}
	l := &idlers{numbers: n}
	for line := range strings.Lines(rest) {
		number, used, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		v, errV := ids.Number(number)
		t, errT := strconv.ParseInt(used, 10, 64)
		if errors.Join(errV, errT) != nil || !n.has(v) {
			return nil // it will be made again
		}
		l.all = append(l.all, idler{v, t})
	}
	return l
}

// head distinguishes the lists of different ranges.
func (n Numbers) head() string { return fmt.Sprintf("%d-%d by %d", n.First, n.Last, n.step()) }

// keep stores a list for the next time. A nil list is not stored.
func (f *directory) keep(l *idlers) error {
	if l == nil {
		return nil
	}
	b := append([]byte(l.numbers.head()), '\n')
	for _, i := range l.all {
		b = strconv.AppendUint(b, uint64(i.number), 10)
		b = strconv.AppendInt(append(b, ' '), i.used, 10)
		b = append(b, '\n')
	}
	return f.dir.Replace(idleFile, b, 0o600, "")
}

// oldest returns the first number of a list that is still out of use.
func (f *directory) oldest(l *idlers) (choice, bool) {
	if l == nil {
		return choice{}, false
	}
	for _, i := range l.all {
		if used, err := f.used(i.number); err != nil || used != i.used {
			continue
		}
		e, err := f.read(i.number)
		if err == nil && !e.alive(f.store.Alive) {
			return choice{number: i.number, former: e.owner}, true
		}
	}
	return choice{}, false
}

func (f *directory) used(v uint32) (int64, error) {
	var st unix.Stat_t
	err := unix.Lstat(f.dir.Join(strconv.FormatUint(uint64(v), 10)), &st)
	return st.Mtim.Nano(), err
}

// list examines the whole store, and returns the numbers of the range that were never assigned, or if there are none,
// those that are out of use.
func (f *directory) list(n Numbers) (idle *idlers, fresh []uint32, err error) {
	names, err := os.ReadDir(f.dir.Path) // sorted by name, which doesn't matter here
	if err != nil {
		return nil, nil, fmt.Errorf("list %q: %w", f.dir.Path, err)
	}
	given := make(map[uint32]bool, len(names))
	for _, name := range names {
		if v, err := ids.Number(name.Name()); err == nil && n.has(v) {
			given[v] = true
		}
	}
	if free := n.count() - uint64(len(given)); free > 0 {
		for i := uint64(0); i < n.count() && len(fresh) < idleMost; i++ {
			if v := n.at(i); !given[v] {
				fresh = append(fresh, v)
			}
		}
		return nil, fresh, nil
	}
	idle = &idlers{numbers: n}
	for v := range given {
		if used, err := f.used(v); err == nil {
			idle.all = append(idle.all, idler{v, used})
		}
	}
	slices.SortFunc(idle.all, func(a, b idler) int {
		if a.used != b.used {
			return int(min(max(a.used-b.used, -1), 1))
		}
		return int(a.number) - int(b.number)
	})
	// Those in use may be older than all others; the list has room only for others.
	out := idle.all[:0]
	for _, i := range idle.all {
		if e, err := f.read(i.number); err == nil && !e.alive(f.store.Alive) {
			if out = append(out, i); len(out) == idleMost {
				break
			}
		}
	}
	idle.all = out
	return idle, nil, nil
}
