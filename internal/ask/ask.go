// SPDX-License-Identifier: Apache-2.0

// Package ask runs the command lines of engines, which know best how their daemons are reached. It bounds how long an engine may
// take; what an answer means belongs to whoever asks. Only nonroot-ctl may run a program.
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

// limit is how long an engine may take for an answer. "docker import" and "docker run" are the slowest that are asked for.
var limit = time.Minute

// Failure is that of a program which could not be run, or ended with another status than 0.
type Failure struct {
	Program string
	Said    string // on stderr; it may hold a container's own text
	Err     error
}

// Error quotes what was said.
func (f *Failure) Error() string {
	if f.Said == "" {
		return fmt.Sprintf("%s: %v", f.Program, f.Err)
	}
	return fmt.Sprintf("%s: %v: it says %q", f.Program, f.Err, f.Said)
}

// Unwrap gives the cause.
func (f *Failure) Unwrap() error { return f.Err }

// Run gives what a program prints. Its error is a *Failure; what was printed before is given with it.
func Run(ctx context.Context, stdin io.Reader, program string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdin, cmd.Stderr, cmd.WaitDelay = stdin, &stderr, time.Second // what it has started may keep its output open
	out, err := cmd.Output()
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = fmt.Errorf("it gave no answer within %v", limit)
	}
	if err != nil {
		return out, &Failure{program, strings.TrimSpace(stderr.String()), err}
	}
	return out, nil
}

// Docker is Run for docker, of the daemon at host; "": the one that is in force (DOCKER_HOST, the context in use).
func Docker(ctx context.Context, host string, stdin io.Reader, args ...string) ([]byte, error) {
	if host != "" {
		args = append([]string{"--host", host}, args...)
	}
	return Run(ctx, stdin, engines.Docker.Client, args...)
}
