// SPDX-License-Identifier: Apache-2.0

package trial

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"github.com/nonroot-runc/nonroot-runc/internal/accounts"
	"github.com/nonroot-runc/nonroot-runc/internal/host"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

// Suite is a file of expectations (policy_test.toml), so that a policy can live in git with its tests.
type Suite struct {
	Policy string `toml:"policy"` // the policy's file, relative to this one's directory; "": named elsewhere
	Tests  []Test `toml:"test"`

	// In place of the machine's, so that the expectations hold on any machine: lines of the host's /etc/group, devices with the gids that
	// own them, and lines of the policy's users_file and groups_file.
	HostGroups []string          `toml:"host_groups"`
	Devices    map[string]uint32 `toml:"devices"`
	Users      []string          `toml:"users"`
	Groups     []string          `toml:"groups"`
}

// World returns the machine's world, except for what the file describes.
func (s *Suite) World(machine World) World {
	w := machine
	if s.HostGroups != nil {
		w.Groups = host.ParseGroups(lines(s.HostGroups))
	}
	if s.Devices != nil {
		w.Device = func(path string) (uint32, bool) {
			gid, ok := s.Devices[path]
			return gid, ok
		}
	}
	if s.Users != nil {
		w.People = func(p *policy.Policy) *policy.People {
			if p.Lists() == nil {
				return nil
			}
			return &policy.People{Accounts: accounts.Files{Passwd: lines(s.Users), Group: lines(s.Groups)}}
		}
	}
	return w
}

// Test is an expectation.
type Test struct {
	Name      string    `toml:"name"`
	Date      any       `toml:"date"` // the day of the decision; none: today
	Container Container `toml:"container"`
	Expect    Expect    `toml:"expect"`
}

// Expect lists what the decision has to be. Members that are not set may have any value.
type Expect struct {
	Rule    *string   `toml:"rule"`
	Mode    *string   `toml:"mode"`
	UID     *uint32   `toml:"uid"`
	GID     *uint32   `toml:"gid"`
	Groups  *[]uint32 `toml:"groups"`
	Source  *string   `toml:"source"`
	Name    *string   `toml:"name"`
	Reason  *string   `toml:"reason"`  // a part of it
	Audited *string   `toml:"audited"` // a part of it; "" for nothing at all
}

// ParseSuite parses a file of expectations. A file without any is refused, because it could not fail.
func ParseSuite(name string, data []byte) (*Suite, error) {
	var s Suite
	d := toml.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		var unknown *toml.StrictMissingError
		if errors.As(err, &unknown) {
			row, col := unknown.Errors[0].Position()
			return nil, fmt.Errorf("%s:%d:%d: unknown key %q", name, row, col, strings.Join(unknown.Errors[0].Key(), "."))
		}
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(s.Tests) == 0 {
		return nil, fmt.Errorf("%s: there is no [[test]] in it", name)
	}
	for i := range s.Tests {
		t := &s.Tests[i]
		if t.Name == "" {
			return nil, fmt.Errorf("%s: test %d has no name", name, i+1)
		}
		if t.Expect == (Expect{}) {
			return nil, fmt.Errorf("%s: test %q has no expectations", name, t.Name)
		}
		if _, err := t.when(time.Time{}); err != nil {
			return nil, fmt.Errorf("%s: test %q: %w", name, t.Name, err)
		}
	}
	return &s, nil
}

func (t *Test) when(now time.Time) (time.Time, error) {
	if t.Date == nil {
		return now, nil
	}
	day, err := time.Parse(time.DateOnly, fmt.Sprint(t.Date))
	if err != nil {
		return day, fmt.Errorf("%v is not a date such as 2027-01-31", t.Date)
	}
	return day, nil
}

// Run returns the differences from what is expected.
func (t *Test) Run(p *policy.Policy, w World, now time.Time) ([]string, error) {
	when, err := t.when(now)
	if err != nil {
		return nil, err
	}
	r, err := t.Container.Run(p, w, when)
	if err != nil {
		return nil, err
	}
	var wrong []string
	differs := func(what string, got, want any) {
		wrong = append(wrong, fmt.Sprintf("%s is %q, not %q", what, fmt.Sprint(got), fmt.Sprint(want)))
	}
	e := &t.Expect
	text := func(what, got string, want *string, same func(string, string) bool) {
		if want != nil && !same(got, *want) {
			differs(what, got, *want)
		}
	}
	equal := func(a, b string) bool { return a == b }
	text("rule", r.Rule, e.Rule, equal)
	text("mode", string(r.Mode), e.Mode, equal)
	text("source", string(r.Source), e.Source, equal)
	text("name", r.Person, e.Name, equal)
	text("reason", r.Reason, e.Reason, strings.Contains)
	text("audited", r.Audited, e.Audited, func(got, want string) bool { return strings.Contains(got, want) && (want != "" || got == "") })
	id := r.Identity
	if id == nil {
		id = &policy.Identity{} // refused
	}
	if e.UID != nil && id.UID != *e.UID {
		differs("uid", id.UID, *e.UID)
	}
	if e.GID != nil && id.GID != *e.GID {
		differs("gid", id.GID, *e.GID)
	}
	if e.Groups != nil && !slices.Equal(id.Groups, *e.Groups) {
		differs("groups", id.Groups, *e.Groups)
	}
	return wrong, nil
}
