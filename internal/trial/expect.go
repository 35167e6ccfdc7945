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

	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

// Suite is a file of expectations (policy_test.toml), so that a policy can live in git with its tests.
type Suite struct {
	Policy string `toml:"policy"` // the policy's file, relative to this one's folder; "": named elsewhere
	Tests  []Test `toml:"test"`
}

// Test is one expectation.
type Test struct {
	Name      string    `toml:"name"`
	Date      any       `toml:"date"` // the day on which it is decided; none: today
	Container Container `toml:"container"`
	Expect    Expect    `toml:"expect"`
}

// Expect is what must be so. What is not set may be anything.
type Expect struct {
	Rule    *string   `toml:"rule"`
	Mode    *string   `toml:"mode"`
	UID     *uint32   `toml:"uid"`
	GID     *uint32   `toml:"gid"`
	Groups  *[]uint32 `toml:"groups"`
	Source  *string   `toml:"source"`
	Reason  *string   `toml:"reason"`  // a part of it
	Audited *string   `toml:"audited"` // a part of it; "" for nothing at all
}

// ParseSuite reads a file of expectations. One without any is refused: it would always hold.
func ParseSuite(name string, data []byte) (*Suite, error) {
	var s Suite
	d := toml.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		var unknown *toml.StrictMissingError
		if errors.As(err, &unknown) {
			row, col := unknown.Errors[0].Position()
			return nil, fmt.Errorf("%s:%d:%d: nobody knows the key %q", name, row, col, strings.Join(unknown.Errors[0].Key(), "."))
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
			return nil, fmt.Errorf("%s: test %q expects nothing", name, t.Name)
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
		return day, fmt.Errorf("%v is no date such as 2027-01-31", t.Date)
	}
	return day, nil
}

// Run says what is not as expected; nothing: all is.
func (t *Test) Run(p *policy.Policy, groups policy.HostGroups, now time.Time) ([]string, error) {
	when, err := t.when(now)
	if err != nil {
		return nil, err
	}
	r, err := t.Container.Run(p, groups, when)
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
	text("reason", r.Reason, e.Reason, strings.Contains)
	text("audited", r.Audited, e.Audited, func(got, want string) bool { return strings.Contains(got, want) && (want != "" || got == "") })
	if e.UID != nil && r.Identity.UID != *e.UID {
		differs("uid", r.Identity.UID, *e.UID)
	}
	if e.GID != nil && r.Identity.GID != *e.GID {
		differs("gid", r.Identity.GID, *e.GID)
	}
	if e.Groups != nil && !slices.Equal(r.Identity.Groups, *e.Groups) {
		differs("groups", r.Identity.Groups, *e.Groups)
	}
	return wrong, nil
}
