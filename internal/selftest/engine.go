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
	"github.com/nonroot-runc/nonroot-runc/internal/engines"
)

// Engine is an engine under test, through its own command line.
type Engine struct {
	Engine  *engines.Engine // one of Testable
	Host    string          // docker's --host; "": docker's default
	Runtime string          // the name under which the runtime is registered
	Binary  string          // nonroot-runc's path, because ctr takes a path instead of a name
}

// Testable lists the engines whose own command line can run a local image. CRI-O has none: crictl, from another project,
// only starts images that CRI-O has pulled.
func Testable() []*engines.Engine {
	return []*engines.Engine{&engines.Docker, &engines.Podman, &engines.Containerd}
}

// Try tests like a Runtime's Try, but through the engine, with several forms of run and exec. It removes the image and the
// containers.
func (e Engine) Try(ctx context.Context) (all []Finding, err error) {
	t := engineTrial{Engine: e, client: clientOf(e.Engine), name: "nonroot-selftest-" + strings.ToLower(rand.Text()[:12])}
	if t.client == nil {
		return nil, fmt.Errorf("%s has no command line that could be tested with", e.Engine.Name)
	}
	defer func() { err = eachOnce(err, t.remove(t.client.removeImage)) }()
	if err := t.importImage(ctx); err != nil {
		return nil, err
	}
	for _, f := range t.client.runs {
		found, err := t.run(ctx, f)
		all = append(all, found...)
		if err != nil {
			return all, err
		}
	}
	more, err := t.execs(ctx)
	return append(all, more...), err
}

// client is an engine's command line. In its words, {name} stands for the name of the test, {runtime} and {binary} for the
// runtime under test, and {options} for the options of a form.
type client struct {
	program     string
	image       func(io.Writer, string) error // writes the input of importImage
	importImage []string
	run, stay   []string // the container's command is appended
	exec        []string
	runs, execs []form
	// Cleaning up. It is no error if there is nothing to remove, which the client says in the words of nothing.
	removeContainer, removeImage [][]string
	nothing                      []string
}

// form is one way to request root.
type form struct {
	what    string
	options []string
}

func clientOf(e *engines.Engine) *client {
	switch e {
	case &engines.Docker:
		c := likeDocker(engines.Docker.Client, "run", "--runtime", "{runtime}")
		c.nothing = []string{"No such container", "No such image"}
		return c
	case &engines.Podman:
		c := likeDocker(engines.Podman.Client, "--runtime", "{runtime}", "run")
		c.nothing = []string{"no container with name or ID", "image not known"}
		return c
	case &engines.Containerd:
		return ctr()
	}
	return nil
}

// likeDocker returns the command line of Docker, and of Podman, which copies it. --network none is needed for a daemon
// without a bridge. The container that stays requests an ordinary user, because the policy may refuse root.
func likeDocker(cli string, run ...string) *client {
	run = append(slices.Clone(run), "--name", "{name}", "--network", "none", "--entrypoint", program, "{options}")
	return &client{
		program: cli,
		image:   func(to io.Writer, _ string) error { return writeTar(to) }, importImage: []string{"import", "-", "{name}"},
		run: slices.Concat(run, []string{"{name}", Verb}), stay: slices.Concat(run, []string{"--detach", "--interactive", "--user", "1000:1000", "{name}", Verb, Stay}),
		exec: []string{"exec", "{options}", "{name}", program, Verb, see},
		runs: []form{
			{cli + " run", nil},
			{cli + " run --user 0 --cap-add ALL, seccomp unconfined", []string{"--user", "0", "--cap-add", "ALL", "--security-opt", "seccomp=unconfined", "--group-add", "0"}},
			{cli + " run --privileged", []string{"--privileged"}},
			{cli + " run --user 1000:1000", []string{"--user", "1000:1000"}},
		},
		execs: []form{
			{cli + " exec --user 0", []string{"--user", "0"}},
			{cli + " exec --user 0 --privileged", []string{"--user", "0", "--privileged"}},
		},
		removeContainer: [][]string{{"rm", "--force", "{name}"}}, removeImage: [][]string{{"rmi", "--force", "{name}"}},
	}
}

// ctr returns the command line of containerd's own client, in a namespace of the test's own. It takes the runtime's path, so
// that containerd, its shim and the runtime are tested, but the registration for pods is not.
func ctr() *client {
	in := []string{"--namespace", "{name}"}
	run := slices.Concat(in, []string{"run", "--runc-binary", "{binary}", "{options}"})
	ordinary := slices.Concat(run, []string{"--detach", "--null-io", reference(ordinaryTag), "{name}", program, Verb, Linger})
	return &client{
		program: engines.CtrProgram,
		image:   writeArchive, importImage: slices.Concat(in, []string{"images", "import", "-"}),
		run: slices.Concat(run, []string{reference(rootTag), "{name}", program, Verb}), stay: ordinary,
		exec: slices.Concat(in, []string{"tasks", "exec", "--exec-id", "more", "{options}", "{name}", program, Verb, see}),
		runs: []form{
			{"ctr run", nil},
			{"ctr run --allow-new-privs, with CAP_SYS_ADMIN", []string{"--allow-new-privs", "--cap-add", "CAP_SYS_ADMIN"}},
			{"ctr run --privileged", []string{"--privileged"}},
		},
		execs: []form{{"ctr tasks exec --user 0", []string{"--user", "0"}}},
		removeContainer: [][]string{
			slices.Concat(in, []string{"tasks", "rm", "--force", "{name}"}),
			slices.Concat(in, []string{"containers", "rm", "{name}"}),
		},
		removeImage: [][]string{
			slices.Concat(in, []string{"images", "rm", "--sync", reference(rootTag), reference(ordinaryTag)}),
			{"namespaces", "rm", "{name}"},
		},
		nothing: []string{"not found"},
	}
}

// engineTrial is one test. Its name is also that of its image and of its containers.
type engineTrial struct {
	Engine
	client *client
	name   string
}

// run starts a container that prints what it achieved and exits.
func (t *engineTrial) run(ctx context.Context, f form) (all []Finding, err error) {
	defer func() { err = errors.Join(err, t.remove(t.client.removeContainer)) }()
	out, err := t.call(ctx, nil, append(t.words(t.client.run, f.options), All))
	if err != nil {
		return []Finding{notMade(f.what, said(err))}, nil
	}
	w := &Witness{}
	if err := json.Unmarshal(out, w); err != nil {
		return []Finding{{What: f.what, Unsure: true, Detail: fmt.Sprintf("the container's answer can't be read: %q", out)}}, nil
	}
	all = judge(w)
	for i := range all {
		all[i].What = f.what + ": " + all[i].What
	}
	return all, nil
}

// execs starts a container that stays, and tries to run commands as root in it.
func (t *engineTrial) execs(ctx context.Context) (all []Finding, err error) {
	defer func() { err = errors.Join(err, t.remove(t.client.removeContainer)) }()
	if _, err := t.call(ctx, nil, t.words(t.client.stay, nil)); err != nil {
		return nil, err
	}
	for _, f := range t.client.execs {
		out, err := t.call(ctx, nil, t.words(t.client.exec, f.options))
		if err != nil {
			all = append(all, notMade(f.what, said(err)+string(out))) // docker exec prints it on stdout
			continue
		}
		all = append(all, statusFinding(f.what, out))
	}
	return all, nil
}

func (t *engineTrial) importImage(ctx context.Context) error {
	r, w := io.Pipe()
	go func() { w.CloseWithError(t.client.image(w, t.name)) }()
	defer r.Close() //nolint:errcheck // ends the writer
	_, err := t.call(ctx, r, t.words(t.client.importImage, nil))
	return err
}

// words fills in the placeholders of a command line.
func (t *engineTrial) words(template, options []string) []string {
	with := strings.NewReplacer("{name}", t.name, "{runtime}", t.Runtime, "{binary}", t.Binary)
	var all []string
	for _, word := range template {
		if word == "{options}" {
			all = append(all, options...)
			continue
		}
		all = append(all, with.Replace(word))
	}
	return all
}

// call runs the engine's command line.
func (t *engineTrial) call(ctx context.Context, stdin io.Reader, args []string) ([]byte, error) {
	if t.Engine.Engine == &engines.Docker {
		return ask.Docker(ctx, t.Host, stdin, args...)
	}
	return ask.Run(ctx, stdin, t.client.program, args...)
}

// remove uses its own context, because it also runs after an interrupt.
func (t *engineTrial) remove(commands [][]string) error {
	var all []error
	for _, one := range commands {
		_, err := t.call(context.Background(), nil, t.words(one, nil))
		if !slices.ContainsFunc(t.client.nothing, func(s string) bool { return strings.Contains(said(err), s) }) {
			all = append(all, err)
		}
	}
	return errors.Join(all...)
}

// eachOnce joins errors, without those whose text another one already has.
func eachOnce(errs ...error) error {
	var all []error
	for _, err := range errs {
		each := []error{err}
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			each = joined.Unwrap()
		}
		for _, err := range each {
			if err != nil && !slices.ContainsFunc(all, func(other error) bool { return other.Error() == err.Error() }) {
				all = append(all, err)
			}
		}
	}
	return errors.Join(all...)
}

// said returns what the engine printed about a failure.
func said(err error) string {
	var f *ask.Failure
	if errors.As(err, &f) {
		return f.Said
	}
	return ""
}
