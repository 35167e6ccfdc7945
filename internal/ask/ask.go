// SPDX-License-Identifier: Apache-2.0

// Package ask runs the command lines of engines, which know best how to reach their daemons. It limits the time that an engine may take.
// What an answer means is up to the caller. Only nonroot-ctl may run programs.
package ask

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	"github.com/nonroot-runc/nonroot-runc/internal/engines"
)

// limit is how long an engine may take to answer. The slowest commands are "docker import" and "docker run".
var limit = time.Minute

// Failure means that a program could not be run, or that its exit status was not 0.
type Failure struct {
	Program string
	Said    string // on stderr; may contain a container's own text
	Err     error
}

// Error quotes the output on stderr.
func (f *Failure) Error() string {
	if f.Said == "" {
		return fmt.Sprintf("%s: %v", f.Program, f.Err)
	}
	return fmt.Sprintf("%s: %v: it says %q", f.Program, f.Err, f.Said)
}

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// Run returns the output of a program. Its error is a *Failure, and comes with the output so far.
func Run(ctx context.Context, stdin io.Reader, program string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdin, cmd.Stderr, cmd.WaitDelay = stdin, &stderr, time.Second // a child process may keep the output open
	out, err := cmd.Output()
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = fmt.Errorf("it gave no answer within %v", limit)
	}
	if err != nil {
		return out, &Failure{program, strings.TrimSpace(stderr.String()), err}
	}
	return out, nil
}

// Docker is Run for docker, with the daemon at host; "": the current one (DOCKER_HOST, or the context in use).
func Docker(ctx context.Context, host string, stdin io.Reader, args ...string) ([]byte, error) {
	if host != "" {
		args = append([]string{"--host", host}, args...)
	}
	return Run(ctx, stdin, engines.Docker.Client, args...)
}
