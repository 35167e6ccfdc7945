// SPDX-License-Identifier: Apache-2.0

// Command judge starts containers of all kinds and says what credentials their processes have, as the kernel sees them. It
// knows nothing of nonroot-runc but its command line and its promises (SECURITY.md): no package of it is imported.
//
//	judge [-count N] [-seed N] [-runtime PATH] -wrapper PATH -keep DIRECTORY
//
// generates N bundles from the seed. A tenth of them is started by the bare runtime first, where violations must be found,
// or the judge would be blind; then all are started through the wrapper, half by run, half by create and start, and further
// processes in them by exec. Each is refused, fails, or runs; of those that run, no thread may have uid 0, gid 0 or group 0,
// inside or outside of the container's user namespace, any capability, or a bounding set beyond the one asked for, or be
// without NoNewPrivs, or come into a user namespace, also after it has tried.
//
//	judge -wrapper PATH BUNDLE
//
// starts a single bundle, with the probe as its process: any, or one that was kept. In the rootfs of any, /probe is where the
// program is mounted; the runtime makes that file.
//
// The containers' process is the same program, under the name "probe".
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
)

func main() {
	switch filepath.Base(os.Args[0]) {
	case "probe":
		probe()
	case "inner":
		inner()
	case "true", "hook":
	case "holder":
		signal.Ignore(syscall.SIGCHLD) // it is the first process of a namespace: the kernel reaps for it
		_, _ = io.Copy(io.Discard, os.Stdin)
	default:
		if err := court(); err != nil {
			fmt.Fprintln(os.Stderr, "judge:", err)
			os.Exit(1)
		}
	}
}

func court() error {
	count := flag.Uint64("count", 2000, "how many bundles")
	seed := flag.Uint64("seed", rand.Uint64N(1<<32), "of the generator")
	runtime := flag.String("runtime", "/usr/sbin/runc", "the next runtime")
	wrapper := flag.String("wrapper", "", "nonroot-runc")
	directory := flag.String("keep", "judged", "where bundles with violations are kept")
	only := flag.Uint64("only", 0, "the number of one generated bundle, which alone is tried")
	verbose := flag.Bool("v", false, "says why containers did not run")
	flag.Parse()
	if *wrapper == "" || flag.NArg() > 1 {
		return errors.New("usage: judge [-count N] [-seed N] [-runtime PATH] [-keep DIRECTORY] -wrapper PATH [BUNDLE]")
	}
	name := filepath.Base(*runtime)
	r, err := newRoom(os.TempDir(), program{name, *runtime, strings.Contains(name, "runc")}, *wrapper)
	if err != nil {
		return err
	}
	c := &sitting{room: r, seed: *seed, keep: *directory, verbose: *verbose}
	if err := c.law.hostGroups(); err != nil {
		return errors.Join(err, r.close())
	}
	switch {
	case flag.NArg() == 1:
		err = c.single(flag.Arg(0))
	case *only > 0:
		err = c.through(*only, *only, false)
	default:
		err = c.all(*count)
	}
	return errors.Join(err, r.close())
}

// sitting is a run of the judge on one runtime.
type sitting struct {
	room    *room
	seed    uint64
	keep    string
	verbose bool
	law     law

	mu       sync.Mutex
	tally    tally
	failures []error
}

type tally struct {
	generated         int
	containers, execs map[outcome]int
	kinds             map[string]int // of violations: how many bundles show one
	reasons           map[string]int // why processes did not run
}

func newTally() tally {
	return tally{
		containers: map[outcome]int{}, execs: map[outcome]int{}, kinds: map[string]int{},
		reasons: map[string]int{},
	}
}

func (c *sitting) all(count uint64) error {
	fmt.Printf("judge: %s: seed %d\n", c.room.runtime.name, c.seed)
	// Other numbers than those of the wrapper's share: two containers of one recipe show no more than one.
	const first = 1 << 40
	if err := c.through(first, first+max(count/10, 60)-1, true); err != nil {
		return err
	}
	for _, kind := range expected {
		if c.tally.kinds[kind] == 0 {
			return fmt.Errorf("the bare runtime shows no violation of the kind %q: the judge is blind, or there are too few bundles", kind)
		}
	}
	if err := c.through(1, count, false); err != nil {
		return err
	}
	if got := c.tally.containers[ran]; got*10 < c.tally.generated || c.tally.execs[ran] == 0 {
		return fmt.Errorf("only %d of %d containers and %d further processes ran: that proves nothing", got,
			c.tally.generated, c.tally.execs[ran])
	}
	return nil
}

// through tries the bundles of these numbers, two at a time.
func (c *sitting) through(first, last uint64, bare bool) error {
	c.tally = newTally()
	next := make(chan uint64)
	var workers sync.WaitGroup
	for range 2 {
		workers.Go(func() {
			for n := range next {
				made := generate(c.seed, n, c.room, bare)
				c.try(&made, fmt.Sprintf("%d-%d", c.seed, n), bare)
			}
		})
	}
	for n := first; n <= last; n++ {
		next <- n
	}
	close(next)
	workers.Wait()
	c.say(bare)
	if !bare && len(c.tally.kinds) > 0 {
		c.failures = append(c.failures, fmt.Errorf("promises are broken: %s", counted(c.tally.kinds)))
	}
	return errors.Join(c.failures...)
}

func (c *sitting) try(made *recipe, name string, bare bool) {
	t := &trial{room: c.room, recipe: made, bare: bare, id: fmt.Sprintf("%s-%s", c.room.tag, name), law: c.law}
	if bare {
		t.id += "-bare"
	}
	err := t.run()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tally.add(t)
	if err != nil {
		c.failures = append(c.failures, fmt.Errorf("bundle %s: %w", name, err))
	}
	if bare || len(t.found) == 0 {
		return
	}
	directory := filepath.Join(c.keep, c.room.runtime.name+"-"+name)
	if err := t.keep(directory); err != nil {
		c.failures = append(c.failures, err)
	}
	fmt.Printf("judge: %s: bundle %s breaks promises; it is kept in %s\n", c.room.runtime.name, name, directory)
	for _, kind := range slices.Sorted(maps.Keys(t.found)) {
		fmt.Printf("  %s: %s\n", kind, t.found[kind])
	}
}

func (t *tally) add(tried *trial) {
	t.generated++
	t.containers[tried.container]++
	for _, o := range tried.execs {
		t.execs[o]++
	}
	for kind := range tried.found {
		t.kinds[kind]++
	}
	for _, words := range tried.reasons {
		t.reasons[reason(words)]++
	}
}

func (c *sitting) say(bare bool) {
	how, t := "nonroot-runc", &c.tally
	if bare {
		how = "bare"
	}
	fmt.Printf("judge: %s: %s: %d bundles: %d refused, %d failed, %d silent, %d ran; exec: %d refused, %d failed, %d silent, %d ran\n", c.room.runtime.name, how, t.generated,
		t.containers[refused], t.containers[failed], t.containers[silent], t.containers[ran], t.execs[refused], t.execs[failed], t.execs[silent], t.execs[ran])
	fmt.Printf("judge: %s: %s: violations: %s\n", c.room.runtime.name, how, counted(t.kinds))
	if c.verbose {
		for _, words := range slices.SortedFunc(maps.Keys(t.reasons), func(a,
			b string,
		) int {
			return t.reasons[b] - t.reasons[a]
		}) {
			fmt.Printf("  %4d %s\n", t.reasons[words], words)
		}
	}
}

func counted(kinds map[string]int) string {
	if len(kinds) == 0 {
		return "none"
	}
	var all []string
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		all = append(all, fmt.Sprintf("%s %d", kind, kinds[kind]))
	}
	return strings.Join(all, ", ")
}

// single tries one bundle. One that was kept is made anew as it was, byte by byte; any other stays where it is, and a copy of
// its config.json has the probe as its process.
func (c *sitting) single(bundle string) error {
	made, err := c.kept(bundle)
	if errors.Is(err, os.ErrNotExist) {
		made, err = c.foreign(bundle)
	}
	if err != nil {
		return err
	}
	c.tally = newTally()
	c.keep, c.verbose = filepath.Join(c.keep, "again"), true
	c.try(made, "single", false)
	c.say(false)
	if len(c.tally.kinds) > 0 {
		c.failures = append(c.failures, fmt.Errorf("promises are broken: %s", counted(c.tally.kinds)))
	}
	return errors.Join(c.failures...)
}

func (c *sitting) kept(bundle string) (*recipe, error) {
	text, err := os.ReadFile(filepath.Join(bundle, paperOfJudge))
	if err != nil {
		return nil, err
	}
	var made recipe
	if err := json.Unmarshal(text, &made); err != nil {
		return nil, err
	}
	config, err := os.ReadFile(filepath.Join(bundle, "config.json")) // which somebody may have made smaller
	moved := strings.NewReplacer(made.Room, c.room.dir, made.Cgroup, c.room.cgroup)
	made.Config = moved.Replace(string(config))
	for i := range made.Execs {
		made.Execs[i].Process = moved.Replace(made.Execs[i].Process)
	}
	made.Room, made.Cgroup = c.room.dir, c.room.cgroup
	return &made, err
}

func (c *sitting) foreign(bundle string) (*recipe, error) {
	text, err := os.ReadFile(filepath.Join(bundle, "config.json"))
	if err != nil {
		return nil, err
	}
	var config map[string]any
	if err := json.Unmarshal(text, &config); err != nil {
		return nil, err
	}
	process, ok := config["process"].(map[string]any)
	root, has := config["root"].(map[string]any)
	if !ok || !has {
		return nil, fmt.Errorf("%q has no process or no root", bundle)
	}
	process["args"], process["terminal"] = []string{"/probe"}, false
	if path, _ := root["path"].(string); !filepath.IsAbs(path) {
		if root["path"], err = filepath.Abs(filepath.Join(bundle, path)); err != nil {
			return nil, err
		}
	}
	mounts, _ := config["mounts"].([]any)
	config["mounts"] = append(mounts, map[string]any{
		"destination": "/probe", "type": "bind",
		"source": filepath.Join(c.room.dir, "probe"), "options": []string{"bind", "ro"},
	})
	made := &recipe{Policy: "default", Room: c.room.dir, Execs: []execution{{Flags: []string{"--user", "0:0"}}}}
	caps, _ := process["capabilities"].(map[string]any)
	list, _ := caps["bounding"].([]any)
	for _, name := range list {
		if s, ok := name.(string); ok {
			if n := slices.Index(names, strings.TrimPrefix(s, "CAP_")); n >= 0 {
				made.Bounding |= 1 << n
			}
		}
	}
	made.Execs[0].Bounding = made.Bounding
	text, err = json.Marshal(config)
	made.Config = string(text)
	return made, err
}
