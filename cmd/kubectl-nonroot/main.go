// SPDX-License-Identifier: Apache-2.0

// Command kubectl-nonroot is a plugin of kubectl's ("kubectl nonroot"): what nonroot-runc made of a pod, and of the pods of a namespace,
// read from the API server alone. Who may read pods and events needs no right on a node.
//
//	main.go   the command line
//	read.go   what the API server says
//	view.go   what that means
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/version"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
	defer stop()
	if err := app(os.Stdout).RunContext(ctx, os.Args); err != nil {
		fmt.Fprintf(os.Stderr, "kubectl nonroot: %v\n", err)
		os.Exit(1)
	}
}

func app(out io.Writer) *cli.App {
	var from source
	asJSON := false
	flags := []cli.Flag{
		&cli.StringFlag{Name: "kubeconfig", Usage: "the `FILE` that says where the cluster is", Destination: &from.kubeconfig},
		&cli.StringFlag{Name: "context", Usage: "the `NAME` of a context in it", Destination: &from.context},
		&cli.StringFlag{Name: "namespace", Aliases: []string{"n"}, Usage: "the pods' `NAMESPACE`; the context's without it", Destination: &from.namespace},
		&cli.BoolFlag{Name: "json", Usage: "for programs", Destination: &asJSON},
	}
	print := func(v any, text func(io.Writer)) error {
		if !asJSON {
			text(out)
			return nil
		}
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		return e.Encode(v)
	}
	return &cli.App{
		Name: "kubectl nonroot", HelpName: "kubectl nonroot", Usage: "what nonroot-runc made of pods", Version: version.Short(),
		Writer: out, HideHelpCommand: true,
		Description: "Reads pods, events, RuntimeClasses and, where that is allowed, nodes. Events last an hour by default (kube-apiserver, --event-ttl).",
		Commands: []*cli.Command{
			{
				Name: "explain", Usage: "who the containers of a pod run as, and why", ArgsUsage: "POD", Flags: flags,
				Action: func(c *cli.Context) error {
					if c.NArg() != 1 {
						return fmt.Errorf("explain takes one pod, not %d arguments\nhint: kubectl nonroot explain POD", c.NArg())
					}
					cluster, err := from.connect()
					if err != nil {
						return err
					}
					seen, err := cluster.look(c.Context, strings.TrimPrefix(c.Args().First(), "pod/"))
					if err != nil {
						return err
					}
					answer := explain(seen)
					return print(answer, answer.print)
				},
			},
			{
				Name: "report", Usage: "the workloads of a namespace: which are governed, and what their owners are told", Flags: append(flags,
					&cli.BoolFlag{Name: "all-namespaces", Aliases: []string{"A"}, Usage: "of all namespaces", Destination: &from.all}),
				Action: func(c *cli.Context) error {
					if c.NArg() != 0 {
						return fmt.Errorf("report takes no arguments, not %q\nhint: -n NAMESPACE, or -A", c.Args().First())
					}
					cluster, err := from.connect()
					if err != nil {
						return err
					}
					seen, err := cluster.look(c.Context, "")
					if err != nil {
						return err
					}
					answer := report(seen)
					return print(answer, answer.print)
				},
			},
		},
	}
}

// columns prints lines whose fields are apart by tabs.
func columns(out io.Writer, lines []string) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, line := range lines {
		fmt.Fprintln(w, line)
	}
	_ = w.Flush()
}
