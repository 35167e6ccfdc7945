// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/ask"
)

// Docker is a daemon under test.
type Docker struct {
	Host    string // docker's --host; "": the one in force
	Runtime string // the name that the runtime is registered under
}

// Try does the same as a Runtime's through the daemon, with "docker run" in several forms and "docker exec". Image and
// containers are gone afterwards.
func (d Docker) Try(ctx context.Context) (all []Finding, err error) {
	t := dockerTrial{d, "nonroot-selftest-" + strings.ToLower(rand.Text()[:12])}
	defer func() { err = errors.Join(err, t.removeImage()) }()
	if err := t.importImage(ctx); err != nil {
		return nil, err
	}
	for _, form := range []struct {
		what string
		args []string
	}{
		{"docker run", nil},
		{"docker run --user 0 --cap-add ALL, seccomp unconfined", []string{"--user", "0", "--cap-add", "ALL", "--security-opt", "seccomp=unconfined", "--group-add", "0"}},
		{"docker run --privileged", []string{"--privileged"}},
		{"docker run --user 1000:1000", []string{"--user", "1000:1000"}},
	} {
		found, err := t.run(ctx, form.what, form.args)
		all = append(all, found...)
		if err != nil {
			return all, err
		}
	}
	more, err := t.execs(ctx)
	return append(all, more...), err
}

// dockerTrial is one test; its name is that of its image and of each of its containers.
type dockerTrial struct {
	Docker
	name string
}

// run makes a container that says what it achieved, and ends.
func (t *dockerTrial) run(ctx context.Context, what string, more []string) (all []Finding, err error) {
	defer func() { err = errors.Join(err, t.removeContainer()) }()
	out, err := t.container(ctx, more, All)
	if err != nil {
		return []Finding{notMade(what, said(err))}, nil
	}
	w := &Witness{}
	if err := json.Unmarshal(out, w); err != nil {
		return []Finding{{What: what, Unsure: true, Detail: fmt.Sprintf("the container's answer can't be read: %q", out)}}, nil
	}
	all = judge(w)
	for i := range all {
		all[i].What = what + ": " + all[i].What
	}
	return all, nil
}

// execs makes a container that stays, and tries "docker exec" as root in it. It asks for an ordinary user, as the policy
// may refuse root.
func (t *dockerTrial) execs(ctx context.Context) (all []Finding, err error) {
	defer func() { err = errors.Join(err, t.removeContainer()) }()
	if _, err := t.container(ctx, []string{"--detach", "--interactive", "--user", "1000:1000"}, Stay); err != nil {
		return nil, err
	}
	for _, form := range []struct {
		what string
		args []string
	}{
		{"docker exec --user 0", []string{"--user", "0"}},
		{"docker exec --user 0 --privileged", []string{"--user", "0", "--privileged"}},
	} {
		out, err := t.call(ctx, nil, slices.Concat([]string{"exec"}, form.args, []string{t.name, program, Verb, see})...)
		if err != nil {
			all = append(all, notMade(form.what, said(err)+string(out))) // docker exec says it on stdout
			continue
		}
		all = append(all, statusFinding(form.what, out))
	}
	return all, nil
}

// container is "docker run". Without --network none, a daemon without a bridge would fail the test.
func (t *dockerTrial) container(ctx context.Context, more []string, what string) ([]byte, error) {
	return t.call(ctx, nil, slices.Concat([]string{"run", "--name", t.name, "--runtime", t.Runtime, "--network", "none", "--entrypoint", program}, more, []string{t.name, Verb, what})...)
}

func (t *dockerTrial) importImage(ctx context.Context) error {
	r, w := io.Pipe()
	go func() { w.CloseWithError(writeTar(w)) }()
	defer r.Close() //nolint:errcheck // ends the writer, if it hasn't
	_, err := t.call(ctx, r, "import", "-", t.name)
	return err
}

// call runs docker.
func (t *dockerTrial) call(ctx context.Context, stdin io.Reader, args ...string) ([]byte, error) {
	return ask.Docker(ctx, t.Host, stdin, args...)
}

// The removals have a time of their own: they are needed after an interrupt, too. That there is nothing to remove is fine.

func (t *dockerTrial) removeContainer() error { return t.remove("rm", "No such container") }

func (t *dockerTrial) removeImage() error { return t.remove("rmi", "No such image") }

func (t *dockerTrial) remove(verb, nothing string) error {
	_, err := t.call(context.Background(), nil, verb, "--force", t.name)
	if strings.Contains(said(err), nothing) {
		return nil
	}
	return err
}

// said is what docker said of a failure.
func said(err error) string {
	var f *ask.Failure
	if errors.As(err, &f) {
		return f.Said
	}
	return ""
}
