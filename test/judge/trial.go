// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// outcome is how one process went.
type outcome string

const (
	refused outcome = "refused" // by the wrapper
	failed  outcome = "failed"  // by the runtime
	silent  outcome = "silent"  // it started, and was gone before it said a word or could be looked at
	ran     outcome = "ran"     // and was judged
)

// trial is one container of a recipe.
type trial struct {
	*room
	recipe *recipe
	bare   bool
	id     string
	bundle string
	law    law // of the container; its processes have bounding sets of their own

	container outcome
	execs     []outcome
	reasons   []string // of those that did not run
	found     findings
}

// patience is how long a runtime, or a probe, may take on a machine that is busy.
const patience = 10 * time.Second

// args are the runtime's, or the wrapper's, in front of a verb.
func (t *trial) args(bare bool) []string {
	args := []string{t.runtime.path}
	if !bare {
		args = []string{t.wrapper, "--nonroot-runtime", t.runtime.path, "--nonroot-config", filepath.Join(t.dir, "policies",
			t.recipe.Policy)}
	}
	return append(args, "--root", filepath.Join(t.dir, "state"))
}

// voice is a process that was started with a runtime's help, as it is reached through the runtime's own standard streams.
type voice struct {
	out *os.File
	in  *os.File
	buf *bufio.Reader
}

func (v *voice) close() {
	_ = v.in.Close()
	_ = v.out.Close()
}

// hear reads the next line of the probe's.
func (v *voice) hear(wait time.Duration) (s said, err error) {
	if err = v.out.SetReadDeadline(time.Now().Add(wait)); err != nil {
		return s, err
	}
	line, err := v.buf.ReadBytes('\n')
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(line, &s)
}

// call runs the command to its end. What it starts has v's streams.
func (t *trial) call(args []string) (v *voice, complaint string, err error) {
	inside, in, err := os.Pipe()
	if err != nil {
		return nil, "", err
	}
	defer inside.Close() // nothing was written
	out, outside, err := os.Pipe()
	if err != nil {
		return nil, "", errors.Join(err, in.Close())
	}
	defer outside.Close() // it is the other side that writes
	v = &voice{out: out, in: in, buf: bufio.NewReader(out)}
	fd, err := unix.MemfdCreate("stderr", unix.MFD_CLOEXEC)
	if err != nil {
		return v, "", err
	}
	words := os.NewFile(uintptr(fd), "stderr")
	defer words.Close() // nothing is kept of it

	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.Dir = inside, outside, words, t.bundle
	err = cmd.Run()
	text := make([]byte, 1<<16)
	n, _ := words.ReadAt(text, 0)
	return v, string(text[:n]), err
}

// run is the whole trial. An error is one of the judge's own.
func (t *trial) run() error {
	t.found = findings{}
	t.bundle = filepath.Join(t.dir, "bundles", t.id)
	if err := t.build(t.bundle, t.recipe); err != nil {
		return fmt.Errorf("build the bundle %q: %w", t.bundle, err)
	}
	t.law.bounding = t.bounding(t.recipe.Bounding)
	end, err := t.start()
	if err == nil && t.container == ran {
		for i := range t.recipe.Execs {
			if err = t.exec(i); err != nil {
				break
			}
		}
	}
	return errors.Join(err, end())
}

// bounding is what may be in the set. The bare runtime shall be seen to have any.
func (t *trial) bounding(asked uint64) uint64 {
	if t.bare || t.recipe.Policy == "drop" {
		return 0
	}
	return asked
}

func (t *trial) paper(name string) string { return filepath.Join(t.dir, "papers", t.id+name) }

// start creates and starts the container, and judges its first process. What it gives ends the container.
func (t *trial) start() (end func() error, err error) {
	pidFile := t.paper(".pid")
	verb := []string{"run", "--detach"}
	if t.recipe.Created {
		verb = []string{"create"}
	}
	args := append(append(t.args(t.bare), verb...), t.recipe.Flags...)
	v, words, err := t.call(append(args, "--bundle", t.bundle, "--pid-file", pidFile, t.id))
	end = func() error {
		if v != nil {
			v.close()
		}
		return t.end(pidFile)
	}
	if v == nil {
		return end, err
	}
	if err == nil && t.recipe.Created {
		// The gate is the wrapper's, and may refuse.
		var gate *voice
		gate, words, err = t.call(append(t.args(t.bare), "start", t.id))
		if gate != nil {
			gate.close()
		}
	} else if _, there := os.Stat(filepath.Join(t.dir, "state",
		t.id)); err != nil && t.without(words) == refused && there == nil {
		t.found.add(leftover, "a container that was refused: "+words)
	}
	t.container, err = t.judge(v, pidFile, words, err, &t.law)
	return end, err
}

// exec starts one more process in the container, and judges it.
func (t *trial) exec(number int) error {
	e := t.recipe.Execs[number]
	pidFile := t.paper(fmt.Sprintf(".%d.pid", number))
	args := append(t.args(t.bare), "exec", "--detach", "--pid-file", pidFile)
	if e.Process != "" {
		file := t.paper(".json")
		if err := os.WriteFile(file, []byte(e.Process), 0o600); err != nil {
			return err
		}
		args = append(args, "--process", file, t.id)
	} else {
		args = append(append(args, e.Flags...), t.id, "/probe")
	}
	v, words, err := t.call(args)
	if v == nil {
		return err
	}
	defer v.close()
	l := t.law
	l.bounding = t.bounding(e.Bounding)
	before := len(t.found)
	o, err := t.judge(v, pidFile, words, err, &l)
	if len(t.found) > before {
		t.found.add(inExec, fmt.Sprintf("number %d", number))
	}
	t.execs = append(t.execs, o)
	return err
}

// without is who is to blame that nothing runs.
func (t *trial) without(words string) outcome {
	if !t.bare && strings.Contains(words, "nonroot-runc: ") {
		return refused
	}
	return failed
}

// judge hears the process twice, and each time looks at what the host's kernel says of it.
func (t *trial) judge(v *voice, pidFile, words string, failure error, l *law) (outcome, error) {
	wait := patience
	if failure != nil {
		t.reasons = append(t.reasons, words)
		if strings.Contains(words, "nonroot-runc/nonroot-runc/") {
			t.found.add(crash, words)
		}
		wait = time.Millisecond // nobody is there, or should be
	}
	first, err := v.hear(wait)
	if failure != nil {
		if err == nil { // the runtime fails, and the process has run
			t.found.merge(l.words(first), "said by a process that is said not to run: ")
		}
		return t.without(words), nil
	}
	pid, known := readPID(pidFile)
	if !known {
		return silent, nil
	}
	if err != nil && !isProbe(pid) {
		t.reasons = append(t.reasons, "no word of the probe: "+err.Error())
		return silent, nil
	}
	looked, err := t.look(pid, l, first)
	if !looked || err != nil {
		return silent, err
	}
	if _, err := v.in.Write([]byte{'!'}); err != nil {
		return ran, nil // a filter has ended it since
	}
	second, err := v.hear(patience / 4)
	if err == nil {
		_, err = t.look(pid, l, second)
		return ran, err
	}
	return ran, nil
}

func (t *trial) look(pid int, l *law, s said) (bool, error) {
	outside, err := seePID(pid)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) || len(outside.tasks) == 0 {
		return false, nil
	}
	t.found.merge(l.outside(outside), "seen by the host: ")
	t.found.merge(l.words(s), "said by the process: ")
	return true, err
}

func readPID(file string) (int, bool) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, false
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	return pid, err == nil && pid > 0
}

// isProbe reports whether a process is the probe by now, and no runtime's any more.
func isProbe(pid int) bool {
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	return err == nil && filepath.Base(exe) == "probe"
}

// end deletes the container, and says what is left of it.
func (t *trial) end(pidFile string) error {
	handle := -1
	if pid, known := readPID(pidFile); known {
		handle, _ = unix.PidfdOpen(pid, 0)
		if handle >= 0 && !isProbe(pid) && t.container == ran { // the number is another process's by now
			_ = unix.Close(handle)
			handle = -1
		}
	}
	for try := 1; ; try++ {
		if _, err := os.Stat(filepath.Join(t.dir, "state", t.id)); err != nil {
			break
		}
		v, words, err := t.call(append(t.args(true), "delete", "--force", t.id))
		if v != nil {
			v.close()
		}
		if err == nil {
			break
		}
		if try == 5 { // crun ends at a hook that does not read what it writes to it
			return fmt.Errorf("delete the container %q: %w: %s", t.id, err, words)
		}
	}
	if handle >= 0 {
		_ = unix.PidfdSendSignal(handle, unix.SIGKILL, nil, 0)
		_, _ = unix.Poll([]unix.PollFd{{Fd: int32(handle), Events: unix.POLLIN}}, 5000)
		_ = unix.Close(handle)
	}
	papers, err := filepath.Glob(t.paper("*"))
	for _, p := range papers {
		err = errors.Join(err, os.Remove(p))
	}
	found, detached := detach(t.bundle)
	if len(found) > 0 {
		t.found.add(leftover, "mounts: "+strings.Join(found, " "))
	}
	if err = errors.Join(err, detached); err != nil {
		return err
	}
	return os.RemoveAll(t.bundle)
}

// reason is a message without what differs from one container to the next.
func reason(words string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(words), "\n")
	line = regexp.MustCompile(`container "[^"]*": `).ReplaceAllString(line, "")
	line = regexp.MustCompile(`time="[^"]*" `).ReplaceAllString(line, "")
	line = regexp.MustCompile(`/[^ ":]*nonroot-judge[^ ":]*`).ReplaceAllString(line, "PATH")
	line = regexp.MustCompile(`[0-9]+`).ReplaceAllString(line, "N")
	if len(line) > 150 {
		line = line[:150]
	}
	return line
}

// keep writes the bundle with all that is needed to try it once more.
func (t *trial) keep(directory string) error {
	t.recipe.Found = t.found
	if err := os.MkdirAll(filepath.Dir(directory), 0o700); err != nil {
		return err
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetIndent("", "  ")
	if err := enc.Encode(t.recipe); err != nil {
		return err
	}
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(directory, "config.json"), []byte(t.recipe.Config), 0o600),
		os.WriteFile(filepath.Join(directory, paperOfJudge), text.Bytes(), 0o600))
}

// paperOfJudge is the file beside config.json in a kept bundle.
const paperOfJudge = "judge.json"
