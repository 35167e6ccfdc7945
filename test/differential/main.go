// SPDX-License-Identifier: Apache-2.0

// Command differential compares internal/runcargs with how the runtimes themselves read command lines (SECURITY.md E9): for
// no line may a runtime act on another bundle, container, process file, root or credential than the wrapper thought.
//
//	differential [-count N] [-crun-count N] [-seed N] [-from N] ORACLE...
//
// A line of a generated grammar goes to the parser. What the parser refuses is nobody's business, but for plain lines, which it
// must take. What it takes goes on to each oracle as the wrapper would hand it on.
package main

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/runcargs"
)

func main() {
	count := flag.Uint64("count", 1000000, "lines for each oracle")
	crunCount := flag.Uint64("crun-count", 0, "lines for crun's, which is slower; 0 is count")
	seed := flag.Uint64("seed", 1, "what the lines are made from")
	from := flag.Uint64("from", 0, "the number of the first line")
	flag.Parse()
	if *crunCount == 0 {
		*crunCount = *count
	}
	if err := run(*count, *crunCount, *seed, *from, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "differential:", err)
		os.Exit(1)
	}
}

func run(count, crunCount, seed, from uint64, paths []string) error {
	var oracles []*oracle
	for _, path := range paths {
		o, err := start(path)
		if err != nil {
			return err
		}
		if err := o.check(); err != nil {
			return err
		}
		oracles = append(oracles, o)
	}
	if len(oracles) == 0 {
		return fmt.Errorf("no oracle is given")
	}
	g := newGrammar(oracles)
	failed := false
	for _, o := range oracles {
		t := &tally{oracle: o, kinds: map[string]*figures{}}
		n := count
		if o.crun {
			n = crunCount
		}
		if err := t.run(g, n, seed, from); err != nil {
			return err
		}
		if err := o.stop(); err != nil {
			return fmt.Errorf("%s: %w", o.name, err)
		}
		t.print()
		failed = failed || t.bad > 0
	}
	if failed {
		return fmt.Errorf("the wrapper and a runtime read a line differently (seed %d; -from N -count 1 shows line N alone)", seed)
	}
	return nil
}

// figures count the lines of one kind.
type figures struct{ asked, acted int }

// tally is the comparison with one oracle.
type tally struct {
	oracle *oracle
	lines  int
	taken  int
	plain  int
	bad    int
	kinds  map[string]*figures
}

// pending is a question that waits for its answer.
type pending struct {
	question
	number uint64
	came   []string
}

// shown is how many differences are printed.
const shown = 20

func (t *tally) differs(number uint64, came, handed []string, what string, r *reading) {
	t.bad++
	if t.bad <= shown {
		fmt.Printf("%s: line %d\n  came   %q\n  handed %q\n  read   %v\n  but    %s\n", t.oracle.name, number, came, handed, r, what)
	}
}

func (t *tally) run(g *grammar, count, seed, from uint64) error {
	// The oracle reads ahead of the answers as far as this and the pipes go.
	queue := make(chan pending, 4096)
	answered := make(chan error, 1)
	go func() { answered <- t.answers(queue) }()
	err := errors.Join(t.ask(g, count, seed, from, queue), t.oracle.in.Flush())
	close(queue)
	if aerr := <-answered; aerr != nil {
		return aerr
	}
	return err
}

func (t *tally) ask(g *grammar, count, seed, from uint64, queue chan<- pending) error {
	for number := from; number < from+count; number++ {
		// Each line has a source of its own, so that it can be made again alone.
		r := rand.New(rand.NewPCG(seed, number))
		plain := chance(r, 20)
		var line []string
		if plain {
			line = g.plain(r)
		} else {
			line = g.line(r)
		}
		t.lines++
		c, err := runcargs.Parse(line)
		if plain {
			t.plain++
			if err != nil {
				queue <- pending{question{line, func(*reading) string { return "a plain line is refused: " + err.Error() }, "plain"}, number, line}
				if err := t.oracle.ask(line); err != nil {
					return err
				}
			}
		}
		if err != nil {
			continue
		}
		t.taken++
		for _, q := range t.oracle.questions(c, line) {
			queue <- pending{q, number, line}
			if err := t.oracle.ask(q.line); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *tally) answers(queue <-chan pending) error {
	for p := range queue {
		r, err := t.oracle.answer()
		if err != nil {
			for range queue { // so that nobody waits for ever
			}
			return err
		}
		f := t.kinds[p.kind]
		if f == nil {
			f = &figures{}
			t.kinds[p.kind] = f
		}
		f.asked++
		if r.acts {
			f.acted++
		}
		if what := p.compare(r); what != "" {
			t.differs(p.number, p.came, p.line, what, r)
		}
	}
	return nil
}

func (t *tally) print() {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d lines, %d plain, %d taken, %d refused by the wrapper", t.oracle.name, t.lines, t.plain, t.taken, t.lines-t.taken)
	kinds := make([]string, 0, len(t.kinds))
	for k := range t.kinds {
		kinds = append(kinds, k)
	}
	slices.Sort(kinds)
	for _, k := range kinds {
		fmt.Fprintf(&b, "; %s: %d, acted on %d", k, t.kinds[k].asked, t.kinds[k].acted)
	}
	fmt.Fprintf(&b, "; differences: %d\n", t.bad)
	fmt.Print(b.String())
}
