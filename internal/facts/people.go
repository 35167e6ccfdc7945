// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"fmt"

	"github.com/nonroot-runc/nonroot-runc/internal/accounts"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// People reads the administrator's list; nil if the policy names none.
func People(p *policy.Policy, owners trusted.Owners) *policy.People {
	if p = p.Lists(); p == nil {
		return nil
	}
	users, err := trusted.ReadPath(p.UsersFile, owners)
	if err != nil {
		return &policy.People{Fault: fmt.Errorf("read identity.users_file: %w", err)}
	}
	var groups []byte
	if p.GroupsFile != "" {
		if groups, err = trusted.ReadPath(p.GroupsFile, owners); err != nil {
			return &policy.People{Fault: fmt.Errorf("read identity.groups_file: %w", err)}
		}
	}
	return &policy.People{Accounts: accounts.Files{Passwd: users, Group: groups}}
}
