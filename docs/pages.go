// SPDX-License-Identifier: Apache-2.0

// Package docs holds the pages that nonroot-ctl reads.
package docs

import _ "embed"

// Troubleshooting is the page on messages: docs/troubleshooting.md.
//
//go:embed troubleshooting.md
var Troubleshooting string
