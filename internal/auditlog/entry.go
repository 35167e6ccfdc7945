// SPDX-License-Identifier: Apache-2.0

// Package auditlog keeps a log of decisions: one line of JSON each, to a file, to syslog and to systemd's journal, as docs/log.md
// describes it. What a line has of a decision stands in internal/decision's table, and what logs tell in internal/report.
//
//	entry.go    a decision as one line of bounded length
//	write.go    the line's way into a file, whole or not at all, and to the two daemons
//	lost.go     how many lines did not get there
//	changed.go  which parts of a document a rewrite has changed
//	origin.go   what engines know of a container
package auditlog

import "github.com/nonroot-runc/nonroot-runc/internal/decision"

// MaxLine bounds a line with its newline, in bytes. Within a page, a file system that is not full takes it in one piece,
// and so do the datagrams of syslog (8192 bytes by default: rsyslog.conf(5), maxMessageSize) and log shippers.
const MaxLine = 4096

// Line is a decision as a line of ASCII, of at most MaxLine bytes (decision.Log): whatever is in its texts, they can
// neither end the line nor reach a terminal as anything but text.
//
// "time" is first: what begins with {"time":" is a line's beginning, wherever it stands, as quotes within texts have a
// backslash in front.
func Line(d *decision.Decision) []byte {
	return append(d.Append(make([]byte, 0, 1024), decision.Log), '\n')
}
