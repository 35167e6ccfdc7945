// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A mutant that takes more is taken for one that never ends. CPU time is what counts, as others may need the machine,
// too; the clock
// is for what waits for ever.
const (
	cpuSeconds = 6
	longest    = time.Minute
)

// slow is how much CPU time a test takes that does not count. It is one that searches at random, which would be run for
// each mutant;
// what such a search finds by chance, a row of a table should say.
const slow = time.Second

// nobody is who runs the tests where we are root.
const nobody = 65534

// tests is a package's test program, and what its tests come by while no mutant is on.
type tests struct {
	program, dir string
	reaching     map[int][]string // tests that come by a mutant
	reached      string           // where the program says what it comes by
}

// tests builds the program, and runs each test by itself.
func (s *subject) tests(work string) (*tests, error) {
	program, err := s.build(work)
	if err != nil {
		return nil, err
	}
	t := &tests{program, s.dir, map[int][]string{}, filepath.Join(work, s.name+".reached")}
	out, err := t.start("-test.list=.").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("list the tests: %w: %s", err, out)
	}
	for _, name := range strings.Fields(string(out)) {
		if strings.HasPrefix(name, "Benchmark") || strings.HasPrefix(name, "Example") {
			continue
		}
		if err := t.reach(name); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// start runs the program where `go test` would, without any privilege.
func (t *tests) start(args ...string) *exec.Cmd {
	cmd := exec.Command(t.program, args...) // #nosec G204 -- what was built
	cmd.Dir = t.dir
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	cmd.Env = append(os.Environ(), "NONROOT_REQUIRE_ALL=", "HOME=/nonexistent")
	return cmd
}

func (t *tests) reach(name string) error {
	if err := os.WriteFile(t.reached, nil, 0o600); err != nil {
		return err
	}
	if err := os.Chmod(t.reached, 0o666); err != nil { // #nosec G302 -- the tests are nobody's
		return err
	}
	cmd := t.start("-test.run=^" + regexp.QuoteMeta(name) + "$")
	cmd.Env = append(cmd.Env, "MUTANTS_REACHED="+t.reached)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s fails with no mutant on: %w: %s", name, err, out)
	}
	if cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime() > slow {
		return nil
	}
	text, err := os.ReadFile(t.reached)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		n, err := strconv.Atoi(strings.TrimSpace(line))
		if err != nil {
			return err
		}
		t.reaching[n] = append(t.reaching[n], name)
	}
	return nil
}

// survivors are those that no test notices.
func (t *tests) survivors(all []*mutant) ([]*mutant, error) {
	queue := make(chan *mutant)
	var (
		group sync.WaitGroup
		lock  sync.Mutex
		found []*mutant
		fault error
	)
	for range runtime.NumCPU() {
		group.Go(func() {
			for m := range queue {
				killed, err := t.kill(m)
				lock.Lock()
				if err != nil && fault == nil {
					fault = err
				}
				if !killed {
					found = append(found, m)
				}
				lock.Unlock()
			}
		})
	}
	for _, m := range all {
		if m.skip == "" {
			queue <- m
		}
	}
	close(queue)
	group.Wait()
	return found, fault
}

// kill runs the tests that come by a mutant.
func (t *tests) kill(m *mutant) (bool, error) {
	var names []string
	for _, name := range t.reaching[m.number] {
		names = append(names, regexp.QuoteMeta(name))
	}
	if len(names) == 0 {
		return false, nil
	}
	cmd := t.start("-test.failfast", "-test.run=^("+strings.Join(names, "|")+")$", "-test.timeout="+longest.String())
	cmd.Env = append(cmd.Env, "MUTANT="+strconv.Itoa(m.number))
	began := time.Now()
	out, err := cmd.CombinedOutput()
	if took := time.Since(began); took > longest/6 {
		fmt.Fprintf(os.Stderr, "mutants: %s: %s takes %s\n", m.at, m.change, took.Round(time.Second))
	}
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return true, nil
	case err != nil:
		return false, err
	case !strings.Contains(string(out), "PASS"):
		return false, fmt.Errorf("%s: the tests say nothing: %s", m.change, out)
	}
	return false, nil
}
