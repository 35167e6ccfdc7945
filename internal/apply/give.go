// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/layer"
	"github.com/nonroot-runc/nonroot-runc/internal/plan"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// StaysRoots begins the note about a volume from before, which programs often find out about long after they have started.
const StaysRoots = "the volume"

// give changes owners, and says for the record what it did and what it could not do.
func give(g *plan.Give, bundle, id string, owners trusted.Owners) (notes []string) {
	note := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	o := layer.For(g, bundle, id)
	if o.Gives() {
		given, err := layer.Give(&o)
		if len(given.Tops) > 0 {
			note("%d directories and %d files of the image are the identity's now, in %s", given.Directories, given.Files, listed(given.Tops))
		}
		if given.Unfinished {
			note("not all that the image keeps for root was given: it is too much")
		}
		switch {
		case err != nil && len(given.Tops) > 0:
			note("some of what the image keeps for root stays so: %v", err)
		case err != nil:
			note("what the image keeps for root stays so: %v", err)
		}
	}
	if g.Tmp {
		opened, err := layer.OpenTmp(&o)
		for _, p := range opened {
			note("%s is everybody's now", p)
		}
		if err != nil && !o.Gives() {
			note("/tmp stays as it is: %v", err)
		}
	}
	o.From = g.OfVolume
	for _, v := range g.Volumes {
		given, err := layer.GiveVolume(layer.Volume(v), &o, g.Owners.IsRoot, g.Owners.IsNew, owners)
		if given {
			note("the new volume %q is the identity's now", v.Source)
		}
		if err != nil {
			note("%v", err)
		}
		if given || g.EmptyOnly || g.Owners.Map != nil {
			continue
		}
		if owner, written := layer.VolumeOwner(v.Source, owners); written && owner.UID == 0 {
			note(StaysRoots+" %q stays root's, as root has written in it; hint: stop its containers, and run nonroot-ctl volumes adopt --user %d:%d %s", v.Source, g.UID, g.GID, v.Source)
		}
	}
	return notes
}

// DryRun is what a plan for a container would change owners of: paths of the image, and the sources of volumes.
func DryRun(g *plan.Give, bundle, id string, owners trusted.Owners) (paths, volumes []string) {
	if g == nil {
		return nil, nil
	}
	o := layer.For(g, bundle, id)
	o.DryRun = true
	if o.Gives() {
		given, _ := layer.Give(&o) // what can't be given is for explain to find
		paths = given.Would
	}
	if g.Tmp {
		opened, _ := layer.OpenTmp(&o) // likewise
		paths = append(paths, opened...)
	}
	o.From = g.OfVolume
	for _, v := range g.Volumes {
		if given, _ := layer.GiveVolume(layer.Volume(v), &o, g.Owners.IsRoot, g.Owners.IsNew, owners); given {
			volumes = append(volumes, v.Source)
		}
	}
	return paths, volumes
}

const maxListed = 12

// listed are paths for a note. The working directory is the image's choice, and may look like several, or like more of the note.
func listed(paths []string) string {
	all, rest := slices.Clone(paths[:min(len(paths), maxListed)]), ""
	if n := len(paths) - len(all); n > 0 {
		rest = fmt.Sprintf(" and %d more", n)
	}
	for i, p := range all {
		if strings.ContainsFunc(p, func(r rune) bool { return r == ',' || r == '"' || r == ' ' || !strconv.IsGraphic(r) }) {
			all[i] = fmt.Sprintf("%q", p)
		}
	}
	return strings.Join(all, ", ") + rest
}
