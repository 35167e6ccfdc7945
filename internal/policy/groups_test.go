// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"
	"strings"
	"testing"

	"github.com/nonroot-runc/nonroot-runc/internal/idmap"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

// TestGroupOfADevice: a requested group that owns a requested device stays, unless it is privileged.
func TestGroupOfADevice(t *testing.T) {
	node := func(gid uint32) []Device { return []Device{{Path: "/dev/modem", NodeGID: gid}} }
	shifted := &idmap.Pair{UID: idmap.Map{{Inside: 0, Outside: 100000, Size: 65536}}, GID: idmap.Map{{Inside: 0, Outside: 100000, Size: 20}, {Inside: 20, Outside: 20, Size: 1}, {Inside: 21, Outside: 105, Size: 1}, {Inside: 22, Outside: 100022, Size: 65000}}}
	for _, test := range []struct {
		name    string
		asked   uint32
		devices []Device
		userns  *idmap.Pair
		kept    bool
	}{
		{"of the node", 20, node(20), nil, true},
		{"of the host's node", 20, []Device{{Path: "/dev/ttyUSB0", GID: 20, Known: true}}, nil, true},
		{"of a second one", 20, append(node(5), node(20)...), nil, true},
		{"that the host names", 105, node(105), nil, true},
		{"of no device", 20, nil, nil, false},
		{"of another's device", 20, node(21), nil, false},
		{"of a node that the host does not have", 20, []Device{{Path: "/dev/modem", GID: 20}}, nil, false},
		{"that is privileged", 6, node(6), nil, false},
		{"that may open an engine's socket", 999, node(999), nil, false},
		{"that is root's", 0, node(0), nil, false},
		{"that is above all", 1 << 31, node(1 << 31), nil, false},
		{"of a disk", 20, []Device{{Path: "/dev/sg0", GID: 20, Known: true, NodeGID: 20, Closed: true}}, nil, false},
		{"of a node, in a user namespace that binds the host's", 20, node(20), shifted, false},
		{"of the host's node, in a user namespace that has it", 20, []Device{{Path: "/dev/ttyUSB0", GID: 20, Known: true}}, shifted, true},
		{"by another number", 21, []Device{{Path: "/dev/dri/renderD128", GID: 105, Known: true}}, shifted, true},
		{"by a number that is another's", 105, []Device{{Path: "/dev/dri/renderD128", GID: 105, Known: true}}, shifted, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := facts(spec.User{UID: 1004, GID: 1004, Groups: []uint32{test.asked}})
			f.Nodes, f.UserNamespace = test.devices, test.userns
			d := Default().decideIn(f)
			want := []uint32{test.asked}
			if !test.kept {
				want = nil
			}
			if d.Mode != Rewrite || !slices.Equal(d.Identity.Groups, want) || (len(d.Dropped) == 0) != test.kept {
				t.Errorf("%+v, notes %q", d, d.Notes)
			}
			// As for any other group, a note says why it does not stay; for root's group there is none.
			if noted := strings.Contains(strings.Join(d.Notes, "; "), "is dropped"); noted != (!test.kept && test.asked != 0) {
				t.Errorf("noted %q", d.Notes)
			}
		})
	}
}

// TestGroupOfADeviceInExec: a further process keeps the groups of its container, whoever it runs as.
func TestGroupOfADeviceInExec(t *testing.T) {
	f := facts(spec.User{UID: 1005, GID: 1005, Groups: []uint32{20, 21}})
	f.Exec, f.Created, f.By, f.Nodes = true, &Identity{UID: 1004, GID: 1004, Groups: []uint32{20}}, Kept, []Device{{NodeGID: 21}}
	d := Default().decideIn(f)
	if !slices.Equal(d.Identity.Groups, []uint32{20}) || !slices.Equal(d.Dropped, []uint32{21}) || len(d.Notes) > 0 {
		t.Errorf("%+v", d)
	}
	f.Created = nil
	if d = Default().decideIn(f); len(d.Identity.Groups) > 0 {
		t.Errorf("of a container that is not ours: %+v", d)
	}
}

// TestDroppedGroups: a note says why each requested group is missing, and which line would keep it.
func TestDroppedGroups(t *testing.T) {
	const disk = `group 6 ("disk") is dropped: it is privileged on the host; hint: identity.allowed_gids = [6] keeps it`
	for _, test := range []struct {
		name   string
		groups []uint32
		change func(*Policy, *world)
		notes  []string
	}{
		{"none", []uint32{5000, 1004}, nil, nil},
		{"root's", []uint32{0}, nil, nil},
		{"a privileged one", []uint32{6}, nil, []string{disk}},
		{"one that the host has", []uint32{0, 4000}, nil, []string{`group 4000 ("plain") is dropped: the host has it; hint: identity.allowed_gids = [4000] keeps it`}},
		{"a system's number", []uint32{33}, nil, []string{`group 33 is dropped: its number is one of the system's; hint: identity.allowed_gids = [33] keeps it`}},
		{"one above all", []uint32{1 << 31}, nil, []string{`group 2147483648 is dropped: it is above 2147483647`}},
		{"the policy allows others", []uint32{6}, func(p *Policy, _ *world) {
			p.AllowedGIDs, p.AllowedGroups = Ranges{{7, 7}, {40, 50}}, []string{"render"}
		}, []string{`group 6 ("disk") is dropped: it is privileged on the host; hint: identity.allowed_gids = [7, "40-50", "render", 6] keeps it`}},
		{"the host's can't be read", []uint32{5000}, func(_ *Policy, f *world) { f.HostGroups = &HostGroups{Unreadable: true} }, []string{
			`group 5000 is dropped: the host's groups can't be read; hint: identity.allowed_gids = [5000] keeps it`,
		}},
		{"more than notes tell of", []uint32{6, 33, 34, 35, 36, 37}, nil, []string{
			disk, `group 33 is dropped: its number is one of the system's; hint: identity.allowed_gids = [33] keeps it`,
			`group 34 is dropped: its number is one of the system's; hint: identity.allowed_gids = [34] keeps it`,
			`group 35 is dropped: its number is one of the system's; hint: identity.allowed_gids = [35] keeps it`, "2 more groups are dropped",
		}},
		{"as many", []uint32{33, 34, 35, 36}, nil, []string{
			`group 33 is dropped: its number is one of the system's; hint: identity.allowed_gids = [33] keeps it`,
			`group 34 is dropped: its number is one of the system's; hint: identity.allowed_gids = [34] keeps it`,
			`group 35 is dropped: its number is one of the system's; hint: identity.allowed_gids = [35] keeps it`,
			`group 36 is dropped: its number is one of the system's; hint: identity.allowed_gids = [36] keeps it`,
		}},
		// The engine added it, because the image's user is a member.
		{"the image's", []uint32{6, 33}, func(_ *Policy, f *world) {
			f.User.UID = 1000
			f.Facts.Accounts.Group = append(slices.Clone(f.Facts.Accounts.Group), "web:x:33:app\n"...)
		}, []string{disk}},
		{"not mapped", []uint32{70000}, func(_ *Policy, f *world) {
			m := idmap.Map{{Inside: 0, Outside: 100000, Size: 65536}}
			f.UserNamespace = &idmap.Pair{UID: m, GID: m}
		}, []string{"group 70000 is dropped: the user namespace does not map it"}},
		{"the host's by another number", []uint32{2000}, func(_ *Policy, f *world) {
			f.UserNamespace = &idmap.Pair{UID: idmap.Map{{Inside: 0, Outside: 100000, Size: 65536}}, GID: idmap.Map{{Inside: 0, Outside: 100000, Size: 2000}, {Inside: 2000, Outside: 4000, Size: 1}}}
		}, []string{`group 2000 ("plain") is dropped: the host has it; hint: identity.allowed_gids = [2000, 4000] keeps it`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, f := Default(), facts(spec.User{UID: 1004, GID: 1004, Groups: test.groups})
			own := *image
			f.Facts.Accounts = &own
			if test.change != nil {
				test.change(p, f)
			}
			if d := p.decideIn(f); d.Mode != Rewrite || !slices.Equal(d.Notes, test.notes) {
				t.Errorf("noted %q, want %q (%s)", d.Notes, test.notes, d.Reason)
			}
		})
	}
}

// TestDroppedAsksNothing: if no group is dropped, or only root's, the image is not read for a note; nor is it before
// the host's groups are known.
func TestDroppedAsksNothing(t *testing.T) {
	for _, groups := range [][]uint32{nil, {0}, {5000}} {
		f := facts(spec.User{UID: 1004, GID: 1004, Groups: groups})
		f.Facts.Accounts = nil
		if d := Default().Decide(&f.Facts); d.Missing.Any() {
			t.Errorf("%v: %+v", groups, d.Missing)
		}
	}
	f := facts(spec.User{UID: 1004, GID: 1004, Groups: []uint32{20}})
	f.Facts.Accounts = nil
	if d := Default().Decide(&f.Facts); !d.Missing.DeviceGroups || d.Missing.Accounts {
		t.Errorf("%+v", d.Missing)
	}
	f.HostGroups = nil
	if d := Default().Decide(&f.Facts); !d.Missing.HostGroups || d.Missing.Accounts || d.Missing.DeviceGroups {
		t.Errorf("%+v", d.Missing)
	}
}
