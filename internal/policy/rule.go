// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
)

// Rule is a part of the policy that applies to some containers instead of the general part.
type Rule struct {
	Name   string
	Match  Match
	Until  time.Time // from then on the rule is ignored; zero: it never expires
	Policy *Policy   // the general part with the rule's changes; nil until For asks for it (ParseForOne)
}

// LastDay returns the last day on which a rule applies, in the form of until (2006-01-02); "" if it never expires.
func (r *Rule) LastDay() string {
	if r.Until.IsZero() {
		return ""
	}
	return r.Until.AddDate(0, 0, -1).Format(time.DateOnly)
}

// WholeOf returns the engines with containers that all match the rule: those that it spells out, if it has no other
// condition.
func (m *Match) WholeOf() []string {
	if len(m.Engine) == 0 || len(m.Root)+len(m.Namespace)+len(m.Pod)+len(m.Container)+len(m.Image)+len(m.Annotations) > 0 {
		return nil
	}
	return m.Engine
}

// Match selects the containers that a rule is for: every part has to match. A part without patterns matches all.
type Match struct {
	Engine, Root, Namespace, Pod, Container, Image Patterns

	Annotations map[string]Patterns
}

// Patterns are globs (path.Match: "*" does not cross a "/"). One of them must match, and none of those that begin
// with "!" may.
type Patterns []string

// Take reports whether a text matches. An empty text, which stands for a field that no trusted source sets, matches no
// pattern: neither "*" nor a negated one.
func (ps Patterns) Take(text string) bool {
	if len(ps) == 0 {
		return true
	}
	if text == "" {
		return false
	}
	taken, positive := false, false
	for _, p := range ps {
		p, not := strings.CutPrefix(p, "!")
		ok, err := path.Match(p, text)
		switch {
		case ok && err == nil && not:
			return false
		case !not:
			positive, taken = true, taken || ok && err == nil
		}
	}
	return taken || !positive
}

// bounds reports whether the patterns name what matches, instead of everything with exceptions.
func (ps Patterns) bounds() bool {
	says := false
	for _, p := range ps {
		if strings.HasPrefix(p, "!") {
			continue
		}
		if !spells(p) {
			return false
		}
		says = true
	}
	return says
}

// spells reports whether a pattern contains a literal character: "[^x]*" is as general as "*".
func spells(pattern string) bool {
	for i, class := 0, false; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '\\' && class:
			i++
		case c == ']':
			class = false
		case class, c == '*', c == '?':
		case c == '[':
			class = true
		default:
			return true
		}
	}
	return false
}

// Takes reports whether the rule is for a container.
func (m *Match) Takes(o *Origin) bool {
	for key, ps := range m.Annotations {
		if !ps.Take(o.Annotations[key]) {
			return false
		}
	}
	return m.Engine.Take(o.Engine) && m.Root.Take(o.Root) && m.Namespace.Take(o.Namespace) && m.Pod.Take(o.Pod) &&
		m.Container.Take(o.Container) && m.Image.Take(o.Image)
}

// Unbounded reports whether the rule is for every container.
func (m *Match) Unbounded() bool {
	return len(m.Engine)+len(m.Root)+len(m.Namespace)+len(m.Pod)+len(m.Container)+len(m.Image)+len(m.Annotations) == 0
}

// exempts returns why a rule with this match must not leave a container unchanged: the exemption would depend on
// something that the user who starts the container, or builds its image, can choose (SECURITY.md F1-F4).
func (m *Match) exempts() error {
	switch {
	case len(m.Annotations) > 0:
		return errors.New("an exemption must not rest on annotations, which whoever starts a container, or makes its image, can set\nhint: match on namespace, engine or root")
	case len(m.Image) > 0:
		return errors.New("an exemption must not rest on the image's name, which whoever starts a container chooses, as the tag of any content\nhint: match on namespace, engine or root")
	case !m.Engine.bounds() && !m.Root.bounds() && !m.Namespace.bounds():
		return errors.New("an exemption must match on namespace, engine or root: whoever starts a pod or container chooses its name")
	}
	return nil
}

// Holds reports whether the rule has not expired.
func (r *Rule) Holds(now time.Time) bool { return r.Until.IsZero() || now.Before(r.Until) }

// ForBundle returns the part of the policy that the bundle's directory decides: [build], or else the policy itself. The
// directory is absolute, clean and free of links.
func (p *Policy) ForBundle(dir string) *Policy {
	if !slices.Contains(p.Build.Bundles, path.Dir(dir)) {
		return p
	}
	q := *p
	q.Rule, q.Mode, q.Reason, q.Stubless, q.Rules, q.Audit = "build", p.Build.Mode, p.Build.Reason, true, nil, nil
	return &q
}

// For returns the part of the policy that applies to a container at a time: [build], else the first rule that matches,
// else the general part.
func (p *Policy) For(o *Origin, now time.Time) *Policy {
	p = p.ForBundle(o.Bundle)
	for i := range p.Rules {
		if r := &p.Rules[i]; r.Holds(now) && r.Match.Takes(o) {
			if r.Policy == nil {
				r.Policy = p.unread.rule(i)
			}
			return r.Policy
		}
	}
	return p
}

// audited says what [audit] would have done differently; "" if nothing.
func (p *Policy) audited(f *inquiry, d *Decision) string {
	if p.Audit == nil {
		return ""
	}
	strict := Decision{Mode: p.Audit.Mode}
	p.Audit.process(f, &strict)
	if d.Identity == nil {
		return ""
	}
	switch {
	case strict.Mode == Refuse:
		return "would be refused: " + strict.Reason
	case strict.Identity.UID != d.Identity.UID || strict.Identity.GID != d.Identity.GID || !slices.Equal(strict.Identity.Groups, d.Identity.Groups):
		return fmt.Sprintf("would run as %d:%d with the groups %d instead of %d:%d with %d", strict.Identity.UID, strict.Identity.GID, strict.Identity.Groups, d.Identity.UID, d.Identity.GID, d.Identity.Groups)
	case p.Audit.DropBounding && !p.DropBounding:
		return "would have no bounding set of capabilities"
	case !p.Audit.AllowUserNamespaces && p.AllowUserNamespaces:
		return "would make no user namespaces"
	}
	return ""
}

// check refuses patterns that path.Match doesn't understand.
func (ps Patterns) check() error {
	for _, p := range ps {
		body, _ := strings.CutPrefix(p, "!")
		if _, err := path.Match(body, "x"); err != nil || body == "" {
			return fmt.Errorf("%q is not a pattern\nhint: use letters, \"*\", \"?\" and [a-z], with \"!\" in front of what is not meant", p)
		}
	}
	return nil
}
