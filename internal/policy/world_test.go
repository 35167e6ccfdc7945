// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/nonroot-runc/nonroot-runc/internal/accounts"
	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/idmap"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

// hostGroups returns a host on which 999 is docker's, 42 shadow's, and 4000 a plain group's. The file has no
// duplicates.
func hostGroups() *HostGroups {
	return &HostGroups{Groups: []HostGroup{
		{"root", 0}, {"disk", 6}, {"shadow", 42}, {"docker", 999}, {"plain", 4000}, {"render", 105},
	}}
}

var (
	host  = idmap.Pair{UID: idmap.Map{{Inside: 0, Outside: 0, Size: 1<<32 - 1}}, GID: idmap.Map{{Inside: 0, Outside: 0, Size: 1<<32 - 1}}}
	image = &accounts.Files{
		Passwd: []byte("root:x:0:0::/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\ndisk:x:1002:6::/:/bin/sh\ntoor:x:0:0::/:/bin/sh\n"),
		Group:  []byte("root:x:0:\nworkers:x:5000:\ndisk:x:6:\n"),
	}
)

// world is a container's surroundings, from which facts are gathered when a decision asks for them, as in the runtime.
type world struct {
	Facts

	Exec    bool
	Created *Identity // an exec's container, by its record
	By      Source

	BuiltFor    func() accounts.Intended
	Owned       []Identity // of volumes in which something was written
	Empty       []Identity // of the others
	Other       Neighbour
	Prepare     Identity
	Started     *LastStart
	Memberships func(user string) []uint32
	Apart       func() bool
	People      func() (*accounts.Files, error)
	Shared      func() string
	Device      func(path string) (gid uint32, ok bool)
	Devices     []string
	Nodes       []Device
	Assign      func(first, last, step ID, owner string) (ID, error)
}

func facts(user spec.User) *world {
	return &world{Facts: Facts{
		ID: "c", User: user, Cwd: "/", Accounts: image, HostGroups: hostGroups(), Own: host,
		Container: &spec.Container{Namespaces: []spec.Namespace{{Type: "pid"}, {Type: "mount"}}},
	}}
}

// decideIn decides until no fact is missing.
func (p *Policy) decideIn(w *world) Decision {
	f := w.Facts
	if w.Exec {
		f.Act = Exec
	}
	if w.Created != nil {
		f.Record = &Decision{Mode: Rewrite, Identity: w.Created, Source: w.By}
	}
	if w.People != nil && p.UsersFile == "" {
		q := *p
		q.UsersFile, p = "/users", &q
	}
	for range 20 {
		d := p.Decide(&f)
		if !d.Missing.Any() {
			return d
		}
		w.gather(&f, d.Missing)
	}
	panic("a decision asks for ever more")
}

func (w *world) gather(f *Facts, m decision.Missing) {
	if m.HostGroups {
		f.HostGroups = &HostGroups{}
	}
	if m.Accounts {
		f.Accounts = &accounts.Files{}
	}
	if m.Intended {
		f.Intended = &accounts.Intended{}
		if w.BuiltFor != nil {
			*f.Intended = w.BuiltFor()
		}
		w.members(f)
	}
	if m.Joined {
		f.Neighbour = &w.Other
	}
	if m.Prepared {
		f.Prepares = &w.Prepare
	}
	if m.Volumes {
		f.Volumes, f.Last = []OwnedVolume{}, w.Started
		for _, owner := range w.Owned {
			f.Volumes = append(f.Volumes, OwnedVolume{Identity: owner, Source: "/volumes/of" + strconv.FormatUint(uint64(owner.UID), 10)})
		}
		for _, owner := range w.Empty {
			f.Volumes = append(f.Volumes, OwnedVolume{Identity: owner, Source: "/volumes/empty", Empty: true})
		}
	}
	if m.Isolated {
		isolated := w.Apart != nil && w.Apart()
		f.Isolated = &isolated
	}
	if m.People {
		f.People = &People{}
		if w.People != nil {
			list, err := w.People()
			f.People.Fault = err
			if err == nil {
				f.People.Accounts = *list
			}
		}
	}
	if m.Project {
		name := ""
		if w.Shared != nil {
			name = w.Shared()
		}
		f.Project = &name
	}
	if m.DeviceGroups {
		f.Devices = append([]Device{}, w.Nodes...)
		for _, path := range w.Devices {
			gid, ok := w.Device(path)
			f.Devices = append(f.Devices, Device{Path: path, GID: gid, Known: ok})
		}
	}
	if l := m.Lease; l != nil {
		id, err := w.Assign(ID(l.First), ID(l.Last), ID(l.Step), l.Owner)
		e := Foreseen{*l, err}
		e.ID = uint32(id)
		f.Leases = append(f.Leases, e)
	}
}

// members writes the groups of the image's service users.
func (w *world) members(f *Facts) {
	if w.Memberships == nil {
		return
	}
	f.OwnGroup = true
	text := slices.Clone(f.Accounts.Group)
	for _, u := range f.Intended.Users {
		for _, gid := range w.Memberships(u.Name) {
			text = fmt.Appendf(text, "m%d:x:%d:%s\n", gid, gid, u.Name)
		}
	}
	f.Accounts = &accounts.Files{Passwd: f.Accounts.Passwd, Group: text}
}

// TestFactsAreData: no fact is a function that calls back into its source.
func TestFactsAreData(t *testing.T) {
	seen := map[reflect.Type]bool{}
	var look func(path string, typ reflect.Type)
	look = func(path string, typ reflect.Type) {
		if seen[typ] {
			return
		}
		seen[typ] = true
		switch typ.Kind() {
		case reflect.Func, reflect.Chan, reflect.UnsafePointer:
			t.Errorf("%s is a %s", path, typ)
		case reflect.Interface:
			if typ != reflect.TypeFor[error]() {
				t.Errorf("%s is a %s", path, typ)
			}
		case reflect.Pointer, reflect.Slice, reflect.Array:
			look(path, typ.Elem())
		case reflect.Map:
			look(path, typ.Key())
			look(path, typ.Elem())
		case reflect.Struct:
			if typ == reflect.TypeFor[time.Time]() {
				return
			}
			for i := range typ.NumField() {
				look(path+"."+typ.Field(i).Name, typ.Field(i).Type)
			}
		}
	}
	look("Facts", reflect.TypeFor[Facts]())
}
