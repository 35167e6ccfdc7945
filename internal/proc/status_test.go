// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"os"
	"slices"
	"strings"
	"testing"
)

const status = `Name:	a: b
State:	S (sleeping)
PPid:	12
Uid:	100	101	102	103
Gid:	200	201	202	203
Groups:	300 301 
NSpid:	4000	40	1
CapInh:	0000000000000001
CapPrm:	0000000000000002
CapEff:	0000000000000003
CapBnd:	000001ffffffffff
CapAmb:	0000000000000004
NoNewPrivs:	1
Seccomp:	2
`

func TestParseStatus(t *testing.T) {
	s, err := ParseStatus([]byte(status))
	if err != nil {
		t.Fatal(err)
	}
	if s.Name != "a: b" || s.State != "S (sleeping)" || s.Parent != 12 || s.Inner != 1 || !slices.Equal(s.UIDs, []uint32{100, 101, 102, 103}) ||
		!slices.Equal(s.GIDs, []uint32{200, 201, 202, 203}) || !slices.Equal(s.Groups, []uint32{300, 301}) || s.Inheritable != 1 ||
		s.Permitted != 2 || s.Effective != 3 || s.Bounding != 1<<41-1 || s.Ambient != 4 || !s.NoNewPrivs || !s.Credentials {
		t.Errorf("%+v", s)
	}
	for line := range strings.Lines(status) {
		key, _, _ := strings.Cut(line, ":")
		harmless := slices.Contains([]string{"Name", "State", "PPid", "NSpid", "Seccomp"}, key)
		if s, err := ParseStatus([]byte(strings.Replace(status, line, "", 1))); err != nil || s.Credentials != harmless {
			t.Errorf("without %s: %+v, %v", key, s, err)
		}
		text := key == "Name" || key == "State" || key == "Seccomp" || key == "NoNewPrivs"
		if s, err := ParseStatus([]byte(strings.Replace(status, line, key+":\t-1\n", 1))); err == nil && !text && key != "PPid" && key != "NSpid" {
			t.Errorf("%s of -1: %+v", key, s)
		}
		if s, err := ParseStatus([]byte(strings.Replace(status, line, key+":\tx\n", 1))); err == nil != text {
			t.Errorf("%s of x: %+v, %v", key, s, err)
		}
	}
	if s, err := ParseStatus([]byte(strings.Replace(status, "\t103", "", 1))); err != nil || s.Credentials {
		t.Errorf("three uids: %+v, %v", s, err)
	}
}

// TestOwnStatus parses the kernel's own text.
func TestOwnStatus(t *testing.T) {
	text, err := Read("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	s, err := ParseStatus(text)
	if err != nil || !s.Credentials || s.Inner != os.Getpid() || s.Parent != os.Getppid() || int(s.UIDs[1]) != os.Geteuid() {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestCgroupPaths(t *testing.T) {
	got := CgroupPaths([]byte("12:cpu,cpuacct:/docker/a:b\n1:name=systemd:/x\n0::/\nnonsense\n"))
	if want := []string{"/docker/a:b", "/x", "/"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
