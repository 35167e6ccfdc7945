// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"errors"
	"fmt"
)

// Exempts reports whether an existing container may stay unchanged: its record says so or, without a record, p does,
// which is the part of the policy that applies to it.
func (p *Policy) Exempts(f *Facts) bool {
	switch {
	case f.Unsure || f.Record.Enforced():
		return false
	case f.Record != nil:
		return f.Record.Mode.Exempts()
	}
	return p.Mode.Exempts() || p.Existing.Exempts()
}

// exempted decides about a container that may stay unchanged.
func (p *Policy) exempted(f *inquiry, d *Decision) {
	switch {
	case f.Record != nil:
		d.Mode, d.Rule, d.Reason = f.Record.Mode, f.Record.Rule, f.Record.Reason
	case !p.Mode.Exempts():
		d.Mode, d.Rule, d.Reason = Off, "existing", "the container was not created by nonroot-runc, and the policy leaves such as they are"
	}
	if f.Seen {
		d.Asked = asked(f)
	}
}

// further decides about a further process of a container. Engines pass a complete process file, with root's ids and
// capabilities if "exec -u 0" or "--privileged" asked for them (SECURITY.md D1-D4).
func (p *Policy) further(f *inquiry, d *Decision) {
	if p.Exempts(f.Facts) {
		p.exempted(f, d)
		return
	}
	if p.Mode != Refuse {
		d.Mode = Rewrite // the container was rewritten, or has no record that would let it be root
	}
	if f.Seen {
		d.Asked = asked(f)
	}
	if err := errors.Join(f.Unfit, f.Unsound); err != nil {
		refuse(d, err)
		return
	}
	switch {
	case f.Record.Enforced():
		f.created, f.by = f.Record.Identity, f.Record.Source
	case f.Nested:
		d.Notes = append(d.Notes, "the first process has made a user namespace of its own, so its ids do not say who the container runs as")
	case f.Process != nil:
		f.created = p.running(f, f.Process)
	}
	p.process(f, d)
	if d.Identity != nil && f.NamedGroups {
		d.Dropped, d.Identity.Groups = append(d.Dropped, d.Identity.Groups...), nil
	}
}

// gate decides whether a created container may start. Its first process has its final credentials by now, so it may go
// on only if the kernel shows that they keep every promise. That catches a container created before this program was
// installed, one with a config.json that was changed in between, and one with a runtime that was deceived (SECURITY.md
// D7).
func (p *Policy) gate(f *inquiry, d *Decision) {
	if p.Exempts(f.Facts) {
		p.exempted(f, d)
		return
	}
	d.Mode, d.Reason = Rewrite, ""
	if f.Unsound != nil {
		refuse(d, f.Unsound)
		return
	}
	if f.Process == nil {
		refuse(d, f.ProcessFault)
		return
	}
	advice := "it was not created by nonroot-runc, or its config.json was changed since\nhint: delete and create it again"
	err := keptByAll(f.Process)
	switch r := f.Record; {
	case r.Enforced():
		advice = "the runtime did not do what config.json says\nhint: do not start it, and report this"
		d.Rule, d.Source, d.Asked, d.Identity = r.Rule, r.Source, r.Asked, r.Identity
		if err == nil {
			err = exactly(f.Process, r.Identity, r.Bounding)
		}
	case err == nil:
		err = p.anybody(f, f.Process)
	}
	if err != nil {
		refuse(d, fmt.Errorf("its first process must not be started, %w: %s", err, advice))
	}
}
