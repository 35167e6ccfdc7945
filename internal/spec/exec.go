// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/nonroot-runc/nonroot-runc/internal/quote"
)

// Flags are what exec's command line changes in the container's own process; "" and nil leave it unchanged.
type Flags struct {
	Args         []string
	Env          []string // appended
	Cwd          string
	Terminal     bool // always counts: without the flag there is no terminal
	Apparmor     string
	ProcessLabel string
	User         *User // nil: the container's
}

// Apply makes the process that runc makes from exec's flags (runc, exec.go, getProcess), so that no flag has to reach
// the runtime. Flags for capabilities are left out: a process has none.
func (d *Document) Apply(f Flags) error {
	p := d.process
	for _, s := range slices.Concat(f.Args, f.Env, []string{f.Cwd}) {
		if !utf8.ValidString(s) {
			return fmt.Errorf("%s is not UTF-8, and config.json can hold nothing else\nhint: pass these bytes in another way", quote.Value(s))
		}
	}
	p.set("args", stringsLeaf(f.Args))
	if f.Terminal {
		p.set("terminal", trueLeaf())
	} else {
		p.drop(func(m member) bool { return m.name == "terminal" || m.name == "consoleSize" })
	}
	if len(f.Env) > 0 {
		env, err := p.get("env").strings("process.env")
		if err != nil {
			return err
		}
		p.set("env", stringsLeaf(append(env, f.Env...)))
	}
	for _, s := range []struct{ name, value string }{
		{"cwd", f.Cwd},
		{"apparmorProfile", f.Apparmor},
		{"selinuxLabel", f.ProcessLabel},
	} {
		if s.value != "" {
			p.set(s.name, stringLeaf(s.value))
		}
	}
	if f.User == nil {
		return nil
	}
	user, err := p.childObject("user", "process.user")
	if err != nil {
		return err
	}
	user.set("uid", uintLeaf(uint64(f.User.UID)))
	user.set("gid", uintLeaf(uint64(f.User.GID)))
	user.set("additionalGids", uintsLeaf(f.User.Groups))
	return nil
}
