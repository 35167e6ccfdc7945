// SPDX-License-Identifier: Apache-2.0

package adopt

import (
	"strings"
	"testing"

	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

// TestWhose: all that asked for root have to agree.
func TestWhose(t *testing.T) {
	was := func(name string, uid, gid uint32, source decision.Source) User {
		return User{name, policy.LastStart{Identity: policy.Identity{UID: uid, GID: gid}, Source: source}, true}
	}
	one, again := was("one", 70, 71, decision.Image), was("again", 70, 71, decision.Volume)
	for name, test := range map[string]struct {
		users []User
		want  ID
		fails string
	}{
		"none":                               {nil, ID{}, "no container of Docker's or Podman's that mounts it is known"},
		"one":                                {[]User{one}, ID{UID: 70, GID: 71}, ""},
		"two who agree":                      {[]User{one, again}, ID{UID: 70, GID: 71}, ""},
		"one, and one by his own wish":       {[]User{was("db", 5, 5, decision.Kept), one}, ID{}, `"db" asks for 5:5 itself, "one" is 70:71`},
		"one, and the same by his own wish":  {[]User{was("db", 70, 5, decision.Kept), one}, ID{UID: 70, GID: 71}, ""},
		"one, and one of whom nobody knows":  {[]User{{Name: "new"}, one}, ID{}, `"new" has not been started`},
		"who says it itself, by its command": {[]User{was("sly", 5000, 5000, decision.Prepared)}, ID{}, `"sly" chose to be 5000:5000`},
		"by whose processes it joins":        {[]User{was("sly", 5000, 5000, decision.Joined)}, ID{}, `"sly" chose to be 5000:5000`},
		"by its request":                     {[]User{was("sly", 5000, 5000, decision.Requested)}, ID{}, `"sly" chose to be 5000:5000`},
		"by another volume":                  {[]User{was("sly", 5000, 5000, decision.Volume)}, ID{}, `"sly" chose to be 5000:5000`},
		"one, and who chose otherwise":       {[]User{one, was("sly", 5000, 5000, decision.Prepared)}, ID{}, `"sly" chose to be 5000:5000`},
		"one, and who chose the same":        {[]User{one, was("step", 70, 71, decision.Prepared)}, ID{UID: 70, GID: 71}, ""},
		"one by his own wish":                {[]User{was("db", 5, 6, decision.Kept)}, ID{}, `"db" asks for 5:6 itself`},
		"one of whom nobody knows":           {[]User{{Name: "new"}}, ID{}, `"new" has not been started`},
		"an image's, and the policy's":       {[]User{was("job", 65532, 65532, decision.Fixed), one}, ID{}, "with --user 70:71, who it is by an image"},
		"two images', and the policy's":      {[]User{was("job", 65532, 65532, decision.Fixed), one, was("two", 72, 71, decision.Image)}, ID{}, "as nonroot-ctl explain CONTAINER shows it"},
		"of whom nobody knows, an image's":   {[]User{{Name: "new"}, one}, ID{}, "as nonroot-ctl explain CONTAINER shows it"},
		"two uids":                           {[]User{one, was("two", 72, 71, decision.Image)}, ID{}, `"one" is 70:71, "two" is 72:71`},
		"two gids":                           {[]User{one, was("two", 70, 72, decision.Image)}, ID{}, `"one" is 70:71, "two" is 70:72`},
		"two, the last of which agrees":      {[]User{one, was("two", 72, 72, decision.Image), one}, ID{}, `"two" is 72:72`},
	} {
		id, err := Whose("/v", test.users)
		if id != test.want || (err == nil) != (test.fails == "") || err != nil && !strings.Contains(err.Error(), test.fails) {
			t.Errorf("%s: %+v, %v", name, id, err)
		}
	}
}

// TestByPrefix: the beginning of an anonymous volume's name.
func TestByPrefix(t *testing.T) {
	dir := func(name string) string { return "/v/" + name + "/_data" }
	a, b := dir(strings.Repeat("a", 64)), dir(strings.Repeat("a", 20)+strings.Repeat("b", 44))
	all := []string{a, b, dir(strings.Repeat("c", 20))}
	for prefix, want := range map[string]int{
		strings.Repeat("a", 12): 2, strings.Repeat("a", 21): 1, strings.Repeat("a", 20) + "b": 1, strings.Repeat("a", 11): 0,
		strings.Repeat("c", 12): 0, "A" + strings.Repeat("a", 12): 0, "": 0,
	} {
		if got := byPrefix(prefix, all); len(got) != want {
			t.Errorf("%q: %q", prefix, got)
		}
	}
	if err := several("aa", all[:2]); !strings.Contains(err.Error(), "2 volumes begin with \"aa\"\nhint: ") {
		t.Error(err)
	}
}
