// SPDX-License-Identifier: Apache-2.0

// Command race has an attacker exchange a bundle's files, over and over, while a wrapper rewrites them and hands them to a
// runtime (SECURITY.md E8).
//
//	race -tries N -uid UID -config FILE SCENARIO DIRECTORY WRAPPER...
//
// runs the wrapper N times, with the bundle's path as its last argument, and says how it went, as one line of JSON. The
// bundle is made below DIRECTORY. The scenarios:
//
//	file   the bundle's directory is the attacker's, who exchanges config.json
//	above  the directory above is the attacker's, who exchanges the bundle
//	link   the path to the bundle is a link of the attacker's, who leads it elsewhere
//	given  the bundle's directory is given to the attacker each time anew, as Podman does, who exchanges config.json
//
// As "race naive RUNTIME BUNDLE" it is a wrapper that looks at nothing. Under the name "runtime" it is the runtime, and
// says as whom it would start the container.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	switch {
	case filepath.Base(os.Args[0]) == "runtime":
		runtime()
	case len(os.Args) == 4 && os.Args[1] == "naive":
		naive(os.Args[2], os.Args[3])
	case len(os.Args) == 4 && os.Args[1] == "attack":
		attack(os.Args[2], os.Args[3])
	default:
		referee()
	}
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "race:", err)
		os.Exit(1)
	}
}

type config struct {
	Process struct {
		User struct {
			UID int `json:"uid"`
		} `json:"user"`
		NoNewPrivileges bool `json:"noNewPrivileges"`
	} `json:"process"`
}

// runtime reads config.json once, as runtimes do.
func runtime() {
	bundle := os.Args[len(os.Args)-1]
	for _, a := range os.Args {
		if b, ok := strings.CutPrefix(a, "--bundle="); ok {
			bundle = b
		}
	}
	text, err := os.ReadFile(filepath.Join(bundle, "config.json"))
	must(err)
	var c config
	must(json.Unmarshal(text, &c))
	if c.Process.User.UID == 0 || !c.Process.NoNewPrivileges {
		fmt.Print("root")
		return
	}
	fmt.Print("held")
}

// naive rewrites config.json by its path, and goes on.
func naive(runtime, bundle string) {
	name := filepath.Join(bundle, "config.json")
	text, err := os.ReadFile(name)
	must(err)
	var c map[string]any
	must(json.Unmarshal(text, &c))
	process := c["process"].(map[string]any)
	process["user"] = map[string]int{"uid": 65532, "gid": 65532}
	process["noNewPrivileges"] = true
	text, err = json.Marshal(c)
	must(err)
	must(os.WriteFile(name+".naive", text, 0o644))
	must(os.Rename(name+".naive", name))
	must(syscall.Exec(runtime, []string{runtime, bundle}, os.Environ()))
}

// score is how the tries went.
type score struct {
	Tries   int    `json:"tries"`
	Refused int    `json:"refused"` // nothing was started
	Held    int    `json:"held"`    // what was started is not root
	Wins    int    `json:"wins"`    // the attacker's config.json was started
	Last    string `json:"last"`    // what the last refusal said
}

type game struct {
	scenario, directory, bundle string
	config                      string
	uid                         int
}

func referee() {
	g := game{}
	tries := flag.Int("tries", 100, "how often the wrapper is run")
	untilWin := flag.Bool("until-win", false, "stop at the first win")
	flag.IntVar(&g.uid, "uid", 1000, "the attacker's")
	flag.StringVar(&g.config, "config", "", "the engine's config.json")
	flag.Parse()
	if flag.NArg() < 3 {
		must(errors.New("usage: race [-tries N] [-until-win] [-uid UID] -config FILE SCENARIO DIRECTORY WRAPPER"))
	}
	g.scenario, g.directory = flag.Arg(0), flag.Arg(1)
	must(g.prepare())
	attacker := exec.Command("/proc/self/exe", "attack", g.scenario, g.directory) // itself
	attacker.Stderr = os.Stderr
	attacker.SysProcAttr = &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: uint32(g.uid), Gid: uint32(g.uid)}, // a test's argument
		Pdeathsig:  syscall.SIGKILL,
	}
	must(attacker.Start())
	var s score
	for s.Tries = 0; s.Tries < *tries && (!*untilWin || s.Wins == 0); s.Tries++ {
		must(g.again())
		out, err := exec.Command(flag.Arg(2), append(flag.Args()[3:], g.bundle)...).Output() // the test's
		switch {
		case string(out) == "root":
			s.Wins++
		case string(out) == "held" && err == nil:
			s.Held++
		default:
			s.Refused++
			var failed *exec.ExitError
			if errors.As(err, &failed) {
				s.Last = string(failed.Stderr)
			}
		}
	}
	must(attacker.Process.Kill())
	_ = attacker.Wait() // it was killed
	must(json.NewEncoder(os.Stdout).Encode(s))
}

// prepare makes the bundle and what the attacker has of his own.
func (g *game) prepare() error {
	own, good := filepath.Join(g.directory, "own"), filepath.Join(g.directory, "good")
	g.bundle = filepath.Join(own, "bundle")
	evil := filepath.Join(own, "evil")
	err := errors.Join(os.MkdirAll(filepath.Join(evil, "rootfs"), 0o755), os.MkdirAll(filepath.Join(good, "rootfs"), 0o755),
		os.Chmod(g.directory, 0o755))
	text, readErr := os.ReadFile(g.config)
	if err := errors.Join(err, readErr); err != nil {
		return err
	}
	err = errors.Join(os.WriteFile(filepath.Join(evil, "config.json"), text, 0o644), os.WriteFile(filepath.Join(good, "config.json"), text, 0o644))
	switch g.scenario {
	case "link":
		err = errors.Join(err, os.Symlink(good, g.bundle))
	case "given", "file":
		// Only the bundle's own directory is the attacker's.
		err = errors.Join(err, os.Rename(good, g.bundle), os.Chown(g.bundle, g.uid, g.uid), os.Rename(evil, filepath.Join(g.directory, "evil")),
			g.give(filepath.Join(g.directory, "evil")))
		return err
	case "above":
		err = errors.Join(err, os.Rename(good, g.bundle))
	default:
		return fmt.Errorf("no such scenario: %q", g.scenario)
	}
	mine := filepath.Join(own, "mine")
	return errors.Join(err, os.WriteFile(mine, text, 0o644), os.Chown(mine, g.uid, g.uid), g.give(evil), os.Chown(own, g.uid, g.uid))
}

// give makes a directory and what is in it the attacker's.
func (g *game) give(dir string) error {
	return errors.Join(os.Chown(dir, g.uid, g.uid), os.Chown(filepath.Join(dir, "config.json"), g.uid, g.uid))
}

// again is what an engine does before each start: config.json is written anew, and with user namespaces Podman gives the
// directory away.
func (g *game) again() error {
	if g.scenario == "above" || g.scenario == "link" {
		return nil
	}
	text, err := os.ReadFile(g.config)
	if err != nil {
		return err
	}
	name := filepath.Join(g.bundle, "config.json")
	err = errors.Join(os.WriteFile(name+".engine", text, 0o600), os.Rename(name+".engine", name))
	return errors.Join(err, os.Chmod(g.bundle, 0o700), os.Chown(g.bundle, g.uid, g.uid))
}

// attack exchanges what can be exchanged, until it is ended.
func attack(scenario, directory string) {
	own := filepath.Join(directory, "own")
	bundle := filepath.Join(own, "bundle")
	for i := 0; ; i++ {
		if scenario == "above" || scenario == "link" {
			// A wrapper may have made something harmless of it.
			restore(own)
		}
		switch scenario {
		case "above":
			must(unix.Renameat2(unix.AT_FDCWD, bundle, unix.AT_FDCWD, filepath.Join(own, "evil"), unix.RENAME_EXCHANGE))
		case "link":
			to := filepath.Join(directory, "good")
			if i%2 == 0 {
				to = filepath.Join(own, "evil")
			}
			next := filepath.Join(own, "next"+strconv.Itoa(i%2))
			must(os.Symlink(to, next))
			must(os.Rename(next, bundle))
		case "given":
			// Somebody who is too early is seen. So he waits for the engine's file, and then for a moment, anew for each file: of
			// any order of magnitude, as nobody knows how long a call takes on this machine.
			begun, wait := time.Now(), moment()
			for !engines(bundle) || time.Since(begun) < wait {
				if !engines(bundle) {
					begun, wait = time.Now(), moment()
				}
			}
			attackFile(directory, bundle, i)
		default:
			attackFile(directory, bundle, i)
		}
	}
}

// moment is between 0.1 and 200 ms, each order of magnitude as often as the others.
func moment() time.Duration {
	return time.Duration(float64(100*time.Microsecond) * math.Exp2(rand.Float64()*11))
}

// engines reports whether config.json is the engine's own file.
func engines(bundle string) bool {
	var st unix.Stat_t
	return unix.Lstat(filepath.Join(bundle, "config.json"), &st) == nil && st.Uid == 0 && st.Mode&unix.S_IFMT == unix.S_IFREG
}

// restore puts his config.json back into the bundle of his own, wherever that lies.
func restore(own string) {
	for _, dir := range []string{"evil", "bundle"} {
		next := filepath.Join(own, dir, "next")
		_ = os.Remove(next)
		if os.Link(filepath.Join(own, "mine"), next) == nil {
			_ = os.Rename(next, filepath.Join(own, dir, "config.json"))
		}
	}
}

// attackFile puts his own config.json, one that root wrote earlier, or a link in the place of the bundle's. While the directory
// is not his, nothing of it works.
func attackFile(directory, bundle string, i int) {
	config, next := filepath.Join(bundle, "config.json"), filepath.Join(bundle, "next")
	_ = os.Remove(next)
	switch i % 3 {
	case 0:
		if os.Link(filepath.Join(directory, "evil", "config.json"), next) != nil {
			// The kernel may forbid links to files that one cannot write (fs.protected_hardlinks); these are his own.
			return
		}
	case 1:
		_ = os.Rename(filepath.Join(bundle, "nonroot-asked.json"), config)
		return
	case 2:
		if os.Symlink(filepath.Join(directory, "evil", "config.json"), next) != nil {
			return
		}
	}
	_ = os.Rename(next, config)
}
