// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"strings"
	"testing"

	"github.com/nonroot-runc/nonroot-runc/internal/runc"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

func TestPromise(t *testing.T) {
	good := func() *runc.Credentials {
		four := func(id uint32) []uint32 { return []uint32{id, id, id, id} }
		return &runc.Credentials{
			UIDs: four(1000), GIDs: four(1001), HostUIDs: four(101000), HostGIDs: four(101001),
			Groups: []uint32{5000}, HostGroups: []uint32{105000}, Bounding: 1<<0 | 1<<5, NoNewPrivs: true,
		}
	}
	known, bounding := &Identity{UID: 1000, GID: 1001, Groups: []uint32{5000}}, []string{"CAP_CHOWN", "kill", "CAP_FUTURE"}
	f := &Facts{Act: Start, HostGroups: &HostGroups{Groups: []HostGroup{{"root", 0}, {"disk", 6}, {"video", 44}, {"people", 1500}}}}
	allows := Default()
	allows.AllowedGIDs = Ranges{{44, 44}}
	for _, test := range []struct {
		name   string
		change func(*runc.Credentials)
		always string // what every process's promises say about it
		known  string // what a known identity says about it
	}{
		{"good", func(*runc.Credentials) {}, "", ""},
		{"one uid is 0", func(c *runc.Credentials) { c.UIDs[2] = 0 }, "uid 0", "uid 0"},
		{"the file system's gid is 0", func(c *runc.Credentials) { c.GIDs[3] = 0 }, "gid 0", "gid 0"},
		{"B7 host root", func(c *runc.Credentials) { c.HostUIDs[0] = 0 }, "uid on the host 0", "uid on the host 0"},
		{"host group root", func(c *runc.Credentials) { c.HostGIDs[0] = 0 }, "gid on the host 0", "gid on the host 0"},
		{"group 0", func(c *runc.Credentials) { c.Groups = []uint32{5000, 0} }, "group 0", "group 0"},
		{"host's group 0", func(c *runc.Credentials) { c.HostGroups[0] = 0 }, "group on the host 0", "group on the host 0"},
		{"permitted", func(c *runc.Credentials) { c.Permitted = 1 }, "permitted", "permitted"},
		{"effective", func(c *runc.Credentials) { c.Effective = 1 }, "effective", "effective"},
		{"inheritable", func(c *runc.Credentials) { c.Inheritable = 1 }, "inheritable", "inheritable"},
		{"ambient", func(c *runc.Credentials) { c.Ambient = 1 }, "ambient", "ambient"},
		{"new privileges", func(c *runc.Credentials) { c.NoNewPrivs = false }, "NoNewPrivs", "NoNewPrivs"},
		{"another uid", func(c *runc.Credentials) { c.UIDs[1] = 7 }, "", "not 1000"},
		{"another gid", func(c *runc.Credentials) { c.GIDs[1] = 7 }, "", "not 1001"},
		{"another group", func(c *runc.Credentials) { c.Groups = []uint32{6} }, "group 6", "group 6"},
		{"its own gid as a group", func(c *runc.Credentials) { c.Groups = []uint32{1001} }, "", ""},
		{"A3: disk as the gid", func(c *runc.Credentials) { c.GIDs, c.HostGIDs = []uint32{6, 6, 6, 6}, []uint32{6, 6, 6, 6} }, "gid 6", "not 1001"},
		{"A3: disk as the file system's gid", func(c *runc.Credentials) { c.GIDs[3], c.HostGIDs[3] = 6, 6 }, "gid 6", "not 1001"},
		{"A3: 6 in the container", func(c *runc.Credentials) { c.GIDs[1] = 6 }, "gid 6 (101001 on the host)", "not 1001"},
		{"A3: 6 on the host", func(c *runc.Credentials) { c.HostGIDs[1] = 6 }, "gid 1001 (6 on the host)", ""},
		{"A3: disk as a group", func(c *runc.Credentials) { c.Groups, c.HostGroups = []uint32{6}, []uint32{6} }, "group 6,", "group 6"},
		{"A3: a system group", func(c *runc.Credentials) { c.Groups, c.HostGroups = []uint32{700}, []uint32{700} }, "group 700,", "group 700"},
		{"A3: people's group", func(c *runc.Credentials) { c.Groups, c.HostGroups = []uint32{1500}, []uint32{1500} }, "group 1500,", "group 1500"},
		{"A3: a group that is 6 on the host", func(c *runc.Credentials) { c.HostGroups[0] = 6 }, "group 5000 (6 on the host)", ""},
		{"an allowed group", func(c *runc.Credentials) { c.Groups, c.HostGroups = []uint32{44}, []uint32{44} }, "", "group 44"},
		{"a person's gid, which is not privileged", func(c *runc.Credentials) {
			c.GIDs, c.HostGIDs = []uint32{1500, 1500, 1500, 1500}, []uint32{1500, 1500, 1500, 1500}
		}, "", "not 1001"},
		{"above what runtimes agree on", func(c *runc.Credentials) { c.Groups[0] = 1 << 31 }, "group 2147483648", "group 2147483648"},
		{"more bounding", func(c *runc.Credentials) { c.Bounding |= 1 << 21 }, "", "bounding"},
		{"less bounding", func(c *runc.Credentials) { c.Bounding = 0 }, "", ""},
	} {
		for _, p := range []struct {
			record *Decision
			want   string
		}{{nil, test.always}, {&Decision{Mode: Rewrite, Identity: known, Bounding: bounding, Rule: "its"}, test.known}} {
			c := good()
			test.change(c)
			f.Record, f.Process = p.record, c
			d := allows.Decide(f)
			if d.Refused() != (p.want != "") || !strings.Contains(d.Reason, p.want) || d.Missing.Any() {
				t.Errorf("%s, %+v: got %+v, want %q", test.name, p.record, d, p.want)
			}
		}
	}
}

// TestRunning: an exec runs as the container's first process, if a process of the container may be that user.
func TestRunning(t *testing.T) {
	four := func(id uint32) []uint32 { return []uint32{id, id, id, id} }
	f := &Facts{Own: facts(spec.User{}).Own, HostGroups: &HostGroups{Groups: []HostGroup{{"disk", 6}}}}
	bounded := Default()
	bounded.AllowedUIDs = Ranges{{5000, 6000}}
	for _, test := range []struct {
		name       string
		p          *Policy
		uids, gids []uint32
		host       []uint32
		want       *Identity
	}{
		{"somebody", Default(), four(1000), four(1001), four(1000), &Identity{UID: 1000, GID: 1001}},
		{"root", Default(), four(0), four(1001), four(0), nil},
		{"half root", Default(), []uint32{1000, 1000, 0, 1000}, four(1001), four(1000), nil},
		{"root on the host", Default(), four(1000), four(1001), []uint32{1000, 0, 1000, 1000}, nil},
		{"of root's group", Default(), four(1000), four(0), four(1000), &Identity{UID: 1000, GID: 65532}},
		{"of disk", Default(), four(1000), four(6), four(1000), &Identity{UID: 1000, GID: 65532}},
		{"above what runtimes agree on", Default(), four(1 << 31), four(1001), four(1 << 31), nil},
		{"outside of the policy's bounds", bounded, four(1000), four(1001), four(1000), nil},
	} {
		got := test.p.running(f.ask(), &runc.Credentials{UIDs: test.uids, GIDs: test.gids, HostUIDs: test.host, HostGIDs: test.gids})
		if (got == nil) != (test.want == nil) || got != nil && (got.UID != test.want.UID || got.GID != test.want.GID) {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
}

func TestMask(t *testing.T) {
	if got := mask([]string{"CAP_CHOWN", "cap_sys_admin", "CHECKPOINT_RESTORE", "CAP_NEW", ""}); got != 1|1<<21|1<<40 {
		t.Errorf("got %#x", got)
	}
	for i, n := range capabilities {
		if n == "" {
			t.Errorf("capability %d has no name", i)
		}
	}
}
