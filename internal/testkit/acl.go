// SPDX-License-Identifier: Apache-2.0

package testkit

import (
	"encoding/binary"
	"maps"
	"slices"
)

// ListOf is an access control list as the attribute system.posix_acl_access has it (include/uapi/linux/posix_acl_xattr.h): rights of the
// group, the owner, users and groups by their ids, the mask and others.
func ListOf(group, owner uint16, users, groups map[uint32]uint16, mask, others uint16) []byte {
	const none = ^uint32(0)
	list := binary.LittleEndian.AppendUint32(nil, 2)
	add := func(tag, perm uint16, id uint32) {
		list = binary.LittleEndian.AppendUint16(list, tag)
		list = binary.LittleEndian.AppendUint16(list, perm)
		list = binary.LittleEndian.AppendUint32(list, id)
	}
	add(0x01, owner, none)
	for _, uid := range slices.Sorted(maps.Keys(users)) {
		add(0x02, users[uid], uid)
	}
	add(0x04, group, none)
	for _, gid := range slices.Sorted(maps.Keys(groups)) {
		add(0x08, groups[gid], gid)
	}
	add(0x10, mask, none)
	add(0x20, others, none)
	return list
}
