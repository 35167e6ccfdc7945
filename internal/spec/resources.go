// SPDX-License-Identifier: Apache-2.0

package spec

import "fmt"

// WithoutDevices returns the input of update (config-linux.md, "Control groups": linux.resources) without the list of
// devices.
func WithoutDevices(resources []byte) ([]byte, error) {
	root, err := parse(resources, &shapeLinuxResources)
	if err != nil {
		return nil, err
	}
	if root.kind != '{' {
		return nil, fmt.Errorf("the document is %s, not an object", kindName(root))
	}
	root.drop(func(m member) bool { return m.name == "devices" })
	return root.render(nil), nil
}
