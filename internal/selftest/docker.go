// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
)

// Docker is a daemon under test.
type Docker struct {
	Host    string // docker's --host; "": the one in force
	Runtime string // the name that the runtime is registered under
}

// Try does the same as a Runtime's through the daemon, with "docker run" in several forms and "docker exec". Image and
// containers are gone afterwards.
func (d Docker) Try(ctx context.Context) (all []Finding, err error) {
	name := "nonroot-selftest-" + strings.ToLower(rand.Text()[:12])
	image := name + ":latest"
	if err := d.importImage(ctx, image); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.cleanUp("rmi", "--force", image)) }()
	for _, form := range []struct {
		what string
		args []string
	}{
		{"docker run", nil},
		{"docker run --user 0 --cap-add ALL, seccomp unconfined", []string{"--user", "0", "--cap-add", "ALL", "--security-opt", "seccomp=unconfined", "--group-add", "0"}},
		{"docker run --privileged", []string{"--privileged"}},
	} {
		all = append(all, d.run(ctx, form.what, image, form.args)...)
	}
	out, stderr, err := d.call(ctx, nil, append(d.runArgs(), "--detach", "--interactive", "--name", name, image, Verb, Stay)...)
	if err != nil {
		return all, fmt.Errorf("docker run: %w: it says %q%q", err, stderr, out)
	}
	defer func() { err = errors.Join(err, d.cleanUp("rm", "--force", name)) }()
	for _, form := range []struct {
		what string
		args []string
	}{
		{"docker exec --user 0", []string{"--user", "0"}},
		{"docker exec --user 0 --privileged", []string{"--user", "0", "--privileged"}},
	} {
		args := append(append([]string{"exec"}, form.args...), name, program, Verb, see)
		out, stderr, err := d.call(ctx, nil, args...)
		if err != nil {
			all = append(all, notMade(form.what, stderr+string(out)))
			continue
		}
		all = append(all, statusFinding(form.what, out))
	}
	return all, nil
}

// runArgs begin each "docker run". Without --network none, a daemon without a bridge would fail the test.
func (d Docker) runArgs() []string {
	return []string{"run", "--runtime", d.Runtime, "--network", "none", "--entrypoint", program}
}

func (d Docker) run(ctx context.Context, what, image string, more []string) []Finding {
	args := append(append(d.runArgs(), "--rm"), more...)
	out, stderr, err := d.call(ctx, nil, append(args, image, Verb, All)...)
	if err != nil {
		return []Finding{notMade(what, stderr+string(out))}
	}
	w := &Witness{}
	if err := json.Unmarshal(out, w); err != nil {
		return []Finding{{What: what, Unsure: true, Detail: fmt.Sprintf("the container's answer can't be read: %q", out)}}
	}
	all := judge(w)
	for i := range all {
		all[i].What = what + ": " + all[i].What
	}
	return all
}

func (d Docker) importImage(ctx context.Context, image string) error {
	r, w := io.Pipe()
	go func() { w.CloseWithError(writeTar(w)) }()
	defer r.Close() //nolint:errcheck // ends the writer, if it hasn't
	_, stderr, err := d.call(ctx, r, "import", "-", image)
	if err != nil {
		return fmt.Errorf("docker import: %w: it says %q", err, stderr)
	}
	return nil
}

// call runs docker.
func (d Docker) call(ctx context.Context, stdin io.Reader, args ...string) (stdout []byte, stderr string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*Limit)
	defer cancel()
	if d.Host != "" {
		args = append([]string{"--host", d.Host}, args...)
	}
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, "docker", args...)
	cmd.Stdin, cmd.Stderr = stdin, &said
	stdout, err = cmd.Output()
	return stdout, strings.TrimSpace(said.String()), err
}

// cleanUp has a time of its own: it is needed after an interrupt, too.
func (d Docker) cleanUp(args ...string) error {
	if _, stderr, err := d.call(context.Background(), nil, args...); err != nil {
		return fmt.Errorf("docker %s: %w: it says %q", strings.Join(args, " "), err, stderr)
	}
	return nil
}
