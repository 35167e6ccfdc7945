// SPDX-License-Identifier: Apache-2.0

// Package version says which build this is. hack/build sets it; a build by "go build" alone is "devel".
package version

import "runtime"

// Set by the linker (hack/build): constants cannot be. Nothing else assigns them.
var (
	version = "devel"
	commit  = ""
)

// Info is which build this is, as `nonroot-ctl version --json` prints it.
type Info struct {
	Version string `json:"version"`          // the tag, or what git-describe(1) says of the commit; "devel": unknown
	Commit  string `json:"commit,omitempty"` // the full id, with "-dirty" where the tree had changes
	Go      string `json:"go"`               // the Go release, runtime.Version()
}

// Short is the version alone, as records and log lines carry it.
func Short() string { return version }

// Get is all that is known of the build.
func Get() Info { return Info{Version: version, Commit: commit, Go: runtime.Version()} }
