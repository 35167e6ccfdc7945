// SPDX-License-Identifier: Apache-2.0

package main

// Messages are for the person who ran "docker run" and for the administrator. The rules:
//   - the container first, then what was found and where; what to do in a line of its own that begins with "hint: ";
//     lower case, no full stop;
//   - no words that make engines report another fault: Docker turns "no such file or directory" and "executable
//     file not found" into exit status 127 and "permission denied" into 126, Podman maps "operation not permitted"
//     (moby, daemon/start.go, setExitCodeFromError; podman, libpod/oci_conmon_common.go);
//   - an engine reads the file that --log names: one JSON object per line, the last one of level "error" counts
//     (containerd, go-runc, getLastRuntimeError). A line in another form would make all later ones unreadable;
//   - a message is short, and can't control a terminal: package quote quotes values from outside where they are inserted,
//     and the whole message once more here, in case one was forgotten;
//   - nothing goes to stdout, and nothing to stderr on success: both are the container's.

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/hint"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/quote"
	"github.com/nonroot-runc/nonroot-runc/internal/runcargs"
)

const policyHint = "the policy (" + policy.DefaultFile + ")"

// fail is an error with advice.
func fail(what, advice string) error { return errors.New(what + hint.Mark + advice) }

// wrap says what was being done when an error occurred.
func wrap(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf(format+": %w", append(args, err)...)
}

// report reports the failure on stderr and, if the engine named one, in its log.
func report(cmd *runcargs.Command, err error) {
	msg := message(cmd, err)
	fmt.Fprintln(os.Stderr, msg)
	logLine(cmd, "error", msg)
}

func message(cmd *runcargs.Command, err error) string {
	who := "nonroot-runc: "
	if cmd.ID != "" && cmd.Kind != runcargs.Passthrough {
		who += "container " + quote.Value(cmd.ID) + ": "
	}
	finding, advice := hint.Split(hint.Text(err))
	if advice == "" {
		return who + plain(finding, maxMessage)
	}
	advice = hint.Mark + plain(advice, maxMessage/2)
	return who + plain(finding, maxMessage-len(advice)) + advice
}

// maxMessage limits a message, in bytes. containerd passes it on in an event, and the kubelet shows it as an event, of
// which Kubernetes keeps 1024 bytes.
const maxMessage = 2048

// plain rewords errnos, and any text from elsewhere, so that engines don't misread them.
func plain(msg string, limit int) string {
	return quote.Text(strings.NewReplacer(
		"no such file or directory", "it does not exist",
		"executable file not found", "there is no such program",
		"permission denied", "access is denied",
		"operation not permitted", "the kernel does not permit it",
		"not a directory", "a part of the path is something other than a directory",
		"is a directory", "it is a directory",
		"\n", " ",
	).Replace(msg), limit)
}

// logLine appends one line to the file that --log names. If that fails, stderr still has the message.
func logLine(cmd *runcargs.Command, level, msg string) {
	file := strings.TrimPrefix(cmd.Log, "file:") // how crun spells a file
	if file == "" || strings.HasPrefix(file, "journald:") || strings.HasPrefix(file, "syslog:") {
		return
	}
	now := time.Now().UTC().Format(time.RFC3339)
	var line []byte
	if cmd.LogFormat == "json" {
		line = append(line, `{"level":`...)
		line = appendQuoted(line, level)
		line = append(line, `,"msg":`...)
		line = appendQuoted(line, msg)
		line = append(line, `,"time":"`+now+"\"}\n"...)
	} else { // as logrus, which runc uses, writes text
		line = fmt.Appendf(line, "time=%q level=%s msg=%q\n", now, level, msg)
	}
	fd, err := unix.Open(file, unix.O_WRONLY|unix.O_CREAT|unix.O_APPEND|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return
	}
	_, _ = unix.Write(fd, line) // in one write, so that lines of several writers don't interleave
	_ = unix.Close(fd)
}

func appendQuoted(b []byte, s string) []byte {
	b, _ = jsontext.AppendQuote(b, strings.ToValidUTF8(s, "\uFFFD")) // valid by now
	return b
}
