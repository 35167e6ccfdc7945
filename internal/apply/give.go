// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/layer"
	"github.com/nonroot-runc/nonroot-runc/internal/plan"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/quote"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// given reports what changed owner, and what did not.
type given struct {
	notes       []string // for the record
	warnings    []string // the notes that should also go to the engine's log
	rootVolumes []string // directories of volumes that stay root's
}

func (done *given) note(format string, args ...any) {
	done.notes = append(done.notes, fmt.Sprintf(format, args...))
}

// give changes owners, and reports for the record what it did and what it could not do.
func give(g *plan.Give, d *decision.Decision, bundle string, owners trusted.Owners) (done given) {
	o := layer.For(g, bundle, d.ID)
	if o.Gives() {
		given, err := layer.Give(&o)
		if len(given.Tops) > 0 {
			done.note("%d directories and %d files of the image now belong to the identity, in %s", given.Directories, given.Files, listed(given.Tops))
		}
		if given.Unfinished {
			done.note("not all of root's files in the image became the container user's: there are too many")
		}
		switch {
		case err != nil && len(given.Tops) > 0:
			done.note("some of root's files in the image did not become the container user's: %v", err)
		case err != nil:
			done.note("root's files in the image did not become the container user's: %v", err)
		}
	}
	if g.Tmp {
		opened, err := layer.OpenTmp(&o)
		for _, p := range opened {
			done.note("everyone can write to %s now", p)
		}
		if err != nil && !o.Gives() {
			done.note("/tmp is unchanged: %v", err)
		}
	}
	last := policy.LastStart{Identity: *d.Identity, Source: d.Source}
	if err := layer.Remember(&o, last); err != nil && !layer.IsUnsupported(err) {
		done.note("its identity can't be stored for its next start: %v", err)
	}
	done.secrets(g, &o, d.ID, owners)
	done.volumes(g, &o, d.Source, owners)
	return done
}

// secrets makes the files that the engine keeps for this container alone readable to the identity.
func (done *given) secrets(g *plan.Give, o *layer.Options, id string, owners trusted.Owners) {
	count := 0
	for _, source := range g.Secrets {
		given, closed, err := layer.GiveSecret(source, id, o, g.Owners.IsRoot, owners)
		if given {
			count++
		}
		if err != nil {
			done.note("%v", err)
		}
		if closed {
			done.warn("the secret %q is closed to the identity; hint: set its owner (uid=%d) or mode=0444 where the container mounts it", source, g.UID)
		}
	}
	if count > 0 {
		done.note("%d of the engine's secrets can be read by the identity now", count)
	}
}

// watch reports what give would report about volumes that stay root's, without changing anything.
func watch(g *plan.Give, d *decision.Decision, bundle string, owners trusted.Owners) (done given) {
	o := layer.For(g, bundle, d.ID)
	o.DryRun = true
	done.volumes(g, &o, d.Source, owners)
	return done
}

// volumes changes the owners of the container's volumes.
func (done *given) volumes(g *plan.Give, o *layer.Options, source decision.Source, owners trusted.Owners) {
	others := ""
	if source == decision.Fixed {
		others = "; where a container with it is its image's user, name that one, and this one follows when it is created again"
	}
	o.OfVolumes(g)
	for _, v := range g.Volumes {
		of, err := layer.GiveVolume(layer.Volume(v), o, g.Owners.IsRoot, g.Owners.IsNew, owners)
		switch {
		case o.DryRun:
		case of.More:
			done.warn("the new volume %q now belongs to the identity, but not everything that the engine copied there: it is too much%s", v.Source, adoptHint(g, v.Source))
		case of.Given:
			done.note("the new volume %q now belongs to the identity", v.Source)
		}
		if err != nil {
			done.note("%v", err)
		}
		switch {
		case of.Roots && !g.EmptyOnly:
			done.warn("the volume %q still belongs to root, which has written to it%s%s", v.Source, adoptHint(g, v.Source), others)
		case of.Part != "" && !g.EmptyOnly:
			done.warn("parts of the volume %q still belong to root, such as %q%s%s", v.Source, of.Part, adoptHint(g, v.Source), others)
		case of.Group == "." && (g.LostGroup || !g.EmptyOnly):
			done.warn("the volume %q is open to root's group, which no container has here, and not to the identity%s", v.Source, groupHint(g, v.Source))
		case of.Group != "" && g.LostGroup:
			done.warn("the volume %q is in part open to root's group, which no container has here, such as %q in it, and not to the identity%s", v.Source, of.Group, groupHint(g, v.Source))
		default:
			continue
		}
		done.rootVolumes = append(done.rootVolumes, v.Source)
	}
}

// warn adds a note that should also go to the engine's log.
func (done *given) warn(format string, args ...any) {
	done.note(format, args...)
	done.warnings = append(done.warnings, done.notes[len(done.notes)-1])
}

// notPlain replaces a command that a shell would misread: a user who starts a container chooses the names of its
// volumes.
const notPlain = "; hint: stop its containers, and run nonroot-ctl volumes adopt with its name, which must be quoted: it has characters that a shell interprets"

// adoptHint returns the command that adopts an old volume.
func adoptHint(g *plan.Give, source string) string {
	return adopting(g, source, fmt.Sprintf("--user %d:%d", g.UID, g.GID))
}

// groupHint returns the command that gives the identity's group the access that root's group has.
func groupHint(g *plan.Give, source string) string {
	return adopting(g, source, fmt.Sprintf("--group %d", g.GID))
}

// adopting returns the command with an option. In a user namespace, root has another number on disk.
func adopting(g *plan.Give, source, option string) string {
	if !quote.IsPlainPath(source) {
		return notPlain
	}
	from := ""
	if uid, gid := g.Owners.Outside(0), g.Owners.OutsideGroup(0); uid != 0 {
		from = fmt.Sprintf("--from %d:%d ", uid, gid)
	}
	return fmt.Sprintf("; hint: stop its containers, and run nonroot-ctl volumes adopt %s%s %s", from, option, source)
}

// DryRun lists what would change owner by a plan: paths of the image, and sources of volumes.
func DryRun(g *plan.Give, bundle, id string, owners trusted.Owners) (paths, volumes []string) {
	if g == nil {
		return nil, nil
	}
	o := layer.For(g, bundle, id)
	o.DryRun = true
	if o.Gives() {
		given, _ := layer.Give(&o) // explain reports what can't be changed
		paths = given.Would
	}
	if g.Tmp {
		opened, _ := layer.OpenTmp(&o) // likewise
		paths = append(paths, opened...)
	}
	o.OfVolumes(g)
	for _, v := range g.Volumes {
		if of, _ := layer.GiveVolume(layer.Volume(v), &o, g.Owners.IsRoot, g.Owners.IsNew, owners); of.Given {
			volumes = append(volumes, v.Source)
		}
	}
	return paths, volumes
}

const maxListed = 12

// listed formats paths for a note. The image chooses the working directory; its name may look like several paths, or
// like the rest of the note.
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
