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

// applied is which policies are in force on the node.
type applied struct {
	digests map[string]string // by the ConfigMap's key; "": the built-in policy
	refused string            // why a newer one is not
	logs    map[string]string // by the key, the file in which the policy has decisions logged; "": none
}

// policy puts the ConfigMap's policies in force, each by one rename. One that the runtime would not read is refused whole: the one
// before stays. What it returns is what is in force then.
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
		case !known && errors.As(err, &broken): // said once, below
		case errors.As(err, &broken):
			refused = append(refused, broken.Error())
			if digest(broken.text) != a.metrics.refused[h.key] {
				a.metrics.refused[h.key] = digest(broken.text)
				slog.Warn("a policy is refused", "key", h.key, "cause", broken)
				a.cluster.policyEvent(ctx, h.key, digest(broken.text), broken.Error())
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

// brokenPolicy is a text that is not a policy.
type brokenPolicy struct {
	error
	text []byte
}

// apply puts one policy into its place, and returns the one in force afterwards; nil: none can be read. Before that, its log is
// followed.
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

// agentRule is the name of the rule that the agent itself adds to the general policy: where the handler is the node's default, the agent's
// next pod would otherwise not be root.
const agentRule = "nonroot-node"

// ownRule exempts the one container of the agent's pods, which only who may make pods in its namespace can make.
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

// exempting is a policy with a rule in front of its own ones, where none of them can take what it is for.
func exempting(key string, p *policy.Policy, text, rule string) (*policy.Policy, string, error) {
	lines := strings.SplitAfter(text, "\n")
	at := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(strings.TrimSpace(line), "[[rule]]") })
	if at < 0 {
		at = len(lines)
		rule = "\n\n" + rule
	} else {
		rule += "\n"
	}
	text = strings.Join(slices.Insert(lines, at, rule), "")
	with, err := policy.Parse(key, []byte(text))
	switch {
	case err != nil:
		return nil, "", fmt.Errorf("with the rule that exempts the agent: %w\nhint: write rules as [[rule]], and call none of them %q", err, agentRule)
	case len(with.Rules) != len(p.Rules)+1 || with.Rules[0].Name != agentRule:
		return nil, "", fmt.Errorf("%s: the rule that exempts the agent can't stand before the others\nhint: write [[rule]] where the first rule begins, and nowhere else before", key)
	}
	return with, text, nil
}
