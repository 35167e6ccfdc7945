// SPDX-License-Identifier: Apache-2.0

// Command policies computes what is right for the manifests of a table, and has engines of admission policies judge them. hack/policies calls it. It
// is a module of its own, and imports nothing of the product, whose own answers are held against these.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

const usage = `usage: policies answers TABLE KUBELET URL TOKEN
       policies apiserver TABLE ANSWERS URL TOKEN POLICY
       policies chart POLICIES URL TOKEN
       policies overhead URL TOKEN
       policies webhooks
       policies decided ENGINE VERDICTS
       policies words TABLE
       policies suite TABLE ANSWERS POLICIES DIRECTORY
       policies requests TABLE
       policies tests TABLE ANSWERS POLICY DIRECTORY
       policies compare TABLE ANSWERS VERDICTS VERDICTS-WITH-HOSTUSERS`

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "policies:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 4 && args[0] == "chart":
		return newServer(args[2], args[3]).chart(args[1])
	case len(args) == 3 && args[0] == "overhead":
		return newServer(args[1], args[2]).overhead()
	case len(args) == 1 && args[0] == "webhooks":
		return write(webhooks())
	case len(args) == 3 && args[0] == "decided":
		return decided(args[1], args[2])
	case len(args) < 2:
		return errors.New(usage)
	}
	rows, err := readTable(args[1])
	if err != nil {
		return err
	}
	right := map[string]answer{}
	if args[0] != "answers" && len(args) > 2 {
		if err := readJSON(args[2], &right); err != nil {
			return err
		}
	}
	switch {
	case args[0] == "answers" && len(args) == 5:
		j, err := newJudge(args[2])
		if err != nil {
			return err
		}
		s := newServer(args[3], args[4])
		if err := s.start(rows); err != nil {
			return err
		}
		right, err := j.answers(rows, s.valid)
		if err != nil {
			return err
		}
		return write(right)
	case args[0] == "apiserver" && len(args) == 6:
		s := newServer(args[3], args[4])
		return errors.Join(s.policies(rows, right, args[5]), s.levels(rows, right), s.types())
	case args[0] == "words" && len(args) == 2:
		said, err := words(rows)
		if err != nil {
			return err
		}
		return write(said)
	case args[0] == "suite" && len(args) == 5:
		return suite(rows, right, args[3], args[4])
	case args[0] == "tests" && len(args) == 5:
		return tests(rows, right, args[3], args[4])
	case args[0] == "requests" && len(args) == 2:
		return write(requests(rows))
	case args[0] == "compare" && len(args) == 5:
		return compare(rows, right, args[3:])
	}
	return errors.New(usage)
}

func write(v any) error {
	e := json.NewEncoder(os.Stdout)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// each asks an engine about each manifest that is one of the API server's, with the parameter hostUsers and without. The engine says why
// it refuses; "": it doesn't.
func each(rows []row, right map[string]answer, ask func(r *row, lenient bool) (string, error)) error {
	var wrong []string
	asked := 0
	for i := range rows {
		r := &rows[i]
		a, ok := right[r.name]
		if !ok {
			return fmt.Errorf("%s has no answer: run hack/policies", r.name)
		}
		if a.Refused || a.Custom {
			continue
		}
		for _, lenient := range []bool{false, true} {
			asked++
			why, err := ask(r, lenient)
			want := a.Admitted
			if lenient {
				want = a.WithHostUsers
			}
			switch {
			case err != nil:
				wrong = append(wrong, fmt.Sprintf("%s (hostUsers %t): %v", r.name, lenient, err))
			case (why == "") != want:
				wrong = append(wrong, fmt.Sprintf("%s (hostUsers %t): admitted is to be %t: %q", r.name, lenient, want, why))
			case !want && !strings.Contains(why, "may run as root: "+strings.Join(a.unsure(lenient), ", ")+": set"):
				wrong = append(wrong, fmt.Sprintf("%s (hostUsers %t): %q does not name %q", r.name, lenient, why, a.unsure(lenient)))
			}
		}
	}
	if asked < 2*80 {
		wrong = append(wrong, fmt.Sprintf("%d manifests are too few", asked/2))
	}
	fmt.Fprintf(os.Stderr, "policies: %d verdicts, %d of them wrong\n", asked, len(wrong))
	return all(wrong)
}

// all makes one error of them; none: nil.
func all(wrong []string) error {
	if len(wrong) == 0 {
		return nil
	}
	slices.Sort(wrong)
	return errors.New("\n  " + strings.Join(wrong, "\n  "))
}
