// SPDX-License-Identifier: Apache-2.0

// Package ask runs engines' command lines, which know best how to reach their daemons. It limits how long an engine may
// take; the caller interprets the answer. Only nonroot-ctl may run a program.
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

// limit is how long an engine may take to answer. "docker import" and "docker run" are the slowest requests.
var limit = time.Minute

// Failure describes a program that could not be run, or ended with a status other than 0.
type Failure struct {
	Program string
	Said    string // on stderr; it may contain a container's own text
	Err     error
}

// Error quotes the program's message.
func (f *Failure) Error() string {
	if f.Said == "" {
		return fmt.Sprintf("%s: %v", f.Program, f.Err)
	}
	return fmt.Sprintf("%s: %v: it says %q", f.Program, f.Err, f.Said)
}

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// Run returns what a program prints. Its error is a *Failure; the output up to the failure is returned with it.
func Run(ctx context.Context, stdin io.Reader, program string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdin, cmd.Stderr, cmd.WaitDelay = stdin, &stderr, time.Second // a program that it has started may keep its output open
	out, err := cmd.Output()
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = fmt.Errorf("it gave no answer within %v", limit)
	}
	if err != nil {
		return out, &Failure{program, strings.TrimSpace(stderr.String()), err}
	}
	return out, nil
}

// Docker is Run for docker, with the daemon at host; "" for the default one (DOCKER_HOST, the current context).
func Docker(ctx context.Context, host string, stdin io.Reader, args ...string) ([]byte, error) {
	if host != "" {
		args = append([]string{"--host", host}, args...)
	}
	return Run(ctx, stdin, engines.Docker.Client, args...)
}
