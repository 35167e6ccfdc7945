// SPDX-License-Identifier: Apache-2.0

package runcargs

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/nonroot-runc/nonroot-runc/internal/hint"
)

// words splits a line at blanks; ” stands for an empty word.
func words(line string) []string {
	w := strings.Fields(line)
	for i := range w {
		w[i] = strings.ReplaceAll(w[i], "''", "")
	}
	return w
}

// TestSpellings has every spelling that is accepted (SECURITY.md E9) with what is re-emitted.
func TestSpellings(t *testing.T) {
	for _, row := range []struct{ line, want string }{
		// One flag, all spellings.
		{"run --bundle=/b c", "run --bundle=/b c"},
		{"run --bundle /b c", "run --bundle=/b c"},
		{"run -bundle=/b c", "run --bundle=/b c"},
		{"run -bundle /b c", "run --bundle=/b c"},
		{"run -b /b c", "run --bundle=/b c"},
		{"run -b=/b c", "run --bundle=/b c"},
		{"run --b /b c", "run --bundle=/b c"},
		{"run --b=/b c", "run --bundle=/b c"},
		{"run --bundle=-b c", "run --bundle=-b c"},
		{"run --bundle=a=b c", "run --bundle=a=b c"},
		// A missing or empty bundle is the working directory.
		{"create c", "create --bundle=. c"},
		{"create --bundle= c", "create --bundle=. c"},
		{"create -b '' c", "create --bundle=. c"},
		{"restore c", "restore --bundle=. c"},
		// Booleans.
		{"run --detach c", "run --bundle=. --detach c"},
		{"run --detach=true c", "run --bundle=. --detach c"},
		{"run -d=T c", "run --bundle=. --detach c"},
		{"run --detach=false c", "run --bundle=. c"},
		{"run -d --detach c", "run --bundle=. --detach c"},
		{"run --keep --keep=false c", ""},
		{"run --keep --keep=true c", "run --bundle=. --keep c"},
		{"run --keep=0 --no-pivot --no-subreaper c", "run --bundle=. --no-pivot --no-subreaper c"},
		{"--debug=1 run c", "--debug run --bundle=. c"},
		// Late flags, and the end of flags.
		{"run c --bundle /b", "run --bundle=/b c"},
		{"run --pid-file /p c -b=/b -d", "run --bundle=/b --pid-file=/p --detach c"},
		{"create -- c", "create --bundle=. c"},
		{"create c --", "create --bundle=. c"},
		{"-- create c", "create --bundle=. c"},
		{"--debug -- create --bundle=/b -- c", "--debug create --bundle=/b c"},
		// Values that look like something else.
		{"--log run create c", "--log=run create --bundle=. c"},
		{"--log --debug create c", "--log=--debug create --bundle=. c"},
		{"--root create --log=exec start create", "--root=create --log=exec start create"},
		{"create --bundle exec create", "create --bundle=exec create"},
		// What is left out.
		{"create --no-new-keyring -b /b c", "create --bundle=/b c"},
		{"run --no-new-keyring=true c", "run --bundle=. c"},
		{"run --pid-file= --console-socket '' c", "run --bundle=. c"},
		{"--log= --log-format '' --rootless= start c", "start c"},
		{"--root /r --debug --rootless true start c", "--rootless=true --root=/r --debug start c"},
		// Ours.
		{"--nonroot-config /c --nonroot-runtime=/usr/sbin/runc --root /r create c", "--root=/r create --bundle=. c"},
		{"-nonroot-config=/c start c", "start c"},
		{"--nonroot-config /c --root /r kill c 9", "--root /r kill c 9"},
		{"--nonroot-runtime=/x --version", "--version"},
		// Numbers and lists.
		{"create --preserve-fds 3 c", "create --bundle=. --preserve-fds=3 c"},
		{"create --preserve-fds=0 c", "create --bundle=. c"},
		{"restore --empty-ns network --empty-ns=ipc c", "restore --bundle=. --empty-ns=network --empty-ns=ipc c"},
		{"exec -p /f --cgroup a:/x --cgroup b:/y --ignore-paused --pidfd-socket /s c", "exec --process=/f --cgroup=a:/x --cgroup=b:/y --ignore-paused --pidfd-socket=/s c"},
		{"--cgroup-manager=systemd --log-level debug --criu /x run c", "--cgroup-manager=systemd --log-level=debug --criu=/x run --bundle=. c"},
		// Beside --process the runtimes ignore what describes a process, and the command.
		{"exec --process /f -u 0 --cap ALL --no-new-privs=false -e A=b -g 0 --cwd / -t c sh", "exec --process=/f c"},
		{"exec -u 0 c sh --process /f", "exec c"},
		// Help of a governed verb starts nothing; nothing else goes with it.
		{"run --help", "run --help"},
		{"--root=/r create -b /b -h --wrong c", "--root=/r create --help"},
		{"exec -? c", "exec --help"},
		{"--help run c", "--help"},
		{"--log /l -v create c", "--log /l -v"},
		{"start c --usage", "start --help"},
		// What nobody governs goes on as it came.
		{"", ""},
		{"--debug", "--debug"},
		{"--unknown=x kill c", "--unknown=x kill c"},
		{"--version=false kill c", "--version=false kill c"},
		{"--root a --root=b --debug=maybe kill -unknown c", "--root a --root=b --debug=maybe kill -unknown c"},
		{"-- kill -- c", "-- kill -- c"},
		{"help run", "help run"},
		{"spec --bundle /b", "spec --bundle /b"},
	} {
		t.Run(row.line, func(t *testing.T) {
			c, err := Parse(words(row.line))
			if row.want == "" && row.line != "" {
				if err == nil {
					t.Fatalf("accepted as %q", c.Argv())
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(c.Argv(), " "); got != row.want {
				t.Errorf("argv\n got %q\nwant %q", got, row.want)
			}
			checkInvariants(t, c)
		})
	}
}

// TestRefused has what must not go on, and a part of the message that says why.
func TestRefused(t *testing.T) {
	for _, row := range []struct{ line, want string }{
		// Unknown verbs.
		{"mounts add c /f", "mounts"},
		{"init", "unknown command"},
		{"Create c", "unknown command"},
		{"'' create c", "unknown command"},
		{"- create c", "unknown command"},
		{"nonroot", "unknown command"},
		// Unknown, abbreviated, clustered, attached.
		{"create --unknown c", "unknown flag"},
		{"create --bund /b c", "spelled out"},
		{"create --bundl=/b c", "spelled out"},
		{"create -b/b c", "one by one"},
		{"run -db /b c", "one by one"},
		{"exec -dt c sh", "one by one"},
		{"create ---bundle=/b c", "spelling"},
		{"create --=/b c", "spelling"},
		{"create -=/b c", "spelling"},
		{"create --detach c", "unknown flag"},
		{"create -1 c", "unknown flag"},
		{"start --bundle /b c", "unknown flag"},
		{"restore --network-lock skip c", "unknown flag"},
		{"--unknown create c", "unknown flag"},
		{"--unknown kill c", "unknown flag"},
		{"--unknown=x create c", "unknown flag"},
		{"--roo=/r start c", "unknown flag"},
		{"--roo /r start c", "write --root"},
		{"--cg=disabled create c", "write --cgroup-manager"},
		// What update changes is looked at.
		{"--roo=/r update --resources=/f c", "update: unknown flag \"--roo\": flags must be spelled out\nhint: write --root"},
		{"--roo /r update --resources=/f c", "write --root"},
		{"--unknown=x update c", "unknown flag"},
		{"--root=/r --root=/s update c", "more than once"},
		// Twice.
		{"run --bundle /a --bundle /b c", "more than once"},
		{"run -b /a --bundle /b c", "more than once"},
		{"run -b /a c --bundle /a", "more than once"},
		{"run c -b= --bundle /b", "more than once"},
		{"exec -p /f --process /g c", "more than once"},
		{"exec -u 1 --user 0 c sh", "more than once"},
		{"exec --no-new-privs --no-new-privs=false c sh", "more than once"},
		{"--root /a --root /b start c", "more than once"},
		{"--log /a --log=/b create c", "more than once"},
		{"--debug --debug=false create c", "more than once"},
		{"--nonroot-config /a --nonroot-config=/b create c", "more than once"},
		{"--nonroot-config /a --nonroot-config=/b kill c", "more than once"},
		{"--nonroot-runtime /a -nonroot-runtime /a --version", "more than once"},
		// Empty, missing or ambiguous values.
		{"--root= create c", "--root has an empty value"},
		{"--root '' start c", "--root has an empty value"},
		{"--nonroot-config= kill c", "--nonroot-config has an empty value"},
		{"--nonroot-runtime '' create c", "--nonroot-runtime has an empty value"},
		{"exec --process= c sh", "--process has an empty value"},
		{"exec --user= c sh", "--user has an empty value"},
		{"create c --bundle", "needs a value"},
		{"--root", "needs a value"},
		{"create --bundle --no-pivot c", "begins with"},
		{"create c1 --bundle -- c2", "begins with"},
		{"create --detach=yes c", "unknown flag"},
		{"run --detach=yes c", "can't have the value"},
		{"run --detach= c", "can't have the value"},
		{"--debug=maybe create c", "can't have the value"},
		{"--version=false create c", "can't have the value"},
		{"run --help=false c", "can't have the value"},
		{"--cgroup-manager cgroupfs --systemd-cgroup create c", "exclude each other"},
		{"--rootless=true create c", "without --root"},
		{"--rootless auto exec -p /f c", "without --root"},
		{"exec -p /f --cgroup .. c", "out of the container's cgroup"},
		{"exec -p /f --cgroup a --cgroup devices:/a/../.. c", "out of the container's cgroup"},
		// Numbers.
		{"create --preserve-fds -1 c", "begins with"},
		{"create --preserve-fds=-1 c", "not a decimal number"},
		{"create --preserve-fds=010 c", "not a decimal number"},
		{"create --preserve-fds=0x3 c", "not a decimal number"},
		{"create --preserve-fds= c", "not a decimal number"},
		{"create --preserve-fds=1048577 c", "not a decimal number"},
		{"create --preserve-fds=18446744073709551617 c", "not a decimal number"},
		{"exec -g 4294967296 c sh", "--additional-gids"},
		{"exec -g 4294967295 c sh", "--additional-gids"},
		{"exec -g -1 c sh", "--additional-gids"},
		{"exec -g 1,2 c sh", "--additional-gids"},
		// Another configuration.
		{"create --config /f c", "refused"},
		{"run -f=/f c", "refused"},
		{"run c --config=config.json", "refused"},
		// Global flags behind the verb, as runc 1.6 reads them.
		{"run --root /r c", "in front of the command"},
		{"start c --root=/r", "in front of the command"},
		{"exec --log /l c sh", "in front of the command"},
		{"create --nonroot-config /c c", "in front of the command"},
		{"create --systemd-cgroup c", "in front of the command"},
		// The id and what follows it.
		{"create", "no container id"},
		{"start --", "no container id"},
		{"exec --process /f", "no container id"},
		{"create -", "invalid container id"},
		{"create -- -c", "invalid container id"},
		{"create -- --bundle", "invalid container id"},
		{"create .", "invalid container id"},
		{"start ..", "invalid container id"},
		{"create ''", "invalid container id"},
		{"create a/b", "invalid container id"},
		{"create ü", "invalid container id"},
		{"create a b", "unexpected argument"},
		{"create a -- --bundle", "unexpected argument"},
		{"restore a b", "unexpected argument"},
		{"start a b", "unexpected argument"},
		{"start a ''", "unexpected argument"},
		{"exec c", "neither a command nor --process"},
		{"exec -u 0 c", "neither a command nor --process"},
		{"exec c -- sh", "--"},
		{"exec -- c -- sh", "--"},
		{"exec c '' --user=0 sh", "is blank"},
		{"exec -p /f c '' --process=/g", "is blank"},
	} {
		t.Run(row.line, func(t *testing.T) {
			c, err := Parse(words(row.line))
			if err == nil {
				t.Fatalf("accepted as %q", c.Argv())
			}
			if c == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("message %q lacks %q", err, row.want)
			}
			checkMessage(t, err)
		})
	}
}

func TestIDCharacters(t *testing.T) {
	for ch := range 256 {
		id := "a" + string([]byte{byte(ch)})
		_, err := Parse([]string{"start", id})
		good := strings.IndexByte("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_+-.", byte(ch)) >= 0
		if good != (err == nil) {
			t.Errorf("id %q: %v", id, err)
		}
	}
}

func TestExecFlags(t *testing.T) {
	yes, no := true, false
	for _, row := range []struct {
		line string
		want ExecFlags
	}{
		{"exec c id", ExecFlags{Args: []string{"id"}}},
		{"exec -- c id", ExecFlags{Args: []string{"id"}}},
		{"exec c id -u --user=0 -- x", ExecFlags{Args: []string{"id", "-u", "--user=0", "--", "x"}}},
		{"exec c -x", ExecFlags{Args: []string{"-x"}}},
		{"exec c sh '' --user=0", ExecFlags{Args: []string{"sh", "", "--user=0"}}},
		{"exec -u 0 c id", ExecFlags{User: "0", Args: []string{"id"}}},
		{"exec --user=0:0 c id", ExecFlags{User: "0:0", Args: []string{"id"}}},
		{"exec -user 0 c id", ExecFlags{User: "0", Args: []string{"id"}}},
		{"exec -u -4294967296:-4294967296 c id", ExecFlags{User: "-4294967296:-4294967296", Args: []string{"id"}}},
		{"exec -g 0 --additional-gids=4294967294 c id", ExecFlags{AdditionalGids: []uint32{0, 4294967294}, Args: []string{"id"}}},
		{"exec --cap CAP_A -c CAP_B c id", ExecFlags{Caps: []string{"CAP_A", "CAP_B"}, Args: []string{"id"}}},
		{"exec --no-new-privs c id", ExecFlags{NoNewPrivs: &yes, Args: []string{"id"}}},
		{"exec --no-new-privs=false c id", ExecFlags{NoNewPrivs: &no, Args: []string{"id"}}},
		{"exec -e A=1,2 --env=B -e -x c id", ExecFlags{Env: []string{"A=1,2", "B", "-x"}, Args: []string{"id"}}},
		{"exec --cwd /w -t --apparmor a --process-label=l c id", ExecFlags{Cwd: "/w", Tty: true, Apparmor: "a", ProcessLabel: "l", Args: []string{"id"}}},
		{"exec --tty=false c id", ExecFlags{Args: []string{"id"}}},
		{"exec --tty false id", ExecFlags{Tty: true, Args: []string{"id"}}},
	} {
		t.Run(row.line, func(t *testing.T) {
			c, err := Parse(words(row.line))
			if err != nil {
				t.Fatal(err)
			}
			if c.Exec == nil || !reflect.DeepEqual(*c.Exec, row.want) {
				t.Errorf("got %+v, want %+v", c.Exec, row.want)
			}
			checkInvariants(t, c)
		})
	}
}

// TestAsked has execs that a policy may exempt: nothing is left out, and nothing keeps a spelling of one runtime.
func TestAsked(t *testing.T) {
	for _, row := range []struct{ line, want string }{
		{"--root r exec -u 0 c id -u", "--root=r exec --user=0 c id -u"},
		{"--nonroot-config /c exec -user 0:1 -tty c --tty", "exec --user=0:1 --tty c --tty"},
		{"exec -e=A -e B=1,2 -env '' -c=X --cap Y c id", "exec --cap=X --cap=Y --env=A --env=B=1,2 --env= c id"},
		{"exec -g 0 -g=5 --cwd / -t=false -apparmor a --process-label=l -detach c id", "exec --detach --additional-gids=0 --additional-gids=5 --cwd=/ --apparmor=a --process-label=l c id"},
		{"exec --no-new-privs c id", "exec --no-new-privs c id"},
		{"exec --no-new-privs=0 c id", "exec --no-new-privs=false c id"},
		// crun reads the process file "rocess" of the container "f" in this.
		{"exec -process f c id", "exec --process=f c"},
		{"--root r kill -unknown c", "--root r kill -unknown c"},
	} {
		t.Run(row.line, func(t *testing.T) {
			c, err := Parse(words(row.line))
			if err != nil {
				t.Fatal(err)
			}
			got := c.Asked()
			if strings.Join(got, " ") != row.want {
				t.Errorf("argv\n got %q\nwant %q", got, row.want)
			}
			again, err := Parse(got)
			if err != nil || !reflect.DeepEqual(again.Exec, c.Exec) || again.ID != c.ID || again.Process != c.Process {
				t.Errorf("%q is read again as %+v, %v", got, again, err)
			}
		})
	}
}

func TestFields(t *testing.T) {
	c, err := Parse(words("--nonroot-config /c --nonroot-runtime /r --debug --root /x --log /l --log-format json --systemd-cgroup " +
		"run -d --preserve-fds 2 --pid-file /p --console-socket /s --bundle /b c"))
	if err != nil {
		t.Fatal(err)
	}
	want := &Command{
		Kind: Govern, Verb: VerbRun, NonrootConfig: "/c", NonrootRuntime: "/r",
		Root: "/x", RootSet: true, Log: "/l", LogFormat: "json", Debug: true, SystemdCgroup: true,
		ID: "c", Bundle: "/b", PidFile: "/p", ConsoleSocket: "/s", Detach: true, PreserveFDs: 2,
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got %+v\nwant %+v", c, want)
	}
}

// TestPassthroughID has the best effort to find a container's id.
func TestPassthroughID(t *testing.T) {
	for _, row := range []struct{ line, id, root string }{
		{"kill c 9", "c", ""},
		{"kill --all c", "c", ""},
		{"kill c -a", "c", ""},
		{"kill c -a 9", "", ""},                 // runc 1.1: container 9
		{"update c d --cpu-rt-runtime", "", ""}, // runc 1.1: container d
		{"kill '' c", "", ""},
		{"kill c -b=run -a yes", "", ""},
		{"checkpoint c --parent-path -", "", ""},
		{"kill -a -- c --all=false", "", ""}, // runc 1.3: container --all=false
		{"kill -? c", "", ""},
		{"kill -- c", "c", ""},
		{"kill --unknown c", "", ""},
		{"--roo=/r kill c", "c", "/r"}, // crun's abbreviations
		{"--roo /r --deb delete --force c", "c", "/r"},
		{"--log=/l --log-f json kill c", "c", ""},
		{"--rootl=x --roo=/r kill c", "c", "/r"},
		{"kill --reg c", "", ""},
		{"kill --unknown=x c", "", ""},
		{"kill c -9", "c", ""},
		{"kill --regex c.*", "", ""},
		{"delete c -r", "", ""},
		{"delete -f c", "c", ""},
		{"ps c -f x --format", "c", ""},
		{"ps -f json c", "c", ""},
		{"update --memory 5 -r - c", "c", ""},
		{"events --interval 5s --stats c", "c", ""},
		{"state a/b", "", ""},
		{"state", "", ""},
		{"list -f json", "", ""},
		{"spec c", "", ""},
		{"features", "", ""},
		{"--root a --root b kill c", "c", "b"},
		{"--root a kill --root b c", "c", "b"}, // runc 1.6; the others fail on it
		{"--log kill kill c", "c", ""},
		{"resume c --root=/b", "", ""}, // crun takes no notice of it
	} {
		t.Run(row.line, func(t *testing.T) {
			c, err := Parse(words(row.line))
			if err != nil {
				t.Fatal(err)
			}
			if c.Kind != Passthrough || c.ID != row.id || c.Root != row.root {
				t.Errorf("kind %d, id %q, root %q; want id %q, root %q", c.Kind, c.ID, c.Root, row.id, row.root)
			}
			if got := c.Argv(); !slices.Equal(got, words(row.line)) {
				t.Errorf("argv changed to %q", got)
			}
		})
	}
}

// TestErrorsCarryLog wants the log's place beside each kind of error behind it.
func TestErrorsCarryLog(t *testing.T) {
	for _, tail := range []string{
		"create", "create --wrong c", "exec c", "mounts", "wrong", "run a b", "--wrong create c", "--root= create c",
		"--log-format=json create c", "--debug=x create c", "start .", "--nonroot-config= kill c", "--root",
	} {
		c, err := Parse(words("--log /l --log-format json " + tail))
		if err == nil || c.Log != "/l" || c.LogFormat != "json" {
			t.Errorf("%q: error %v, log %q, format %q", tail, err, c.Log, c.LogFormat)
		}
	}
}

// TestZeroCommand wants a forgotten Command not to go on unnoticed.
func TestZeroCommand(t *testing.T) {
	if (&Command{}).Kind != Govern {
		t.Error("the zero Kind must be Govern")
	}
}

func TestParseUser(t *testing.T) {
	gid := func(n uint32) *uint32 { return &n }
	for _, row := range []struct {
		in  string
		uid uint32
		gid *uint32
		bad bool
	}{
		{in: "0"},
		{in: "0:0", gid: gid(0)},
		{in: "1000", uid: 1000},
		{in: "1000:50", uid: 1000, gid: gid(50)},
		{in: "4294967294:4294967294", uid: 4294967294, gid: gid(4294967294)},
		// SECURITY.md D3: what runc and crun cut down to 0.
		{in: "4294967296:4294967296", bad: true},
		{in: "-4294967296:1", bad: true},
		{in: "+0:00", bad: true},
		{in: "4294967295", bad: true},
		{in: "1:4294967295", bad: true},
		{in: "18446744073709551616", bad: true},
		{in: "99999999999999999999999", bad: true},
		{in: "-1", bad: true},
		{in: "", bad: true},
		{in: ":", bad: true},
		{in: "1:", bad: true},
		{in: ":1", bad: true},
		{in: "1:2:3", bad: true},
		{in: "00", bad: true},
		{in: "010", bad: true},
		{in: "0x10", bad: true},
		{in: "1_0", bad: true},
		{in: " 1", bad: true},
		{in: "1 ", bad: true},
		{in: "1e3", bad: true},
		{in: "١", bad: true},
		{in: "root", bad: true},
	} {
		uid, g, err := ParseUser(row.in)
		if (err != nil) != row.bad || uid != row.uid || !reflect.DeepEqual(g, row.gid) {
			t.Errorf("ParseUser(%q) = %d, %v, %v", row.in, uid, g, err)
		}
		if err != nil {
			checkMessage(t, err)
		}
	}
}

// TestTable wants no name to have two meanings in one place.
func TestTable(t *testing.T) {
	for in := inGlobal; in <= inHelp; in <<= 1 {
		seen := map[string]bool{}
		for i := range options {
			o := &options[i]
			if o.in&in == 0 {
				continue
			}
			for _, n := range []string{o.name, o.short} {
				if n != "" && seen[n] {
					t.Errorf("scope %b: two flags are called %q", in, n)
				}
				seen[n] = true
			}
			if o.kind != boolean && o.fate == drop {
				t.Errorf("--%s is dropped and takes a value", o.name)
			}
		}
	}
}

// checkMessage wants the form of messages, and none of the phrases that engines map
// to an exit code.
func checkMessage(t *testing.T, err error) {
	t.Helper()
	m := err.Error()
	if strings.HasSuffix(m, ".") || strings.Contains(strings.Replace(m, hint.Mark, "", 1), "\n") {
		t.Errorf("message %q: a finding and a hint without a full stop, please", m)
	}
	for _, phrase := range []string{
		"no such file or directory", "executable file not found", "permission denied",
		"operation not permitted", "not a directory",
	} {
		if strings.Contains(strings.ToLower(m), phrase) {
			t.Errorf("message %q has the phrase %q", m, phrase)
		}
	}
}

// secrets are flags that no re-emitted line may have.
var secrets = []string{
	"user", "additional-gids", "cap", "no-new-privs", "env", "cwd", "tty", "apparmor", "process-label",
	"no-new-keyring", "config", "nonroot-config", "nonroot-runtime", "help", "version",
}

// checkInvariants checks what holds for every Command without an error.
func checkInvariants(t *testing.T, c *Command) {
	t.Helper()
	d := *c
	d.NonrootConfig, d.NonrootRuntime = "", ""
	if d.Verb == VerbExec && d.Kind == Govern {
		if (d.Process != "") == (d.Exec != nil) {
			t.Fatalf("exec has process %q and flags %+v", d.Process, d.Exec)
		}
		if d.Exec != nil {
			if again, err := Parse(d.Argv()); err == nil {
				t.Fatalf("exec without a process document goes on as %q", again.Argv())
			}
			d.Process, d.Exec = "/proc/self/fd/9", nil
		}
	}
	argv := d.Argv()
	again, err := Parse(argv)
	if err != nil {
		t.Fatalf("%q does not parse again: %v", argv, err)
	}
	if d.Kind == Passthrough {
		// The capacity of raw aside, equal.
		if !slices.Equal(again.raw, d.raw) {
			t.Fatalf("raw %q became %q", d.raw, again.raw)
		}
		d.raw, again.raw = nil, nil
	}
	if !reflect.DeepEqual(again, &d) {
		t.Fatalf("%q is read again as\n%+v, not\n%+v", argv, again, &d)
	}
	if d.Kind != Passthrough {
		checkCanonical(t, &d, argv)
	}
}

// checkCanonical checks a re-emitted line with the eyes of a runtime: every flag is
// --name or --name=value in its place, and the id is last.
func checkCanonical(t *testing.T, c *Command, argv []string) {
	t.Helper()
	isFlag := func(w string) bool { return strings.HasPrefix(w, "--") }
	last := len(argv) - 1
	at := slices.IndexFunc(argv, func(w string) bool { return !isFlag(w) })
	if argv[at] != c.Verb || argv[last] != c.ID || at == last {
		t.Fatalf("%q is not flags, verb, flags, id", argv)
	}
	for _, w := range argv[at+1 : last] {
		if !isFlag(w) {
			t.Fatalf("%q has the word %q among the flags", argv, w)
		}
	}
	bundles := 0
	for _, w := range argv {
		name, _, _ := strings.Cut(strings.TrimPrefix(w, "--"), "=")
		if isFlag(w) && slices.Contains(secrets, name) {
			t.Fatalf("%q has --%s", argv, name)
		}
		if isFlag(w) && name == "bundle" {
			bundles++
		}
	}
	want := 1
	if c.Verb == VerbExec || c.Verb == VerbStart {
		want = 0
	}
	if bundles != want {
		t.Fatalf("%q has %d bundles, not %d", argv, bundles, want)
	}
}

// FuzzParse wants no panic, and the invariants of every line that is accepted. Words
// are separated by new lines.
func FuzzParse(f *testing.F) {
	for _, row := range engineLines {
		f.Add(strings.Join(strings.Fields(row.line), "\n"))
	}
	for _, line := range []string{
		"--nonroot-config /c --nonroot-runtime=/r create -b /b --no-new-keyring c",
		"run c --bundle=/b --config /f", "exec -u 0 -g 0 --cap X -e A=b --cwd / -t c sh -c id", "exec --process /f -t c x",
		"--log run create c", "-- create -- c", "exec c -- sh", "run -db /b c", "run --help c", "-v", "--unknown=x kill c",
		"restore --empty-ns a --empty-ns b --keep c", "kill --root /r c", "create --preserve-fds 3 --preserve-fds=4 c",
	} {
		f.Add(strings.ReplaceAll(line, " ", "\n"))
	}
	f.Fuzz(func(t *testing.T, line string) {
		c, err := Parse(strings.Split(line, "\n"))
		if c == nil {
			t.Fatal("no command")
		}
		if err == nil {
			checkInvariants(t, c)
			checkGovernedNeverPasses(t, c)
		}
	})
}

// checkGovernedNeverPasses wants a Passthrough to have no governed verb, but with --help alone.
func checkGovernedNeverPasses(t *testing.T, c *Command) {
	t.Helper()
	v := findVerb(c.Verb)
	if c.Kind != Passthrough || v == nil || v.kind == Passthrough {
		return
	}
	argv := c.Argv()
	if len(argv) < 2 || argv[len(argv)-1] != "--help" || argv[len(argv)-2] != c.Verb {
		t.Fatalf("%q goes on ungoverned", argv)
	}
}

func BenchmarkParse(b *testing.B) {
	args := strings.Fields(engineLines[1].line)
	b.ReportAllocs()
	for b.Loop() {
		c, err := Parse(args)
		if err != nil {
			b.Fatal(err)
		}
		_ = c.Argv()
	}
}

func Example() {
	c, err := Parse([]string{"--root", "/run/runc", "create", "c1", "-b", "/bundle", "--no-new-keyring"})
	fmt.Println(c.Argv(), err)
	// Output: [--root=/run/runc create --bundle=/bundle c1] <nil>
}
