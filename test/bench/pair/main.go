// SPDX-License-Identifier: Apache-2.0

// Command pair compares two builds of the wrapper call by call: each call is made by the one, by the other, and by the program
// that both end in, in turns, so that whatever else the machine does meets all three. It counts CPU time (user and system, of
// the call's own process: getrusage(2)), which is steadier than the clock, and takes off what the program at the end costs.
//
//	pair RUNS NEXT BASE NOW <calls
//
// A call is a line: a name, a tab, a config.json and a bundle that is to be begun anew with it (or two "-"), a tab each, and
// the command line in which {} is the build. A bundle that has more to begin anew than its files has a program "fresh".
package main

import (
	"bufio"
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "pair:", err)
		os.Exit(1)
	}
}

// cost is what one call took, in seconds.
type cost struct{ cpu, wall float64 }

func run(args []string) error {
	if len(args) != 4 {
		return fmt.Errorf("give RUNS NEXT BASE NOW")
	}
	runs, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	fmt.Println("call\tbase, own CPU\tnow, own CPU\tnow over base, CPU\tnow over base, clock")
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		parts := strings.Split(in.Text(), "\t")
		if len(parts) != 4 {
			return fmt.Errorf("%q is no call", in.Text())
		}
		if err := compare(parts, runs, args[1:]); err != nil {
			return fmt.Errorf("%s: %w", parts[0], err)
		}
	}
	return in.Err()
}

func compare(call []string, runs int, programs []string) error {
	var all [3][]cost // next, base, now
	for i := range runs + 10 {
		for j := range programs {
			k := (i + j) % len(programs) // nobody always comes first
			c, err := once(call, programs[k], k == 0)
			if err != nil {
				return err
			}
			if i >= 10 { // caches are warm by then
				all[k] = append(all[k], c)
			}
		}
	}
	cpu := func(c cost) float64 { return c.cpu }
	wall := func(c cost) float64 { return c.wall }
	own := func(k int, of func(cost) float64) float64 { return median(all[k], of) - median(all[0], of) }
	fmt.Printf("%s\t%.3f ms\t%.3f ms\t%.3fx\t%.3fx\n", call[0], own(1, cpu)*1e3, own(2, cpu)*1e3, own(2, cpu)/own(1, cpu), own(2, wall)/own(1, wall))
	return nil
}

func once(call []string, program string, alone bool) (cost, error) {
	if call[1] != "-" {
		if err := fresh(call[1], call[2]); err != nil {
			return cost{}, err
		}
	}
	words := strings.Fields(call[3])
	for i, w := range words {
		words[i] = strings.ReplaceAll(w, "{}", program)
	}
	if alone {
		words = []string{program}
	}
	cmd := exec.Command(words[0], words[1:]...)
	began := time.Now()
	out, err := cmd.CombinedOutput()
	c := cost{wall: time.Since(began).Seconds()}
	if err != nil {
		return c, fmt.Errorf("%q: %w: %s", words, err, out)
	}
	c.cpu = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	return c, nil
}

// fresh puts a bundle back to what an engine has made.
func fresh(config, bundle string) error {
	ours, err := filepath.Glob(filepath.Join(bundle, "nonroot-*"))
	if err != nil {
		return err
	}
	for _, name := range ours {
		if err := os.Remove(name); err != nil {
			return err
		}
	}
	data, err := os.ReadFile(config)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(bundle, "config.json"), data, 0o600); err != nil {
		return err
	}
	more := filepath.Join(bundle, "fresh")
	if _, err := os.Stat(more); err != nil {
		return nil
	}
	if out, err := exec.Command(more).CombinedOutput(); err != nil {
		return fmt.Errorf("%q: %w: %s", more, err, out)
	}
	return nil
}

func median(all []cost, of func(cost) float64) float64 {
	slices.SortFunc(all, func(a, b cost) int { return cmp.Compare(of(a), of(b)) })
	return of(all[len(all)/2])
}
