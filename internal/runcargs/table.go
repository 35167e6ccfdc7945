// SPDX-License-Identifier: Apache-2.0

package runcargs

// valueKind says what follows a flag's name.
type valueKind uint8

const (
	boolean valueKind = iota // --x, --x=true, --x=false; never takes the next word
	text                     // --x=v or --x v, once
	count                    // as text, a decimal number
	list                     // as text, may be repeated
)

// scope is a set of places in which a flag is known: in front of the verb, or
// after one or several verbs.
type scope uint32

const (
	inGlobal scope = 1 << iota
	inCreate
	inRun
	inRestore
	inExec
	inStart
	inCheckpoint
	inDelete
	inEvents
	inFeatures
	inKill
	inList
	inPause
	inPs
	inResume
	inSpec
	inState
	inUpdate
	inHelp
)

// reordered are the verbs whose words urfave/cli v1 sorts before it parses
// them (urfave/cli v1.22.1 to v1.22.17, command.go: reorderArgs; exec sets
// SkipArgReorder). The versions disagree on a separate value that begins
// with "-", so such a value is refused there.
const reordered = inCreate | inRun | inRestore | inStart

// runtimes is a set of programs that know a flag. It isn't used when parsing:
// a flag that only the other runtime knows is that runtime's own error. It
// keeps the table honest against the programs' --help (see the tests).
type runtimes uint8

const (
	runc runtimes = 1 << iota
	crun
	both = runc | crun
	none = runtimes(0)
)

// fate says what becomes of a flag.
type fate uint8

const (
	forward    fate = iota // plumbing: re-emitted
	credential             // describes exec's process: goes into Command.Exec, never re-emitted
	drop                   // accepted and left out
	refuse                 // never accepted
	own                    // this program's, never re-emitted
	inform                 // prints something and ends: nothing is started
)

// option is one flag in one or several scopes.
type option struct {
	name  string
	short string // one letter, or empty
	kind  valueKind
	fate  fate
	in    scope
	by    runtimes
}

// options is the one table of flags. Sources: main.go, create.go, run.go,
// restore.go, exec.go, ... of runc 1.1.5, 1.3.5, 1.5.2 and 1.6.0-rc.1; src/crun.c,
// src/create.c, src/run.c, src/restore.c, src/exec.c, ... of crun 1.8.1 and main.
//
// Left out on purpose: crun's "restore --network-lock". It is declared as a flag
// without a value and then swallows the next word (src/restore.c,
// argp_mandatory_argument), so no spelling of it is safe.
var options = [...]option{
	// Ours.
	{"nonroot-config", "", text, own, inGlobal, none},
	{"nonroot-runtime", "", text, own, inGlobal, none},

	// In front of the verb.
	{"root", "", text, forward, inGlobal, both},
	{"log", "", text, forward, inGlobal, both},
	{"log-format", "", text, forward, inGlobal, both},
	{"debug", "", boolean, forward, inGlobal, both},
	{"systemd-cgroup", "", boolean, forward, inGlobal, both},
	{"rootless", "", text, forward, inGlobal, both},       // crun 1.8 takes it for --root
	{"criu", "", text, forward, inGlobal, runc},           // until 1.3
	{"cgroup-manager", "", text, forward, inGlobal, crun}, //
	{"log-level", "", text, forward, inGlobal, crun},      // after 1.8

	// Everywhere. runc knows -h, crun -? and --usage; crun's -V is its -v.
	{"help", "h", boolean, inform, ^scope(0), both},
	{"?", "", boolean, inform, ^scope(0), crun},
	{"usage", "", boolean, inform, ^scope(0), crun},
	{"version", "v", boolean, inform, inGlobal, both},
	{"V", "", boolean, inform, inGlobal, crun},

	// create, run, restore, exec.
	{"bundle", "b", text, forward, inCreate | inRun | inRestore | inSpec, both},
	{"config", "f", text, refuse, inCreate | inRun, crun}, // reads another file than config.json (SECURITY.md E9)
	{"console-socket", "", text, forward, inCreate | inRun | inRestore | inExec, both},
	{"pidfd-socket", "", text, forward, inCreate | inRun | inExec, runc}, // since 1.2
	{"pid-file", "", text, forward, inCreate | inRun | inRestore | inExec, both},
	{"no-pivot", "", boolean, forward, inCreate | inRun | inRestore, both},
	{"no-new-keyring", "", boolean, drop, inCreate | inRun, both}, // the caller's keyring (SECURITY.md C7)
	{"preserve-fds", "", count, forward, inCreate | inRun | inExec, both},
	{"detach", "d", boolean, forward, inRun | inRestore | inExec, both},
	{"keep", "", boolean, forward, inRun, both}, // crun: after 1.8
	{"no-subreaper", "", boolean, forward, inCreate | inRun | inRestore, both},

	// restore.
	{"image-path", "", text, forward, inRestore | inCheckpoint, both},
	{"work-path", "", text, forward, inRestore | inCheckpoint, both},
	{"tcp-established", "", boolean, forward, inRestore | inCheckpoint, both},
	{"tcp-close", "", boolean, forward, inRestore, crun},
	{"ext-unix-sk", "", boolean, forward, inRestore | inCheckpoint, both},
	{"shell-job", "", boolean, forward, inRestore | inCheckpoint, both},
	{"file-locks", "", boolean, forward, inRestore | inCheckpoint, both},
	{"manage-cgroups-mode", "", text, forward, inRestore | inCheckpoint, both},
	{"empty-ns", "", list, forward, inRestore | inCheckpoint, runc},
	{"auto-dedup", "", boolean, forward, inRestore | inCheckpoint, runc},
	{"lazy-pages", "", boolean, forward, inRestore | inCheckpoint, runc},
	{"lsm-profile", "", text, forward, inRestore, both},
	{"lsm-mount-context", "", text, forward, inRestore, both},

	// exec: plumbing.
	{"process", "p", text, forward, inExec, both},
	{"cgroup", "", list, forward, inExec, both}, // crun: one, the last
	{"ignore-paused", "", boolean, forward, inExec, runc},

	// exec: what the process is to be.
	{"user", "u", text, credential, inExec, both},
	{"additional-gids", "g", list, credential, inExec, runc},
	{"cap", "c", list, credential, inExec, both},
	{"no-new-privs", "", boolean, credential, inExec, both},
	{"env", "e", list, credential, inExec, both},
	{"cwd", "", text, credential, inExec, both},
	{"tty", "t", boolean, credential, inExec, both}, // crun: --tty=no means false, too
	{"apparmor", "", text, credential, inExec, both},
	{"process-label", "", text, credential, inExec, both},

	// Verbs that are handed on: only to find the container's id.
	{"parent-path", "", text, forward, inCheckpoint, runc},
	{"leave-running", "", boolean, forward, inCheckpoint, both},
	{"tcp-skip-in-flight", "", boolean, forward, inCheckpoint, runc},
	{"link-remap", "", boolean, forward, inCheckpoint, runc},
	{"status-fd", "", text, forward, inCheckpoint, runc},
	{"page-server", "", text, forward, inCheckpoint, runc},
	{"pre-dump", "", boolean, forward, inCheckpoint, both},
	{"force", "f", boolean, forward, inDelete, both},
	{"regex", "r", boolean, forward, inDelete | inKill, crun},
	{"all", "a", boolean, forward, inKill, both},
	{"interval", "", text, forward, inEvents, runc},
	{"stats", "", boolean, forward, inEvents, runc},
	{"format", "f", text, forward, inList | inPs, both},
	{"quiet", "q", boolean, forward, inList, both},
	{"file", "f", text, forward, inSpec, crun},
	{"rootless", "", boolean, forward, inSpec, both},
	{"resources", "r", text, forward, inUpdate, both},
	{"blkio-weight", "", text, forward, inUpdate, both},
	{"cpu-period", "", text, forward, inUpdate, both},
	{"cpu-quota", "", text, forward, inUpdate, both},
	{"cpu-burst", "", text, forward, inUpdate, both},
	{"cpu-share", "", text, forward, inUpdate, both},
	{"cpu-idle", "", text, forward, inUpdate, both},
	{"cpu-rt-period", "", text, forward, inUpdate, both},
	{"cpu-rt-runtime", "", text, forward, inUpdate, both},
	{"cpuset-cpus", "", text, forward, inUpdate, both},
	{"cpuset-mems", "", text, forward, inUpdate, both},
	{"kernel-memory", "", text, forward, inUpdate, both},
	{"kernel-memory-tcp", "", text, forward, inUpdate, both},
	{"memory", "", text, forward, inUpdate, both},
	{"memory-reservation", "", text, forward, inUpdate, both},
	{"memory-swap", "", text, forward, inUpdate, both},
	{"pids-limit", "", text, forward, inUpdate, both},
	{"l3-cache-schema", "", text, forward, inUpdate, both},
	{"mem-bw-schema", "", text, forward, inUpdate, both},
}

// lookup finds the flag that is called name (long or short, without dashes)
// in a scope, or nil.
func lookup(in scope, name string) *option {
	for i := range options {
		o := &options[i]
		if o.in&in != 0 && (o.name == name || o.short != "" && o.short == name) {
			return o
		}
	}
	return nil
}

// verb is one word that may follow the global flags.
type verb struct {
	name string
	in   scope
	kind Kind
	noID bool // its arguments name no container
}

// verbs is the list of every verb that runc and crun know and that may go on. crun's
// "mounts" (SECURITY.md D10) and runc's internal "init" are not here.
// Sources: app.Commands in runc's main.go, commands[] in crun's src/crun.c.
var verbs = [...]verb{
	{VerbCreate, inCreate, Govern, false},
	{VerbRun, inRun, Govern, false},
	{VerbRestore, inRestore, Govern, false},
	{VerbExec, inExec, Govern, false},
	{VerbStart, inStart, Gate, false},
	{"kill", inKill, Passthrough, false},
	{"delete", inDelete, Passthrough, false},
	{"state", inState, Passthrough, false},
	{"ps", inPs, Passthrough, false},
	{"pause", inPause, Passthrough, false},
	{"resume", inResume, Passthrough, false},
	{"update", inUpdate, Passthrough, false},
	{"events", inEvents, Passthrough, false},
	{"checkpoint", inCheckpoint, Passthrough, false},
	{"features", inFeatures, Passthrough, true},
	{"list", inList, Passthrough, true},
	{"spec", inSpec, Passthrough, true},
	{"help", inHelp, Passthrough, true},
	{"h", inHelp, Passthrough, true},
}

// findVerb returns the verb's row, or nil.
func findVerb(name string) *verb {
	for i := range verbs {
		if verbs[i].name == name {
			return &verbs[i]
		}
	}
	return nil
}
