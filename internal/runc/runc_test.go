// SPDX-License-Identifier: Apache-2.0

package runc

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/nonroot-runc/nonroot-runc/internal/idmap"
	"github.com/nonroot-runc/nonroot-runc/internal/proc"
	"github.com/nonroot-runc/nonroot-runc/internal/testkit"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

var (
	host   = idmap.Pair{UID: idmap.Map{{Inside: 0, Outside: 0, Size: 1<<32 - 1}}, GID: idmap.Map{{Inside: 0, Outside: 0, Size: 1<<32 - 1}}}
	owners = trusted.CallersOwners(host.UID)
)

func put(t *testing.T, file, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

func TestReadState(t *testing.T) {
	for _, test := range []struct {
		name, file, text string
		want             State
		fails            string
	}{
		{
			"runc", "state.json",
			`{"id":"c","init_process_pid":42,"init_process_start":777,"config":{"rootfs":"/r","labels":["a=b","bundle=/run/b"],"x":{"labels":["bundle=/no"]}},"labels":["bundle=/no"]}`,
			State{Runc, "/run/b", 42, 777},
			"",
		},
		{"D6 an annotation named bundle", "state.json", `{"config":{"labels":["bundle=/evil","bundle=/evil=x","bundle=/run/b"]}}`, State{Runc, "/run/b", 0, 0}, ""},
		{"runc without labels", "state.json", `{"config":{}}`, State{}, "absolute path"},
		{"runc with a relative bundle", "state.json", `{"config":{"labels":["bundle=b"]}}`, State{}, "absolute path"},
		{"runc, labels of another type", "state.json", `{"config":{"labels":[1]}}`, State{}, "not a string"},
		{"runc, a pid that is none", "state.json", `{"init_process_pid":-1}`, State{}, "whole number"},
		{"runc, cut off", "state.json", `{"config":{"labels":["bundle=/b"`, State{}, "too early"},
		{"runc, no object", "state.json", `[]`, State{}, "object"},
		{"crun", "status", `{"pid":42,"process-start-time":777,"bundle":"/run/b","rootfs":"/r"}`, State{Crun, "/run/b", 42, 777}, ""},
		{"crun without a bundle", "status", `{"pid":42}`, State{}, "absolute path"},
		{"none", "other", `{}`, State{}, ErrNoState.Error()},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := t.TempDir()
			put(t, filepath.Join(root, "c", test.file), test.text)
			got, err := ReadState(root, true, "c", owners)
			if test.fails != "" {
				if err == nil || !strings.Contains(err.Error(), test.fails) {
					t.Errorf("got %+v, %v, want an error with %q", got, err, test.fails)
				}
				return
			}
			if err != nil || *got != test.want {
				t.Errorf("got %+v, %v, want %+v", got, err, test.want)
			}
		})
	}
}

func TestReadStateOfTwoRuntimes(t *testing.T) {
	root := t.TempDir()
	put(t, root+"/c/state.json", `{"config":{"labels":["bundle=/b"]}}`)
	put(t, root+"/c/status", `{"bundle":"/b"}`)
	if s, err := ReadState(root, true, "c", owners); err == nil {
		t.Errorf("a container of both runtimes gives %+v", s)
	}
	link := t.TempDir()
	if err := os.Symlink(root+"/c", link+"/c"); err != nil {
		t.Fatal(err)
	}
	if s, err := ReadState(link, true, "c", owners); err == nil {
		t.Errorf("through a link: %+v", s)
	}
	open := t.TempDir()
	put(t, open+"/c/state.json", `{"config":{"labels":["bundle=/b"]}}`)
	if s, err := ReadState(open, true, "c", owners); err != nil {
		t.Errorf("%+v, %v", s, err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	if s, err := ReadState(open, true, "c", owners); err == nil {
		t.Errorf("below a directory that everybody can write: %+v", s)
	}
	if err := os.Chmod(root+"/c/status", 0o666); err != nil {
		t.Fatal(err)
	}
	if s, err := ReadState(root, true, "c", owners); err == nil {
		t.Errorf("with a status file that everybody can write: %+v", s)
	}
}

func TestDefaultRoots(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", "")
	if r, c := defaultRoots(); r != "/run/runc" || c != "/run/crun" {
		t.Errorf("got %s, %s", r, c)
	}
	t.Setenv("XDG_RUNTIME_DIR", "/run/user/0")
	if r, c := defaultRoots(); os.Geteuid() == 0 && !inUserNamespace() && (r != "/run/runc" || c != "/run/user/0/crun") {
		t.Errorf("got %s, %s", r, c)
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir+"/runc", "#!/bin/sh\n")
	put(t, dir+"/plain", "x")
	if err := errors.Join(os.Chmod(dir+"/runc", 0o755), os.Symlink(self, dir+"/link"), os.Mkdir(dir+"/directory", 0o755), os.Symlink("runc", dir+"/good")); err != nil {
		t.Fatal(err)
	}
	testkit.Must(t, testkit.CopyFile(self, dir+"/copy"))
	put(t, dir+"/theirs", "#!/bin/sh\n")
	put(t, dir+"/open", "#!/bin/sh\n")
	if err := errors.Join(os.Chmod(dir+"/theirs", 0o755), os.Chown(dir+"/theirs", 1000, 1000), os.Chmod(dir+"/open", 0o775)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Mkdir(dir+"/wide", 0o755), os.Chmod(dir+"/wide", 0o777), os.Symlink(dir, dir+"/theirlink"), os.Lchown(dir+"/theirlink", 1000, 1000)); err != nil {
		t.Fatal(err)
	}
	testkit.Must(t, testkit.CopyFile(dir+"/runc", dir+"/wide/runc"))
	put(t, dir+"/guard.distrib", "#!/bin/sh\n")
	put(t, dir+"/guard-open.distrib", "#!/bin/sh\n")
	put(t, dir+"/runc.distrib", "#!/bin/sh\n")
	if err := errors.Join(
		os.Link(dir+"/copy", dir+"/hard"),
		os.Symlink(self, dir+"/guard"), os.Chmod(dir+"/guard.distrib", 0o755),
		os.Symlink(self, dir+"/guard-open"), os.Chmod(dir+"/guard-open.distrib", 0o777),
		os.Symlink(self, dir+"/twice"), os.Symlink(self, dir+"/twice.distrib"),
		os.Chmod(dir+"/runc.distrib", 0o755),
	); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir) // not asked
	for _, test := range []struct {
		candidates []string
		want       string
		fails      string
	}{
		{[]string{dir + "/runc"}, dir + "/runc", ""},
		{[]string{dir + "/good"}, dir + "/good", ""},
		{[]string{dir + "/none", dir + "/plain", dir + "/directory", dir + "/runc"}, dir + "/runc", ""},
		{[]string{dir + "/link"}, "", "itself"},
		{[]string{dir + "/copy"}, "", "itself"},
		{[]string{dir + "/hard"}, "", "itself"},
		{[]string{dir + "/guard"}, dir + "/guard.distrib", ""},
		{[]string{dir + "/guard-open"}, "", "itself"},
		{[]string{dir + "/twice"}, "", "itself"},
		{[]string{"no-such-runtime", dir + "/plain"}, "", "not an executable file"},
		{[]string{dir + "/theirs"}, "", "changed by others"},
		{[]string{dir + "/open"}, "", "changed by others"},
		{[]string{dir + "/wide/runc"}, "", "can be written by others (mode 0777)"},
		{[]string{dir + "/wide/../runc"}, "", "can be written by others (mode 0777)"},
		{[]string{dir + "/theirlink/runc"}, "", "belongs to uid 1000"},
		{[]string{"plain"}, "", "install runc or crun"},
		{[]string{"sh"}, "/usr/bin/sh", ""},
	} {
		got, err := Find(test.candidates, owners)
		if got != test.want || test.fails != "" && (err == nil || !strings.Contains(err.Error(), test.fails)) || test.fails == "" && err != nil {
			t.Errorf("%q gives %q, %v; want %q %s", test.candidates, got, err, test.want, test.fails)
		}
	}
}

const status = "Name:\tx\nUid:\t100\t101\t102\t103\nGid:\t200\t201\t202\t203\nGroups:\t300 301 \nCapInh:\t0000000000000001\nCapPrm:\t0000000000000002\n" +
	"CapEff:\t0000000000000003\nCapBnd:\t000001ffffffffff\nCapAmb:\t0000000000000004\nNoNewPrivs:\t1\nSeccomp:\t2\n"

func TestParseStatus(t *testing.T) {
	c, err := parseStatus([]byte(status), nil, host)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(c.UIDs, []uint32{100, 101, 102, 103}) || !slices.Equal(c.HostUIDs, c.UIDs) || !slices.Equal(c.GIDs, []uint32{200, 201, 202, 203}) ||
		!slices.Equal(c.Groups, []uint32{300, 301}) || c.Inheritable != 1 || c.Permitted != 2 || c.Effective != 3 || c.Bounding != 1<<41-1 || c.Ambient != 4 || !c.NoNewPrivs {
		t.Errorf("got %+v", c)
	}
	maps := idmap.Pair{UID: idmap.Map{{Inside: 0, Outside: 100, Size: 3}}, GID: idmap.Map{{Inside: 7, Outside: 200, Size: 200}}}
	rootless := idmap.Pair{UID: idmap.Map{{Inside: 100, Outside: 5000, Size: 10}}, GID: idmap.Map{{Inside: 200, Outside: 0, Size: 1}}}
	c, err = parseStatus([]byte(status), &maps, rootless)
	if err != nil || !slices.Equal(c.UIDs, []uint32{0, 1, 2, 65534}) || !slices.Equal(c.HostUIDs, []uint32{5000, 5001, 5002, 5003}) ||
		!slices.Equal(c.GIDs, []uint32{7, 8, 9, 10}) || !slices.Equal(c.HostGIDs, []uint32{0, 65534, 65534, 65534}) || !slices.Equal(c.Groups, []uint32{107, 108}) {
		t.Errorf("translated: %+v, %v", c, err)
	}
	for line := range strings.Lines(status) {
		if strings.HasPrefix(line, "Name") || strings.HasPrefix(line, "Seccomp") {
			continue
		}
		if c, err := parseStatus([]byte(strings.Replace(status, line, "", 1)), nil, host); err == nil {
			t.Errorf("without %q: %+v", line, c)
		}
	}
	if c, err := parseStatus([]byte(strings.Replace(status, "\t100", "\tx", 1)), nil, host); err == nil {
		t.Errorf("with nonsense: %+v", c)
	}
}

// TestInitCredentials looks at a real process, and at one whose pid was given to another.
func TestInitCredentials(t *testing.T) {
	cmd := exec.Command("cat")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 12345, Gid: 12346, Groups: []uint32{12347}}}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	start, err := proc.StartTime(strconv.Itoa(cmd.Process.Pid))
	if err != nil || start == 0 {
		t.Fatal(start, err)
	}
	s := State{Pid: cmd.Process.Pid, Start: start}
	c, err := s.InitCredentials()
	if err != nil || c.UIDs[0] != 12345 || c.GIDs[3] != 12346 || !slices.Equal(c.Groups, []uint32{12347}) || c.NoNewPrivs {
		t.Errorf("got %+v, %v", c, err)
	}
	s.Start--
	if c, err := s.InitCredentials(); err == nil {
		t.Errorf("another process of that pid: %+v", c)
	}
	if err := errors.Join(in.Close(), cmd.Wait()); err != nil {
		t.Fatal(err)
	}
	for _, s := range []State{{Pid: cmd.Process.Pid, Start: start}, {}} {
		if c, err := s.InitCredentials(); err == nil {
			t.Errorf("no process: %+v", c)
		}
	}
}
