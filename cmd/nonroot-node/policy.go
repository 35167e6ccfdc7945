// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/rollout"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// applied says which policies are in force on the node.
type applied struct {
	digests map[string]string // by key in the ConfigMap; "": the built-in policy
	refused string            // why a newer policy is not in force
	logs    map[string]string // by key, each policy's log file; "": none
}

// policy puts the ConfigMap's policies into force, each by one rename. A policy that the runtime would not accept changes
// nothing: the previous one stays. It returns what is in force afterwards.
func (a *agent) policy(ctx context.Context) applied {
	found := applied{digests: map[string]string{}, logs: map[string]string{}}
	texts, known := a.cluster.policies()
	var refused []string
	for _, h := range handlers {
		text, has := texts[h.key]
		var p *policy.Policy
		err := a.host.Do(func() (err error) {
			p, err = apply(a.host, h, text, has, func(log string) { a.events.follow(ctx, h.key, log) })
			return err
		})
		var broken *brokenPolicy
		switch {
		case !known && errors.As(err, &broken): // reported below, once
		case errors.As(err, &broken):
			refused = append(refused, broken.Error())
			if digest(broken.text) != a.metrics.refused[h.key] {
				slog.Warn("a policy is refused", "key", h.key, "cause", broken)
				if err := a.cluster.policyEvent(ctx, h.key, digest(broken.text), broken.Error()); err == nil || isFinal(err) {
					a.metrics.refused[h.key] = digest(broken.text)
				} else {
					slog.Warn("the event on the ConfigMap is tried again within a minute", "key", h.key, "cause", err)
				}
			}
		case err != nil:
			refused = append(refused, err.Error())
			slog.Warn("a policy is not in force", "key", h.key, "cause", err)
		default:
			delete(a.metrics.refused, h.key)
		}
		a.metrics.policy(h.key, err, p)
		if p == nil {
			continue
		}
		found.digests[h.key] = p.Digest
		found.logs[h.key] = p.Log.File
	}
	if !known {
		refused = append(refused, fmt.Sprintf("there is no ConfigMap %q in the namespace %q: the previous policy stays in force", a.options.policies, a.namespace))
	}
	found.refused = strings.Join(refused, "; ")
	return found
}

// brokenPolicy is the error for a text that is not a valid policy.
type brokenPolicy struct {
	error
	text []byte
}

func (b *brokenPolicy) Unwrap() error { return b.error }

// apply installs one policy, and returns the one in force afterwards, or nil if none can be read. It calls follow with the
// policy's log first.
func apply(h *host, of handler, given string, has bool, follow func(log string)) (*policy.Policy, error) {
	text := given
	owners := trusted.CallersOwners(nil)
	target, err := rollout.Look(of.profile, owners)
	if err != nil {
		return nil, err
	}
	if !has {
		return target.InForce, &brokenPolicy{fmt.Errorf("%s: the ConfigMap has no policy of this name in its data: the previous policy stays in force", of.key), nil}
	}
	p, err := policy.Parse(of.key, []byte(text))
	if err == nil && of.profile == "" {
		p, text, err = exempting(of.key, p, text, ownRule(h.namespace))
	}
	if err != nil {
		return target.InForce, &brokenPolicy{err, []byte(given)}
	}
	p.Text, p.Digest = []byte(text), digest([]byte(text))
	if target.Is(p) {
		return p, nil
	}
	if err := h.remember(target.File); err != nil {
		return target.InForce, fmt.Errorf("keep what was there before: %w", err)
	}
	follow(p.Log.File)
	p.File = target.File
	if _, _, err := target.Replace(p); err != nil {
		return target.InForce, err
	}
	slog.Info("policy in force", "file", target.File, "sha256", p.Digest)
	return p, nil
}

// agentRule is the name of the rule that the agent adds to the general policy. If the handler is the node's default, the
// agent's own next pod could otherwise not run as root.
const agentRule = "nonroot-node"

// ownRule exempts the container of the agent's pods. Only those who may create pods in its namespace can use it.
func ownRule(namespace string) string {
	return fmt.Sprintf(`[[rule]]
name = %q
mode = "off"
reason = "the node's agent installs nonroot-runc on the host"
match.namespace = [%q]
match.pod = ["nonroot-node-*"]
match.container = ["node"]
`, agentRule, namespace)
}

// exempting returns a policy with the rule in front of its own rules, where none of them can override it.
func exempting(key string, p *policy.Policy, text, rule string) (*policy.Policy, string, error) {
	lines := strings.SplitAfter(text, "\n")
	at := len(lines)
	for i, own := range p.Rules {
		if own.Name == agentRule {
			line, column := policy.Position([]byte(text), fmt.Sprintf("rule[%d].name", i+1))
			return nil, "", &policy.Fault{File: key, Line: line, Column: column, Text: fmt.Sprintf("rule[%d].name: %q is the name of the rule that exempts the agent\nhint: call it something else", i+1, agentRule)}
		}
	}
	if len(p.Rules) > 0 {
		first, _ := policy.Position([]byte(text), "rule[1]")
		at = first - 1
		rule += "\n"
	} else {
		rule = "\n\n" + rule
	}
	text = strings.Join(slices.Insert(lines, at, rule), "")
	with, err := policy.Parse(key, []byte(text))
	switch {
	case err != nil:
		return nil, "", fmt.Errorf("with the rule that exempts the agent: %w", err)
	case len(with.Rules) != len(p.Rules)+1 || with.Rules[0].Name != agentRule:
		return nil, "", fmt.Errorf("%s: the rule that exempts the agent can't stand before the others\nhint: write [[rule]] where the first rule begins", key)
	}
	return with, text, nil
}
