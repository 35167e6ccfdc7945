// SPDX-License-Identifier: Apache-2.0

package dockerfile

import (
	"maps"
	"runtime"
	"slices"
)

// env holds the values of variables. It implements shell.EnvGetter.
type env struct {
	values  map[string]string
	longest int // length of the longest value, in bytes
}

func newEnv() *env { return &env{values: map[string]string{}} }

func (e *env) set(name, value string) {
	e.values[name] = value
	e.longest = max(e.longest, len(value))
}

// Get returns a variable's value.
func (e *env) Get(name string) (string, bool) {
	value, ok := e.values[name]
	return value, ok
}

// Keys returns the names, sorted.
func (e *env) Keys() []string { return slices.Sorted(maps.Keys(e.values)) }

// platform returns the arguments that are set before the first FROM (Dockerfile reference, "Automatic platform ARGs in the
// global scope"), for a build on and for this machine.
func platform(target string) *env {
	e := newEnv()
	for _, side := range []string{"BUILD", "TARGET"} {
		e.set(side+"PLATFORM", "linux/"+runtime.GOARCH)
		e.set(side+"OS", "linux")
		e.set(side+"OSVERSION", "")
		e.set(side+"ARCH", runtime.GOARCH)
		e.set(side+"VARIANT", "")
	}
	e.set("TARGETSTAGE", target)
	return e
}
