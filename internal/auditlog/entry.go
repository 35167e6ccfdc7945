// SPDX-License-Identifier: Apache-2.0

// Package auditlog keeps a log of decisions: one line of JSON each, to a file, to syslog and to systemd's journal, as
// docs/log.md describes. The table in internal/decision defines what a line contains; evaluating logs belongs to
// internal/report.
//
//	entry.go    a decision as one line of limited length
//	write.go    writing the line to a file, whole or not at all, and to the two daemons
//	lost.go     how many lines were lost
//	changed.go  which parts of a document a rewrite has changed
//	origin.go   what engines know of a container
package auditlog

import "github.com/nonroot-runc/nonroot-runc/internal/decision"

// MaxLine is the maximum length of a line with its newline, in bytes. As it is no longer than a page, a file system
// that is not full accepts it in one piece, and so do syslog's datagrams (8192 bytes by default: rsyslog.conf(5),
// maxMessageSize) and log shippers.
const MaxLine = 4096

// Line returns a decision as a line of ASCII, of at most MaxLine bytes (decision.Log): no text in it can end the line,
// or reach a terminal as anything but text.
//
// "time" comes first: {"time":" marks the beginning of a line wherever it occurs, as quotes within texts are escaped.
func Line(d *decision.Decision) []byte {
	return append(d.Append(make([]byte, 0, 1024), decision.Log), '\n')
}
