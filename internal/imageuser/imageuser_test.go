// SPDX-License-Identifier: Apache-2.0

package imageuser

import "testing"

func TestRead(t *testing.T) {
	for text, want := range map[string]User{
		"":                     {Kind: Root, Name: "root", RootGroup: true},
		"0":                    {Kind: Root, Name: "root", RootGroup: true},
		"00":                   {Kind: Root, Name: "root", RootGroup: true},
		"+0":                   {Kind: Root, Name: "root", RootGroup: true},
		"-0":                   {Kind: Root, Name: "root", RootGroup: true},
		"0:0":                  {Kind: Root, Name: "root", Group: "0", RootGroup: true},
		"root":                 {Kind: Root, Name: "root", RootGroup: true},
		"root:1000":            {Kind: Root, Name: "root", Group: "1000"},
		":1000":                {Kind: Root, Name: "root", Group: "1000"},
		":":                    {Kind: Root, Name: "root", RootGroup: true},
		"1000":                 {Kind: Number, UID: 1000, RootGroup: true},
		"+1000":                {Kind: Number, UID: 1000, RootGroup: true},
		"01000":                {Kind: Number, UID: 1000, RootGroup: true},
		"1000:":                {Kind: Number, UID: 1000, RootGroup: true},
		"1000:1000":            {Kind: Number, UID: 1000, Group: "1000"},
		"1000:0":               {Kind: Number, UID: 1000, Group: "0", RootGroup: true},
		"1000:+0":              {Kind: Number, UID: 1000, Group: "+0", RootGroup: true},
		"1000:root":            {Kind: Number, UID: 1000, Group: "root", RootGroup: true},
		"2147483647":           {Kind: Number, UID: 2147483647, RootGroup: true},
		"app":                  {Kind: Name, Name: "app"},
		"app:app":              {Kind: Name, Name: "app", Group: "app"},
		"www-data":             {Kind: Name, Name: "www-data"},
		"_apt":                 {Kind: Name, Name: "_apt"},
		"0app":                 {Kind: Name, Name: "0app"},
		"2147483648":           {Kind: Invalid},
		"4294967296":           {Kind: Invalid},
		"99999999999999999999": {Kind: Invalid},
		"-1":                   {Kind: Invalid},
		"1000:-1":              {Kind: Invalid},
		"1000:4294967296":      {Kind: Invalid},
		"0x0":                  {Kind: Invalid},
		"1000:1000:1000":       {Kind: Invalid},
		"app # note":           {Kind: Invalid},
		"$X":                   {Kind: Invalid},
		"host$":                {Kind: Name, Name: "host$"},
		"[\"app\"]":            {Kind: Invalid},
		"a b":                  {Kind: Invalid},
		"1000:a b":             {Kind: Invalid},
	} {
		got := Read(text)
		if (got.Kind == Invalid) != (got.Why != "") {
			t.Errorf("%q: invalid, and %q", text, got.Why)
		}
		got.Why = ""
		if got != want && want.Kind != Invalid || got.Kind != want.Kind {
			t.Errorf("%q: %+v, want %+v", text, got, want)
		}
	}
}
