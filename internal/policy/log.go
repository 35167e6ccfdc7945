// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"path"
	"strings"
)

// Log controls where decisions are logged.
type Log struct {
	File     string // absolute; "": none
	Syslog   bool
	Journald bool
	Required bool // a decision that can't be logged becomes a refusal
}

// Anywhere reports whether decisions are logged at all.
func (l *Log) Anywhere() bool { return l.File != "" || l.Syslog || l.Journald }

// logTable is the policy file's table [log].
type logTable struct {
	File     *string `toml:"file"`
	Syslog   *bool   `toml:"syslog"`
	Journald *bool   `toml:"journald"`
	Required *bool   `toml:"required"`
}

func (t *logTable) read(p *Policy, r *reader) {
	p.OwnLog = *t != logTable{}
	if s := t.File; s != nil {
		if p.Log.File = *s; !path.IsAbs(*s) || path.Clean(*s) != *s || strings.ContainsRune(*s, 0) {
			r.fail("log.file", "%q is not a clean absolute path", *s)
		}
	}
	for _, b := range []struct{ set, to *bool }{{t.Syslog, &p.Log.Syslog}, {t.Journald, &p.Log.Journald}, {t.Required, &p.Log.Required}} {
		if b.set != nil {
			*b.to = *b.set
		}
	}
	if p.Log.Required && !p.Log.Anywhere() {
		r.fail("log.required", "there is no log\nhint: add file = \"/var/log/nonroot-runc.log\", syslog = true or journald = true")
	}
}
