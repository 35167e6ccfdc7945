// SPDX-License-Identifier: Apache-2.0

package lease

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// living records which bundles have a container.
type living map[string]bool

func (l living) store(t *testing.T) *Store {
	t.Helper()
	return &Store{Dir: filepath.Join(t.TempDir(), "uids"), Owners: trusted.CallersOwners(nil), Alive: func(m Member) bool { return l[m.Bundle] }}
}

func (l living) take(t *testing.T, s *Store, n Numbers, owner, bundle string) uint32 {
	t.Helper()
	_, noKey := os.Lstat(filepath.Join(s.Dir, keyFile)) // without a key, Preview returns an example
	previewed, previewErr := s.Preview(n, owner)
	v, err := s.Take(n, owner, Member{Bundle: bundle, ID: "id of " + bundle})
	if err != nil {
		t.Fatal(err)
	}
	if previewErr != nil || previewed != v && noKey == nil {
		t.Fatalf("%q was previewed %d, %v, and got %d", owner, previewed, previewErr, v)
	}
	l[bundle] = true
	return v
}

// TestAgainstAModel: any order of takes and ends, in small ranges that are mostly full. No owner gets an id that
// another living owner has; owners keep theirs while they live, and get it back unless it had to be reused.
func TestAgainstAModel(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 1))
		l := living{}
		s := l.store(t)
		n := Numbers{First: 1000, Last: 1000 + uint32(r.IntN(12)), Step: 1}
		has := map[string]uint32{} // living owners' ids
		of := map[string][]string{}
		for i := range 150 {
			owner := fmt.Sprintf("owner %d", r.IntN(16))
			if bundles := of[owner]; len(bundles) > 0 && r.IntN(2) == 0 {
				for _, b := range bundles {
					delete(l, b)
				}
				delete(of, owner)
				delete(has, owner)
				continue
			}
			if _, lives := has[owner]; !lives && len(has) == int(n.count()) {
				if v, err := s.Take(n, owner, Member{Bundle: "/none"}); err == nil || !strings.Contains(err.Error(), "widen the range") {
					t.Fatalf("seed %d: all are in use, and %q gets %d, %v", seed, owner, v, err)
				}
				continue
			}
			b := "/b/" + strconv.Itoa(i)
			v := l.take(t, s, n, owner, b)
			if v < n.First || v > n.Last {
				t.Fatalf("seed %d: %d is not in %+v", seed, v, n)
			}
			for other, w := range has {
				if (w == v) != (other == owner) {
					t.Fatalf("seed %d: %q has %d, and %q has %d", seed, owner, v, other, w)
				}
			}
			has[owner] = v
			of[owner] = append(of[owner], b)
		}
	}
}

// TestItIsStable: an owner whose number was not needed gets it again, however many others have come and gone since.
func TestItIsStable(t *testing.T) {
	l := living{}
	s := l.store(t)
	n := Numbers{First: 5000, Last: 5031, Step: 1}
	was := map[string]uint32{}
	for i := range 32 {
		owner := strconv.Itoa(i)
		was[owner] = l.take(t, s, n, owner, owner)
	}
	clear(l)
	for i := range 32 {
		owner := strconv.Itoa(31 - i)
		if v := l.take(t, s, n, owner, owner); v != was[owner] {
			t.Errorf("%q had %d and gets %d", owner, was[owner], v)
		}
	}
}

// TestTheOneUnusedForLongestGoes to a new owner if no number is fresh.
func TestTheOneUnusedForLongestGoes(t *testing.T) {
	l := living{}
	s := l.store(t)
	n := Numbers{First: 1, Last: 8, Step: 1}
	numbers := map[string]uint32{}
	for i := range 8 {
		owner := strconv.Itoa(i)
		numbers[owner] = l.take(t, s, n, owner, owner)
		day := time.Date(2026, 1, 1+(i+3)%8, 0, 0, 0, 0, time.UTC)
		if err := os.Chtimes(filepath.Join(s.Dir, strconv.Itoa(int(numbers[owner]))), day, day); err != nil {
			t.Fatal(err)
		}
	}
	delete(l, "5") // the oldest, 1 January
	delete(l, "6")
	if v := l.take(t, s, n, "new", "new"); v != numbers["5"] {
		t.Errorf("it is %d, not %d", v, numbers["5"])
	}
	if v := l.take(t, s, n, "6", "6"); v != numbers["6"] {
		t.Errorf("6 had %d and gets %d", numbers["6"], v)
	}
	if v, err := s.Take(n, "5", Member{Bundle: "5"}); err == nil {
		t.Errorf("5 gets %d, which is somebody's", v)
	}
}

// TestNamesDontSteer (A14): in a range with more numbers than are probed, an attacker who knows everything but the key,
// and may create any number of containers, gets no number that was another owner's while there are others. The victim
// has stopped; its number waits.
func TestNamesDontSteer(t *testing.T) {
	l := living{}
	s := l.store(t)
	n := Numbers{First: 100000, Last: 100999, Step: 1}
	victim := l.take(t, s, n, `kubernetes pod "db-0" in "prod"`, "victim")
	delete(l, "victim")
	// These names would land on the victim's number, or up to 63 before it, if names alone determined the place, as
	// they once did.
	place := func(owner string) uint64 {
		sum := sha256.Sum256([]byte(owner))
		return binary.BigEndian.Uint64(sum[:]) % n.count()
	}
	aim := uint64(victim - n.First)
	taken := 0
	for i := 0; taken < 200; i++ {
		owner := fmt.Sprintf(`kubernetes pod "mine-%d" in "evil"`, i)
		if at := place(owner); at > aim || at+64 <= aim {
			continue
		}
		if v := l.take(t, s, n, owner, owner); v == victim {
			t.Fatalf("after %d containers %q has the victim's number, and %d are nobody's", taken+1, owner, int(n.count())-taken-1)
		}
		taken++
	}
	if v := l.take(t, s, n, `kubernetes pod "db-0" in "prod"`, "victim"); v != victim {
		t.Errorf("the victim had %d and gets %d", victim, v)
	}
}

// TestTheWholeRangeIsGivenFirst: each of 300 numbers is assigned once before any is assigned again; then the one that
// has been out of use longest is reused, in the right order even beyond the length of the stored list.
func TestTheWholeRangeIsGivenFirst(t *testing.T) {
	l := living{}
	s := l.store(t)
	n := Numbers{First: 7, Last: 306, Step: 1}
	seen := map[uint32]int{}
	day := func(i int) time.Time { return time.Date(2026, 1, 1, 0, i, 0, 0, time.UTC) }
	use := func(owner string, i int) uint32 {
		v := l.take(t, s, n, owner, owner)
		if err := os.Chtimes(filepath.Join(s.Dir, strconv.Itoa(int(v))), day(i), day(i)); err != nil {
			t.Fatal(err)
		}
		delete(l, owner)
		return v
	}
	var order []uint32
	for i := range 300 {
		v := use(strconv.Itoa(i), i)
		if seen[v]++; seen[v] > 1 {
			t.Fatalf("%d was given again when %d were nobody's", v, 300-i)
		}
		order = append(order, v)
	}
	for i := range 300 {
		if v := use("again "+strconv.Itoa(i), 300+i); v != order[i] {
			t.Fatalf("the %d. to go is %d, and not %d", i+1, v, order[i])
		}
	}
	// A wider range has numbers that were never assigned.
	if v := use("wider", 900); seen[v] != 1 {
		t.Error(v)
	}
	n.Last++
	if v := use("widest", 901); v != 307 {
		t.Errorf("it is %d, and 307 was nobody's", v)
	}
}

// TestTheListIsOnlyAList: with a stale or damaged list, no owner gets a living owner's number.
func TestTheListIsOnlyAList(t *testing.T) {
	for _, text := range []string{"", "7-8 by 1\n7 0\n8 0\n", "7-8 by 1\nx y\n", "7-8 by 1\n9 1\n", "7-8 by 1\n", "\x00"} {
		l := living{}
		s := l.store(t)
		n := Numbers{First: 7, Last: 8, Step: 1}
		l.take(t, s, n, "a", "a")
		v := l.take(t, s, n, "b", "b")
		if err := os.WriteFile(filepath.Join(s.Dir, idleFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if w, err := s.Take(n, "c", Member{Bundle: "c"}); err == nil {
			t.Errorf("with %q in the list it gives %d, which is somebody's", text, w)
		}
		delete(l, "b")
		if w := l.take(t, s, n, "c", "c"); w != v {
			t.Errorf("with %q in the list it gives %d, not %d", text, w, v)
		}
	}
}

// TestAKilledTake: an owner whose call was killed between link and file gets the same number at the next try, unless it
// was assigned in between.
func TestAKilledTake(t *testing.T) {
	l := living{}
	s := l.store(t)
	n := Numbers{First: 1000, Last: 1999, Step: 1}
	v := l.take(t, s, n, "a", "a")
	file := filepath.Join(s.Dir, strconv.Itoa(int(v)))
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if w := l.take(t, s, n, "a", "a"); w != v {
		t.Errorf("it had %d and gets %d", v, w)
	}
	if err := os.Truncate(filepath.Join(s.Dir, keyFile), 3); err != nil {
		t.Fatal(err)
	}
	if w := l.take(t, s, n, "a", "a2"); w != v {
		t.Errorf("with a key that is cut off it gets %d, not %d", w, v)
	}
}

func TestSteps(t *testing.T) {
	l := living{}
	s := l.store(t)
	n := Numbers{First: 1000, Last: 1099, Step: 30}
	seen := map[uint32]bool{}
	for i := range 3 {
		v := l.take(t, s, n, strconv.Itoa(i), strconv.Itoa(i))
		if seen[v] || (v-1000)%30 != 0 || v+29 > 1099 {
			t.Errorf("%d", v)
		}
		seen[v] = true
	}
	if _, err := s.Take(n, "more", Member{}); err == nil {
		t.Error("a fourth block, which is not whole, was given")
	}
	for _, bad := range []Numbers{{}, {First: 5, Last: 4}, {First: 1, Last: 9, Step: 10}} {
		if v, err := s.Take(bad, "x", Member{}); err == nil {
			t.Errorf("%+v gives %d", bad, v)
		}
	}
	if v, err := (Numbers{First: 1, Last: 1<<31 - 1, Step: 1}).Example("x"); err != nil || v == 0 {
		t.Error(v, err)
	}
}

// TestManyContainersOfOne: an owner's file does not grow with each container that it ever had.
func TestManyContainersOfOne(t *testing.T) {
	l := living{}
	s := l.store(t)
	n := Numbers{First: 1, Last: 9, Step: 1}
	v := l.take(t, s, n, "o", "stays")
	for i := range 500 {
		b := strconv.Itoa(i)
		if w := l.take(t, s, n, "o", b); w != v {
			t.Fatal(v, w)
		}
		delete(l, b)
	}
	data, err := os.ReadFile(filepath.Join(s.Dir, strconv.Itoa(int(v))))
	if err != nil || strings.Count(string(data), "\n") > 10 || !strings.Contains(string(data), "stays") {
		t.Errorf("%v, %d bytes: %s", err, len(data), data)
	}
}

// TestWhatIsDamagedIsSomebodys: a number with a damaged file is not assigned, as it may be a living owner's.
func TestWhatIsDamagedIsSomebodys(t *testing.T) {
	for _, text := range []string{"", "x", "\"o\"", "\"o\"\n\"b\"\n", "\"o\"\n\"b\" \"i\" x 1\n", "\"o\"\n\"b\" \"i\" 1 -1\n", "\"o\"\n\n"} {
		l := living{}
		s := l.store(t)
		if err := errors.Join(os.MkdirAll(filepath.Join(s.Dir, "owners"), 0o700), os.WriteFile(filepath.Join(s.Dir, "7"), []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
		if v, err := s.Take(Numbers{First: 7, Last: 7}, "o", Member{}); err == nil {
			t.Errorf("with %q in its file it gives %d", text, v)
		}
		if v := l.take(t, s, Numbers{First: 7, Last: 8}, "o", "b"); v != 8 {
			t.Errorf("with %q in its file it gives %d", text, v)
		}
	}
}

// TestNamesOfOwners: a name stays a single name, whatever characters it contains.
func TestNamesOfOwners(t *testing.T) {
	l := living{}
	s := l.store(t)
	n := Numbers{First: 1, Last: 100, Step: 1}
	seen := map[uint32]string{}
	for i, owner := range []string{"", "a", "a\n\"b\"", "a b", "\xff", "a\x00", strings.Repeat("x", 10000), "../../etc"} {
		v := l.take(t, s, n, owner, "bundle\n"+strconv.Itoa(i))
		if was, ok := seen[v]; ok {
			t.Errorf("%q has what %q has", owner, was)
		}
		seen[v] = owner
	}
}

// TestOthersCanWriteIt: a store that other users can write is not believed.
func TestOthersCanWriteIt(t *testing.T) {
	l := living{}
	s := l.store(t)
	l.take(t, s, Numbers{First: 1, Last: 9}, "o", "b")
	for _, dir := range []string{s.Dir, filepath.Join(s.Dir, "owners"), filepath.Dir(s.Dir)} {
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		if v, err := s.Take(Numbers{First: 1, Last: 9}, "o", Member{}); err == nil {
			t.Errorf("with %s open to others it gives %d", dir, v)
		}
		if err := os.Chmod(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
}

// TestProcessesAtOnce: forty processes take from forty ids, as many at once as the machine runs.
func TestProcessesAtOnce(t *testing.T) {
	if dir := os.Getenv("LEASE_TEST_DIR"); dir != "" {
		s := &Store{Dir: dir, Owners: trusted.CallersOwners(nil), Alive: func(Member) bool { return true }}
		v, err := s.Take(Numbers{First: 1, Last: 40}, os.Getenv("LEASE_TEST_OWNER"), Member{Bundle: os.Getenv("LEASE_TEST_OWNER")})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("\ngot %d\n", v)
		return
	}
	dir := filepath.Join(t.TempDir(), "uids")
	type started struct {
		cmd *exec.Cmd
		out strings.Builder
	}
	all := make([]*started, 40)
	for i := range all {
		all[i] = &started{cmd: exec.Command(os.Args[0], "-test.run=^TestProcessesAtOnce$", "-test.count=1")}
		all[i].cmd.Env = append(os.Environ(), "LEASE_TEST_DIR="+dir, "LEASE_TEST_OWNER="+strconv.Itoa(i))
		all[i].cmd.Stdout = &all[i].out
		if err := all[i].cmd.Start(); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]bool{}
	for _, one := range all {
		if err := one.cmd.Wait(); err != nil {
			t.Fatalf("%v: %s", err, one.out.String())
		}
		_, got, _ := strings.Cut(one.out.String(), "\ngot ")
		got, _, _ = strings.Cut(got, "\n")
		if got == "" || seen[got] {
			t.Errorf("%q was given twice, or to nobody: %s", got, one.out.String())
		}
		seen[got] = true
	}
}

func BenchmarkTake(b *testing.B) {
	s := &Store{Dir: filepath.Join(b.TempDir(), "uids"), Owners: trusted.CallersOwners(nil), Alive: func(Member) bool { return true }}
	n := Numbers{First: 100000, Last: 165535}
	i := 0
	for b.Loop() {
		i++
		if _, err := s.Take(n, strconv.Itoa(i), Member{Bundle: "/run/docker/containerd/daemon/io.containerd.runtime.v2.task/moby/x", ID: strconv.Itoa(i)}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkTakeFromAFullRange: each of 65,536 numbers was assigned before, and is out of use.
func BenchmarkTakeFromAFullRange(b *testing.B) {
	s := &Store{Dir: filepath.Join(b.TempDir(), "uids"), Owners: trusted.CallersOwners(nil), Alive: func(Member) bool { return false }}
	n := Numbers{First: 100000, Last: 165535}
	if _, err := s.Take(n, "first", Member{}); err != nil {
		b.Fatal(err)
	}
	for v := n.First; v <= n.Last; v++ {
		e := entry{owner: strconv.Itoa(int(v)), members: []Member{{Bundle: "/run/x", ID: "x"}}}
		if err := os.WriteFile(filepath.Join(s.Dir, strconv.Itoa(int(v))), e.encode(), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	i := 0
	for b.Loop() {
		i++
		if _, err := s.Take(n, "new "+strconv.Itoa(i), Member{Bundle: "/run/x", ID: strconv.Itoa(i)}); err != nil {
			b.Fatal(err)
		}
	}
}

// TestSomebodyHoldsTheLock: if a process is stopped while it holds the lock, others fail with a message instead of
// waiting for ever.
func TestSomebodyHoldsTheLock(t *testing.T) {
	l := living{}
	s := l.store(t)
	n := Numbers{First: 1000, Last: 1999, Step: 1}
	l.take(t, s, n, "first", "b1")
	defer func(was time.Duration) { patience = was }(patience)
	patience = 100 * time.Millisecond
	f, err := s.openExisting()
	if err != nil {
		t.Fatal(err)
	}
	if err := f.lock(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := s.Take(n, "second", Member{Bundle: "b2", ID: "2"})
		done <- err
	}()
	select {
	case err := <-done:
		if err == nil || !strings.Contains(err.Error(), "lslocks") {
			t.Errorf("it says %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it waits for ever")
	}
	f.close()
	l.take(t, s, n, "second", "b2")
}
