// SPDX-License-Identifier: Apache-2.0

// Package checks holds the pages about what nonroot-ctl check finds.
package checks

import (
	"embed"
	"fmt"
)

//go:embed *.md
var pages embed.FS

// Page is the one about a finding, in Markdown.
func Page(id string) (string, error) {
	text, err := pages.ReadFile(id + ".md")
	if err != nil {
		return "", fmt.Errorf("there is no finding %q\nhint: docs/check.md lists those there are", id)
	}
	return string(text), nil
}
