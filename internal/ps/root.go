// SPDX-License-Identifier: Apache-2.0

package ps

// Root is the --root of the runtime that keeps the container's state, by which rules know engines; "": it was not
// found.
func (c *Container) Root() string { return c.root }
