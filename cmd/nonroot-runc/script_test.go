// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	osexec "os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/nonroot-runc/nonroot-runc/internal/hint"
	"github.com/nonroot-runc/nonroot-runc/internal/testkit"
)

// TestScripts runs the behaviours in testdata/script, one file each. A script begins with a bundle in $WORK/bundle with
// a config.json that asks for root as Docker's does. Its own commands:
//
//	goes COMMAND...            succeeds silently, and the runtime was called once; $WORK/called records how
//	refused REGEX COMMAND...   fails with one message that matches; the runtime was not called, no file was changed or
//	                           created, and a file that --log names got only the message, in the right form
//	changed FILE...            exactly these files were changed, created or removed by the last goes
//	is FILE PATH VALUE         the JSON file has the value at the path; "absent": there is none
//	set FILE PATH VALUE        edits a JSON file
//	container [-crun] ID COMMAND...
//	                           starts the command, and writes a runtime's state below $WORK/state with it as the
//	                           first process of the container with the bundle $WORK/bundle
//	audited REGEX FILE         the log file has one line, a warning that matches
//	lines FILE LINE...         the file has these lines; the number of a document's descriptor is N
//	mode FILE MODE             the file has this mode
//	digest FILE PATH OF        the JSON file has at the path the SHA-256 of another file
//	write FILE LINE...         writes a file with variables in its lines
//	etc NAME FILE              installs a policy as /etc/nonroot-runc/NAME
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("BIN", binaries())
			e.Setenv("PATH", binaries()+":"+os.Getenv("PATH"))
			e.Setenv(insideVariable, os.Getenv(insideVariable))
			e.Setenv(callsVariable, filepath.Join(e.WorkDir, "called"))
			return makeBundle(filepath.Join(e.WorkDir, "bundle"))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"goes": positive(goes), "refused": positive(refused), "changed": positive(changed), "is": is, "set": positive(set),
			"container": positive(container), "audited": positive(audited), "lines": positive(hasLines), "mode": positive(mode),
			"digest": positive(digest), "write": positive(write), "etc": positive(etc),
		},
		RequireUniqueNames: true,
	})
}

// makeBundle fills a directory with the test's config.json and a rootfs. Existing files stay.
func makeBundle(dir string) error {
	if err := os.MkdirAll(dir+"/rootfs/etc", 0o755); err != nil {
		return err
	}
	for from, to := range map[string]string{"config.json": "config.json", "passwd": "rootfs/etc/passwd", "group": "rootfs/etc/group"} {
		if err := testkit.CopyFile("testdata/bundle/"+from, filepath.Join(dir, to)); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return os.Chmod(dir+"/config.json", 0o600)
}

// positive is a command that can't be negated.
func positive(f func(*testscript.TestScript, []string)) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg {
			ts.Fatalf("this command can't be negated")
		}
		f(ts, args)
	}
}

// call runs a command and returns its exit status and output. The count of the runtime's calls starts at zero.
func call(ts *testscript.TestScript, args []string) (status int, stdout, stderr string) {
	ts.Check(os.RemoveAll(ts.Getenv(callsVariable)))
	err := ts.Exec(args[0], args[1:]...)
	var exit *osexec.ExitError
	if errors.As(err, &exit) {
		status = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	return status, ts.ReadFile("stdout"), ts.ReadFile("stderr")
}

func goes(ts *testscript.TestScript, args []string) {
	old := tree(ts)
	status, stdout, stderr := call(ts, args)
	want, _ := strconv.Atoi(ts.Getenv(statusVariable))
	if status != want || stdout != "" || stderr != "" {
		ts.Fatalf("status %d instead of %d, stdout %q, stderr %q", status, want, stdout, stderr)
	}
	if n := strings.Count(ts.ReadFile(filepath.Join(ts.Getenv(callsVariable), "count")), "\n"); n != 1 {
		ts.Fatalf("the runtime was called %d times", n)
	}
	ts.Setenv("BEFORE", save(ts, old))
}

// forbidden matches words that engines interpret (message.go).
var forbidden = regexp.MustCompile(`(?i)no such file or directory|executable file not found|permission denied|not a directory|operation not permitted`)

func refused(ts *testscript.TestScript, args []string) {
	regex := regexp.MustCompile(args[0])
	log, format := logOf(args)
	var oldLog string
	if log != "" {
		data, _ := os.ReadFile(ts.MkAbs(log))
		oldLog = string(data)
	}
	old := tree(ts, log)
	status, stdout, stderr := call(ts, args[1:])
	msg := strings.TrimSuffix(stderr, "\n")
	switch {
	case status != 1 || stdout != "":
		ts.Fatalf("status %d instead of 1, stdout %q", status, stdout)
	case !strings.HasPrefix(msg, "nonroot-runc: ") || strings.Contains(strings.Replace(msg, hint.Mark, "", 1), "\n") || msg == stderr:
		ts.Fatalf("stderr is not a finding of nonroot-runc's, and a hint at most: %q", stderr)
	case !regex.MatchString(msg):
		ts.Fatalf("the message %q does not match %q", msg, args[0])
	case forbidden.MatchString(msg):
		ts.Fatalf("the message %q has words that mislead engines", msg)
	}
	if _, err := os.Stat(ts.Getenv(callsVariable)); err == nil {
		ts.Fatalf("the runtime was called")
	}
	if diff := differences(old, tree(ts, log)); len(diff) > 0 {
		ts.Fatalf("a refused call changed files: %q", diff)
	}
	if log != "" {
		line, ok := strings.CutPrefix(ts.ReadFile(log), oldLog)
		if !ok {
			ts.Fatalf("the log's old lines are gone: %q", line)
		}
		checkLine(ts, line, format, "error", msg)
	}
}

// logOf returns the values of --log and --log-format.
func logOf(args []string) (file, format string) {
	flag := func(name string) (v string) {
		for i, a := range args {
			if w, ok := strings.CutPrefix(a, name+"="); ok {
				v = w
			} else if a == name {
				v = args[i+1]
			}
		}
		return v
	}
	return strings.TrimPrefix(flag("--log"), "file:"), flag("--log-format")
}

var textLine = regexp.MustCompile(`^time="([^"]+)" level=(\w+) msg=("(?:[^"\\]|\\.)*")\n$`)

// checkLine checks that a log's line has the form that engines read.
func checkLine(ts *testscript.TestScript, line, format, level, msg string) {
	var got struct{ level, msg, time string }
	if format == "json" {
		var all map[string]string
		if err := json.Unmarshal([]byte(line), &all); err != nil || strings.Count(line, "\n") != 1 || !strings.HasSuffix(line, "}\n") {
			ts.Fatalf("the log got %q, which is not one line of JSON (%v)", line, err)
		}
		if keys := slices.Sorted(maps.Keys(all)); !slices.Equal(keys, []string{"level", "msg", "time"}) {
			ts.Fatalf("the log's line has the keys %q", keys)
		}
		got.level, got.msg, got.time = all["level"], all["msg"], all["time"]
	} else {
		m := textLine.FindStringSubmatch(line)
		if m == nil {
			ts.Fatalf("the log got %q, which is not one line of logrus's text", line)
		}
		got.time, got.level = m[1], m[2]
		got.msg, _ = strconv.Unquote(m[3])
	}
	at, err := time.Parse(time.RFC3339, got.time)
	if err != nil || time.Since(at).Abs() > time.Minute {
		ts.Fatalf("the log's line has the time %q (%v)", got.time, err)
	}
	if got.level != level || got.msg != msg {
		ts.Fatalf("the log's line says %q %q, not %q %q", got.level, got.msg, level, msg)
	}
}

// audited: REGEX FILE.
func audited(ts *testscript.TestScript, args []string) {
	line := ts.ReadFile(args[1])
	var all struct{ Msg string }
	ts.Check(json.Unmarshal([]byte(line), &all))
	checkLine(ts, line, "json", "warning", all.Msg)
	if !regexp.MustCompile(args[0]).MatchString(all.Msg) {
		ts.Fatalf("the warning %q does not match %q", all.Msg, args[0])
	}
}

// tree describes each file below $WORK except the runtime's calls, the scripts' own output and the log.
func tree(ts *testscript.TestScript, except ...string) map[string]string {
	root := ts.MkAbs(ts.Getenv("WORK"))
	all := map[string]string{}
	ts.Check(filepath.WalkDir(root, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		switch {
		case rel == "called" || rel == ".tmp":
			return filepath.SkipDir
		case slices.ContainsFunc(except, func(x string) bool { return x != "" && ts.MkAbs(x) == name }):
			return nil
		}
		st, err := os.Lstat(name)
		if err != nil {
			return err
		}
		sys := st.Sys().(*syscall.Stat_t)
		all[rel] = fmt.Sprint(st.Mode(), sys.Uid, sys.Gid)
		if !st.IsDir() {
			all[rel] += fmt.Sprint(sys.Nlink, sys.Ino, st.ModTime().UnixNano())
		}
		if st.Mode().IsRegular() {
			data, err := os.ReadFile(name)
			all[rel] += fmt.Sprintf("%x", sha256.Sum256(data))
			return err
		}
		return nil
	}))
	return all
}

func differences(a, b map[string]string) []string {
	names := map[string]bool{}
	for n, v := range a {
		names[n] = names[n] || b[n] != v
	}
	for n, v := range b {
		names[n] = names[n] || a[n] != v
	}
	maps.DeleteFunc(names, func(_ string, differs bool) bool { return !differs })
	return slices.Sorted(maps.Keys(names))
}

// save keeps a tree in a variable of the script.
func save(ts *testscript.TestScript, t map[string]string) string {
	b, err := json.Marshal(t)
	ts.Check(err)
	return string(b)
}

func changed(ts *testscript.TestScript, want []string) {
	var old map[string]string
	ts.Check(json.Unmarshal([]byte(ts.Getenv("BEFORE")), &old))
	slices.Sort(want)
	if got := differences(old, tree(ts)); !slices.Equal(got, want) {
		ts.Fatalf("changed were %q, not %q", got, want)
	}
}

// place walks to the last step of a path; steps are separated by "/", list elements are numbers, counted from the end
// if negative.
func place(ts *testscript.TestScript, doc any, path string) (container any, last string) {
	steps := strings.Split(path, "/")
	for _, s := range steps[:len(steps)-1] {
		if doc = member(ts, doc, s); doc == nil {
			break
		}
	}
	return doc, steps[len(steps)-1]
}

func member(ts *testscript.TestScript, doc any, step string) any {
	switch d := doc.(type) {
	case map[string]any:
		return d[step]
	case []any:
		if i := index(ts, d, step); i < len(d) {
			return d[i]
		}
	}
	return nil
}

func index(ts *testscript.TestScript, list []any, step string) int {
	i, err := strconv.Atoi(step)
	ts.Check(err)
	if i < 0 {
		i += len(list)
	}
	return i
}

func decode(ts *testscript.TestScript, text string) any {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		ts.Fatalf("%v in %s", err, text)
	}
	return v
}

// is FILE PATH VALUE compares.
func is(ts *testscript.TestScript, neg bool, args []string) {
	container, last := place(ts, decode(ts, ts.ReadFile(args[0])), args[1])
	got := member(ts, container, last)
	var same bool
	if args[2] == "absent" {
		same = got == nil
	} else {
		same = reflect.DeepEqual(got, decode(ts, args[2]))
	}
	if same == neg {
		text, _ := json.Marshal(got)
		ts.Fatalf("%s has %s at %s", args[0], text, args[1])
	}
}

// set FILE PATH VALUE edits; "absent" removes the member.
func set(ts *testscript.TestScript, args []string) {
	doc := decode(ts, ts.ReadFile(args[0]))
	container, last := place(ts, doc, args[1])
	var v any
	if args[2] != "absent" {
		v = decode(ts, args[2])
	}
	switch c := container.(type) {
	case map[string]any:
		if c[last] = v; v == nil {
			delete(c, last)
		}
	case []any:
		c[index(ts, c, last)] = v
	default:
		ts.Fatalf("there is nothing at %s", args[1])
	}
	out, err := json.Marshal(doc)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), append(out, '\n'), 0o600))
}

// container [-crun] ID COMMAND... starts the command as the first process of a container.
func container(ts *testscript.TestScript, args []string) {
	crun := args[0] == "-crun"
	if crun {
		args = args[1:]
	}
	cmd := osexec.Command(args[1], args[2:]...)
	ts.Check(cmd.Start())
	ts.Defer(func() {
		_ = cmd.Process.Kill() // it may have ended by itself
		_ = cmd.Wait()
	})
	// setpriv becomes the program after its flags when the credentials are final.
	last := args[1:][slices.IndexFunc(args[1:], func(a string) bool { return a != "setpriv" && !strings.HasPrefix(a, "-") })]
	await(ts, func() bool {
		comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", cmd.Process.Pid))
		return err == nil && strings.TrimSpace(string(comm)) == last
	})
	dir := filepath.Join(ts.Getenv("WORK"), "state", args[0])
	ts.Check(writeState(dir, filepath.Join(ts.Getenv("WORK"), "bundle"), cmd.Process.Pid, crun))
}

// writeState writes the state of a runtime that has created a container.
func writeState(dir, bundle string, pid int, crun bool) error {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return err
	}
	start := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])[19]
	file, text := "state.json", fmt.Sprintf(`{"id":%q,"init_process_pid":%d,"init_process_start":%s,"config":{"labels":["a=b","bundle=%s"]}}`, filepath.Base(dir), pid, start, bundle)
	if crun {
		file, text = "status", fmt.Sprintf(`{"pid":%d,"process-start-time":%s,"bundle":%q}`, pid, start, bundle)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600)
}

// await waits for a condition, ten seconds at most.
func await(ts *testscript.TestScript, ok func() bool) {
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			ts.Fatalf("waited in vain")
		}
	}
}

// memfd matches the path or descriptor of a document. Its number depends on what else is open; the order of called/fds
// shows that it is above the preserved ones.
var memfd = regexp.MustCompile(`/proc/self/fd/\d+$|^\d+ /memfd:`)

var digits = regexp.MustCompile(`\d+`)

func hasLines(ts *testscript.TestScript, args []string) {
	got := strings.Split(strings.TrimSuffix(ts.ReadFile(args[0]), "\n"), "\n")
	for i := range got {
		got[i] = memfd.ReplaceAllStringFunc(got[i], func(m string) string { return digits.ReplaceAllString(m, "N") })
	}
	if !slices.Equal(got, args[1:]) {
		ts.Fatalf("%s has the lines %q, not %q", args[0], got, args[1:])
	}
}

func mode(ts *testscript.TestScript, args []string) {
	st, err := os.Lstat(ts.MkAbs(args[0]))
	ts.Check(err)
	if got := fmt.Sprintf("%04o", st.Mode()); got != args[1] {
		ts.Fatalf("%s has the mode %s, not %s", args[0], got, args[1])
	}
}

func digest(ts *testscript.TestScript, args []string) {
	sum := sha256.Sum256([]byte(ts.ReadFile(args[2])))
	is(ts, false, []string{args[0], args[1], fmt.Sprintf("%q", fmt.Sprintf("%x", sum))})
}

func write(ts *testscript.TestScript, args []string) {
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), lines(args[1:]), 0o644))
}

// etc is for profiles only: all scripts share /etc, where a config.toml would be the policy of all of them.
func etc(ts *testscript.TestScript, args []string) {
	ts.Check(os.MkdirAll("/etc/nonroot-runc", 0o755))
	ts.Check(os.WriteFile("/etc/nonroot-runc/"+args[0], []byte(ts.ReadFile(args[1])), 0o644))
}
