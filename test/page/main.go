// SPDX-License-Identifier: Apache-2.0

// page looks at a page of nonroot-ctl report in a real browser, at three widths, light and dark, and prints what is wrong with it:
// text that is cut off or too faint, what the keyboard does not reach, tables that a screen reader would not know as such. It is a module
// of its own, so that the product's has nothing of chromium's protocol.
package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

//go:embed look.js
var look string

var widths = []int64{360, 768, 1440}

func main() {
	if len(os.Args) != 3 && len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: page FILE DIRECTORY [once]: the pictures are for the directory; once: light, and narrow only")
		os.Exit(2)
	}
	schemes := []string{"light", "dark"}
	if len(os.Args) == 4 {
		schemes, widths = schemes[:1], widths[:1]
	}
	found, err := check(os.Args[1], os.Args[2], schemes)
	if err != nil {
		fmt.Fprintln(os.Stderr, "page:", err)
		os.Exit(2)
	}
	for _, f := range found {
		fmt.Println(f)
	}
	if len(found) > 0 {
		os.Exit(1)
	}
}

func check(file, pictures string, schemes []string) (found []string, err error) {
	file, err = filepath.Abs(file)
	if err != nil {
		return nil, err
	}
	profile, err := os.MkdirTemp("", "page-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(profile) //nolint:errcheck // a directory of a test
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(profile), chromedp.WSURLReadTimeout(3*time.Minute),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-dev-shm-usage", true))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	defer cancel()
	ctx, cancel = chromedp.NewContext(ctx, chromedp.WithBrowserOption(chromedp.WithDialTimeout(time.Minute)))
	defer cancel()
	ctx, cancel = context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()

	where := ""
	add := func(format string, args ...any) { found = append(found, where+": "+fmt.Sprintf(format, args...)) }
	chromedp.ListenTarget(ctx, func(event any) {
		switch e := event.(type) {
		case *runtime.EventConsoleAPICalled:
			add("the page writes to the console: %s", e.Type)
		case *runtime.EventExceptionThrown:
			add("the page fails: %s", e.ExceptionDetails.Text)
		}
	})
	for _, scheme := range schemes {
		for _, width := range widths {
			where = fmt.Sprintf("%s, %d wide", scheme, width)
			if err := one(ctx, "file://"+file, scheme, width, filepath.Join(pictures, fmt.Sprintf("%s-%d.png", scheme, width)), add); err != nil {
				return nil, fmt.Errorf("%s: %w", where, err)
			}
		}
	}
	return found, nil
}

func one(ctx context.Context, url, scheme string, width int64, picture string, add func(string, ...any)) error {
	var looked []string
	var stops int
	var image []byte
	err := chromedp.Run(ctx,
		chromedp.EmulateViewport(width, 900),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}),
		chromedp.Navigate(url),
		chromedp.FullScreenshot(&image, 100),
		chromedp.Evaluate(look, &looked),
		chromedp.Evaluate(`document.querySelectorAll("summary, [tabindex]").length`, &stops),
	)
	if err != nil {
		return err
	}
	for _, text := range looked {
		add("%s", text)
	}
	if err := os.WriteFile(picture, image, 0o600); err != nil {
		return err
	}
	if scheme == "light" && width != 768 { // what the keyboard reaches is no matter of colours
		if err := keyboard(ctx, stops, add); err != nil {
			return err
		}
	}
	// With everything open, it is looked at again.
	const open = `document.querySelectorAll("details").forEach(e => e.open = true)`
	if err := chromedp.Run(ctx, chromedp.Evaluate(open, nil), chromedp.Evaluate(look, &looked)); err != nil {
		return err
	}
	for _, text := range looked {
		add("once all is open, %s", text)
	}
	return tree(ctx, add)
}

// keyboard goes through the page by Tab, and opens what opens by Enter. What is within is reached then.
func keyboard(ctx context.Context, stops int, add func(string, ...any)) error {
	if stops == 0 {
		add("nothing can be reached by the keyboard")
	}
	seen := map[string]bool{}
	for range 3 * stops {
		var at struct {
			Key, Tag string
			Ring     float64
			Inside   bool
			Open     bool
		}
		const here = `(() => {
			const e = document.activeElement, s = getComputedStyle(e), r = e.getBoundingClientRect();
			e.key ??= String(Math.random());
			return {Key: e.key, Tag: e.tagName, Ring: s.outlineStyle === "none" ? 0 : parseFloat(s.outlineWidth),
				Inside: r.bottom > 0 && r.top < innerHeight && r.width > 0 && r.height > 0, Open: e.parentElement?.open ?? false};
		})()`
		if err := chromedp.Run(ctx, chromedp.KeyEvent(kb.Tab), chromedp.Evaluate(here, &at)); err != nil {
			return err
		}
		if at.Tag == "BODY" || seen[at.Key] {
			break
		}
		seen[at.Key] = true
		if at.Ring < 2 {
			add("the keyboard's place is not seen on a <%s>", at.Tag)
		}
		if !at.Inside {
			add("the keyboard is on a <%s> that is not in sight", at.Tag)
		}
		if at.Tag == "SUMMARY" {
			if err := chromedp.Run(ctx, chromedp.KeyEvent(kb.Enter), chromedp.Evaluate(here, &at)); err != nil {
				return err
			}
			if !at.Open {
				add("Enter does not open a <summary>")
			}
		}
	}
	if len(seen) < stops {
		add("the keyboard reaches %d of %d places", len(seen), stops)
	}
	return nil
}

// tree asks the browser for what it tells a screen reader.
func tree(ctx context.Context, add func(string, ...any)) error {
	// cdproto's type fails at names that a newer browser has.
	var answer struct {
		Nodes []struct {
			Ignored bool `json:"ignored"`
			Role    struct {
				Value any `json:"value"`
			} `json:"role"`
			Name struct {
				Value any `json:"value"`
			} `json:"name"`
		} `json:"nodes"`
	}
	err := chromedp.Run(ctx, chromedp.ActionFunc(func(ctx context.Context) error {
		return cdp.Execute(ctx, "Accessibility.getFullAXTree", nil, &answer)
	}))
	if err != nil {
		return err
	}
	roles := map[string]int{}
	for _, n := range answer.Nodes {
		if n.Ignored {
			continue
		}
		role := fmt.Sprint(n.Role.Value)
		roles[role]++
		if name, _ := n.Name.Value.(string); name == "" && (role == "image" || role == "region" || role == "heading") {
			add("a %s has no name", role)
		}
	}
	for _, role := range []string{"heading", "list", "image", "table", "row", "rowheader", "DisclosureTriangle"} {
		if roles[role] == 0 {
			add("a screen reader finds no %s, but %v", role, roles)
		}
	}
	return nil
}
