// SPDX-License-Identifier: Apache-2.0

// Command mutants changes the deciding packages in one place at a time, and says which changes their tests do not
// notice. Each
// survivor is a promise that nothing holds the code to.
//
// All mutants of a package are compiled into one test program; an environment variable turns one on. So the whole run
// takes little more than the tests that come by a mutant, which a first run has found. It is an unprivileged user who
// runs them: what
// needs root does not count.
//
//	scope.go   what is mutated, and how many have to be killed
//	mutate.go  the changes
//	load.go    sources in, test program out
//	run.go     which tests notice one
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"
)

func main() {
	only := flag.String("only", "", "one directory of those in scope.go")
	flag.Parse()
	ok, err := run(*only)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(2)
	}
	if !ok {
		os.Exit(1)
	}
}

func run(only string) (ok bool, err error) {
	work, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return false, err
	}
	defer func() { _ = os.RemoveAll(work) }()
	if err := os.Chmod(work, 0o755); err != nil { // #nosec G302 -- the test programs are nobody's to run
		return false, err
	}
	ok, found := true, false
	for _, s := range scope {
		if only != "" && s.dir != only {
			continue
		}
		found = true
		subject, err := load(s.dir, s.files)
		if err != nil {
			return false, err
		}
		enough, err := subject.run(work)
		if err != nil {
			return false, fmt.Errorf("%s: %w", s.dir, err)
		}
		ok = ok && enough
	}
	if !found {
		return false, fmt.Errorf("%q is not in scope.go", only)
	}
	fmt.Printf("mutants: %s of CPU time in all\n", spent(syscall.RUSAGE_CHILDREN).Round(time.Second))
	return ok, nil
}

// run prints the survivors, and says whether few enough are.
func (s *subject) run(work string) (enough bool, err error) {
	tests, err := s.tests(work)
	if err != nil {
		return false, err
	}
	survivors, err := tests.survivors(s.mutants)
	if err != nil {
		return false, err
	}
	skipped := 0
	for _, m := range s.mutants {
		if m.skip != "" {
			skipped++
			continue
		}
		if slices.Contains(survivors, m) {
			how := "survives"
			if len(tests.reaching[m.number]) == 0 {
				how = "is not reached"
			}
			fmt.Printf("%s:%d:%d: %s: %s\n", m.at.Filename, m.at.Line, m.at.Column, how, m.change)
		}
	}
	counted := len(s.mutants) - skipped
	if counted == 0 {
		return false, fmt.Errorf("there is nothing to change")
	}
	killed := counted - len(survivors)
	fmt.Printf("mutants: %s: %d of %d killed (%.1f %%; at least %d), %d survive, %d skipped\n",
		s.dir, killed, counted, 100*float64(killed)/float64(counted), least, len(survivors), skipped)
	return 100*killed >= least*counted, nil
}

func spent(who int) time.Duration {
	var r syscall.Rusage
	if syscall.Getrusage(who, &r) != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
