// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/nonroot-runc/nonroot-runc/internal/accounts"
	"github.com/nonroot-runc/nonroot-runc/internal/quote"
)

// image makes a container that asks for root run as the one account that its image was built for, within the policy's
// bounds: the image's directories belong to that account already. The gid is the account's primary group, unless that
// means something on the host: then it is the policy's. If the account can't be determined, a note says why.
func (p *Policy) image(f *inquiry, d *Decision) bool {
	if f.User.UID != 0 || f.Act == Exec {
		return false
	}
	built := f.intended()
	if built.More || len(built.Users) > 1 {
		d.Notes = append(d.Notes, severalAccounts(built))
		return false
	}
	if len(built.Users) == 0 {
		return false
	}
	u := built.Users[0]
	if u.UID == 0 || u.UID > MaxID {
		return false
	}
	if !p.standFor(f, d, Identity{UID: u.UID, GID: u.GID}, false, fmt.Sprintf("the image was built for %s (%d)", quote.Value(u.Name), u.UID)) {
		return false
	}
	p.memberships(f, d, u.Name)
	return true
}

// standFor gives a container that asks for root the identity that the image or a volume indicates, within the policy's
// bounds. allowed_uids does not apply to the policy's own identity (own). If the identity is out of bounds, a note says
// so. The group is the policy's if the user's own means something on the host.
func (p *Policy) standFor(f *inquiry, d *Decision, who Identity, own bool, because string) bool {
	switch {
	case !own && len(p.AllowedUIDs) > 0 && !p.AllowedUIDs.Has(who.UID):
		d.Notes = append(d.Notes, because+", which allowed_uids does not have")
		return false
	case p.anothers(f, who.UID):
		d.Notes = append(d.Notes, because+", which may belong to another container: it is in identity.range and not in allowed_uids")
		return false
	}
	*d.Identity = Identity{UID: who.UID, GID: uint32(p.GID)}
	if p.harmless(f, who.GID) {
		d.Identity.GID = who.GID
	}
	return true
}

// maxMemberships limits how many groups an image can add: with 55,000 groups, runc 1.1 never finishes.
const maxMemberships = 64

// memberships lets the image's user keep its groups of the image, which its files may depend on (Debian's postgres is
// in ssl-cert), if no gid of the container means anything on the host. A group that is privileged on the host is left
// out even so: a second line of defence.
func (p *Policy) memberships(f *inquiry, d *Decision, user string) {
	if !p.Adapt.Groups || !f.OwnGroup && f.Accounts != nil {
		return
	}
	all := f.accounts().Memberships(user)
	if len(all) == 0 || !f.isolated() {
		return
	}
	if len(all) > maxMemberships {
		d.Notes = append(d.Notes, fmt.Sprintf("the image has %s in %d groups, too many: none of them is kept", quote.Value(user), len(all)))
		return
	}
	for _, gid := range all {
		if p.harmless(f, gid) && !slices.Contains(d.Identity.Groups, gid) {
			d.Identity.Groups = append(d.Identity.Groups, gid)
		}
	}
}

// severalAccounts says why the image's user can't be determined. It names only a few of many.
func severalAccounts(built *accounts.Intended) string {
	const named = 4
	what := "has several accounts of its own"
	if built.State {
		what = "keeps state of several accounts"
	}
	if built.More {
		return "the image's service user is unknown: it " + what + ", too many to look at"
	}
	var names string
	for i, u := range built.Users {
		if i == named {
			names += " and " + strconv.Itoa(len(built.Users)-named) + " more"
			break
		}
		if i > 0 {
			names += ", "
		}
		names += quote.Value(u.Name)
	}
	return "the image's service user is unknown: it " + what + ": " + names
}
