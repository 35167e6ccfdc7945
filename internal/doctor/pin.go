// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"path/filepath"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/pin"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/record"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// pins checks that the policy and every profile are pinned, and match their pins. Any user of an engine's API can have
// it replace them (SECURITY.md F16).
func (d *doctor) pins() {
	pins, err := pin.Read(d.caller.Owners)
	if err != nil {
		d.bad(Fail, "policy: pin", "fix the file; until then no container starts", "%v", err)
		return
	}
	files, _ := filepath.Glob(filepath.Join(filepath.Dir(policy.DefaultFile), "*.toml")) // the pattern is well formed
	if pins.Has(policy.DefaultFile) {
		files = append(files, policy.DefaultFile) // even if it is missing, which is a fault
	}
	looked := map[string]bool{}
	for _, file := range files {
		if !looked[file] {
			looked[file] = true
			d.pin(pins, file)
		}
	}
}

func (d *doctor) pin(pins *pin.Pins, file string) {
	name, option := "policy: pin", ""
	if file != policy.DefaultFile {
		profile := strings.TrimSuffix(filepath.Base(file), ".toml")
		name, option = "profile \""+profile+"\": pin", " --profile "+profile
	}
	if !pins.Has(file) {
		d.bad(Warn, name, "nonroot-ctl policy pin"+option, "OPEN: %q is not pinned: whoever may call an engine's API can have it replaced (docker cp) without any runtime being called", file)
		return
	}
	data, err := trusted.ReadPath(file, d.caller.Owners)
	if err == nil {
		err = pins.Check(file, record.Digest(data))
	}
	if err != nil {
		d.bad(Fail, name, "see who changed it; nonroot-ctl policy apply"+option+" puts another one in its place", "%q: %v", file, err)
		return
	}
	d.ok(name, "%q is what %q has pinned", file, pin.File)
}
