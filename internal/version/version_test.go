// SPDX-License-Identifier: Apache-2.0

package version

import "testing"

func TestFind(t *testing.T) {
	for name, c := range map[string]struct {
		program string
		want    Info
		ok      bool
	}{
		"nothing":       {"\x7fELF", Info{}, false},
		"the mark only": {"x" + mark, Info{}, false},
		"cut":           {mark + "v1.2.3|abc", Info{}, false},
		"a stamp":       {"\x00" + mark + "v1.2.3-4-gabc-dirty|0123abcd-dirty|\x00", Info{Version: "v1.2.3-4-gabc-dirty", Commit: "0123abcd-dirty"}, true},
		"no commit":     {mark + "devel||", Info{Version: "devel"}, true},
		"the source's":  {mark + "devel||\x00" + mark + "v2|ff|", Info{Version: "v2", Commit: "ff"}, true},
		"after another": {mark + "some text | in between |" + mark + "v2|ff|", Info{Version: "v2", Commit: "ff"}, true},
		"control":       {mark + "v1\x1b[31m|ff|", Info{}, false},
	} {
		if got, ok := Find([]byte(c.program)); got != c.want || ok != c.ok {
			t.Errorf("%s: %+v, %v", name, got, ok)
		}
	}
	if Short() == "" || Get().Version != Short() || Get().Go == "" {
		t.Errorf("%+v", Get())
	}
}
