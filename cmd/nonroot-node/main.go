// SPDX-License-Identifier: Apache-2.0

// Command nonroot-node keeps one node of a Kubernetes cluster ready for nonroot-runc: programs, registration, policy,
// self-test, label. It makes no decisions about containers, and neither the runtime nor nonroot-ctl links any of it.
//
//	main.go      what it is told
//	node.go      the steps to a node that is ready, in their order
//	host.go      each step on the host
//	systemd.go   one of them: the restart of the CRI daemon
//	remove.go    the way back
//	policy.go    from the ConfigMap to the files
//	cluster.go   what it reads from the API server, and writes there
//	slots.go     how many nodes restart their CRI daemon at once
//	events.go    the log, and how far each namespace has got in it
//	tell.go      from a line of it to events on pods
//	metrics.go   metrics and probes
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/configure"
	"github.com/nonroot-runc/nonroot-runc/internal/engines"
	"github.com/nonroot-runc/nonroot-runc/internal/podevents"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/version"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "nonroot-node: %v\n", err)
		os.Exit(1)
	}
}

// options are the agent's command line, which the DaemonSet sets.
type options struct {
	node      string        // the node's name
	namespace string        // the agent's namespace
	engine    string        // containerd or crio
	socket    string        // the CRI daemon's socket
	directory string        // where programs are installed on the host
	config    string        // the daemon's configuration file; "": the default one
	restart   []string      // command that restarts the daemon, run on the host; none: systemd over D-Bus
	limit     time.Duration // how long the daemon and its node may take to be ready again
	slots     slots         // how many nodes may restart at once
	repair    bool          // whether to undo changes that others made
	remove    bool          // whether to remove everything
	policies  string        // name of the ConfigMap
	listen    string        // address for metrics and probes
	programs  string        // directory with the programs in the agent's image
	version   bool          // only print the version
}

func run(args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	if o.version {
		build := version.Get()
		_, err := fmt.Printf("nonroot-node %s, commit %s, %s\n", build.Version, build.Commit, build.Go)
		return err
	}
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, nil)).With("node", o.node))
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
	defer stop()
	a, err := newAgent(o)
	if err != nil {
		return err
	}
	slog.Info("starting", "version", version.Short())
	return a.run(ctx)
}

func parse(args []string) (o options, err error) {
	f := flag.NewFlagSet("nonroot-node", flag.ContinueOnError)
	f.StringVar(&o.node, "node", os.Getenv("NODE_NAME"), "the node's `NAME`")
	f.StringVar(&o.namespace, "namespace", os.Getenv("POD_NAMESPACE"), "the agent's own `NAMESPACE`")
	f.StringVar(&o.engine, "engine", engines.Containerd.Config.Command, "the CRI daemon: containerd or crio")
	f.StringVar(&o.socket, "cri-socket", engines.Containerd.Sockets[0], "the daemon's `SOCKET`")
	f.StringVar(&o.directory, "directory", "/opt/nonroot-runc/bin", "the `DIRECTORY` of the programs on the host")
	f.StringVar(&o.config, "config", "", "the daemon's configuration `FILE`, where it is not the usual one")
	restart := f.String("restart", "", "the `COMMAND` that restarts the daemon on the host, words apart by blanks; by default systemd is asked to, by D-Bus")
	f.DurationVar(&o.limit, "restart-limit", 2*time.Minute, "how long a restart may take until all is put back")
	o.slots = slots{number: 1}
	f.Var(&o.slots, "restart-slots", "how many nodes may restart their daemon at once, a `NUMBER` or a share such as 10%: there is one Lease for each")
	f.BoolVar(&o.repair, "repair", true, "restore what others have changed")
	f.BoolVar(&o.remove, "remove", false, "take everything back")
	f.StringVar(&o.policies, "policy", "nonroot-runc-policy", "the ConfigMap of the policies, by its `NAME`")
	f.StringVar(&o.listen, "listen", "127.0.0.1:9470", "the `ADDRESS` for metrics and probes")
	f.StringVar(&o.programs, "programs", "/", "the `DIRECTORY` of the programs in the image")
	f.BoolVar(&o.version, "version", false, "say which build this is, and end")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	o.restart = strings.Fields(*restart)
	switch {
	case f.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q", f.Arg(0))
	case o.version:
	case o.node == "" || o.namespace == "":
		return o, errors.New("the node and the agent's namespace are not known\nhint: set NODE_NAME and POD_NAMESPACE from the pod's fields")
	case o.engine != engines.Containerd.Config.Command && o.engine != engines.CRIO.Config.Command:
		return o, fmt.Errorf("the engine %q is neither containerd nor crio", o.engine)
	case !filepath.IsAbs(o.directory) || filepath.Clean(o.directory) != o.directory:
		return o, fmt.Errorf("the directory %q is not a clean absolute path", o.directory)
	}
	return o, nil
}

// handler is a way to run containers that pods can select.
type handler struct {
	name    string // as in RuntimeClasses
	key     string // its policy's key in the ConfigMap
	profile string // "": the general profile
}

// handlers lists the handlers of all RuntimeClasses.
var handlers = []handler{
	{podevents.Handler, "config.toml", ""},
	{podevents.AuditHandler, "audit.toml", "audit"},
}

// binary returns the path that the daemon calls for a handler.
func (o *options) binary(h handler) string {
	path := filepath.Join(o.directory, configure.Binary)
	if h.profile != "" {
		return configure.Profile(path, h.profile)
	}
	return path
}

// file returns the path of a handler's policy on the host.
func (h handler) file() string {
	if h.profile != "" {
		return policy.ProfileFile(h.profile)
	}
	return policy.DefaultFile
}
