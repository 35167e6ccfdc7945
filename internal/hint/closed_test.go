// SPDX-License-Identifier: Apache-2.0

package hint

import "testing"

// TestRemedies: the best remedy comes first, and none is useless or takes a right from others.
func TestRemedies(t *testing.T) {
	for _, test := range []struct {
		name string
		c    Closed
		want string
	}{
		{"a person's", Closed{Owner: 1000, Group: 1000, Mode: 0o755, Rights: 7, Mapped: true, MappedGroup: true, Directory: true}, "run it as the owner (--user 1000:1000), or chgrp 65532 and chmod g+rwx"},
		{"of whom the policy keeps nobody", Closed{Owner: 1000, Group: 1000, Mode: 0o700, Rights: 4, Mapped: true, MappedGroup: true, NotKept: true}, "chgrp 65532 and chmod g+r"},
		{"whose group has it", Closed{Owner: 1000, Group: 2000, Mode: 0o770, Rights: 7, Mapped: true, MappedGroup: true, Directory: true}, "run it as the owner (--user 1000:2000), or --group-add 2000, where identity.allowed_gids lets it"},
		{"whose owner has not", Closed{Owner: 1000, Group: 1000, Mode: 0o400, Rights: 6, Mapped: true, MappedGroup: true}, "chgrp 65532 and chmod g+rw"},
		{"root's", Closed{Mode: 0o600, Rights: 4, Mapped: true, MappedGroup: true}, "chgrp 65532 and chmod g+r, or as a last resort chown 65532:65532"},
		{"root's directory, to be read", Closed{Mode: 0o700, Rights: 5, Mapped: true, MappedGroup: true, Directory: true}, "chgrp 65532 and chmod g+rx, or chmod o+rx, or as a last resort chown 65532:65532"},
		{"the system's", Closed{Mode: 0o755, Rights: 7, Mapped: true, MappedGroup: true, Directory: true, System: true}, "mount a copy of what it needs there, which belongs to 65532:65532"},
		{"a person's, in a directory of the system's", Closed{Owner: 1000, Group: 1000, Mode: 0o700, Rights: 7, Mapped: true, MappedGroup: true, Directory: true, System: true}, "run it as the owner (--user 1000:1000), or mount a copy of what it needs there, which belongs to 65532:65532"},
		{"the system's, of a group", Closed{Group: 42, Mode: 0o640, Rights: 4, Mapped: true, MappedGroup: true, System: true}, "mount a copy of what it needs there, which belongs to 65532:65532"},
		{"nobody's", Closed{Mode: 0o600, Rights: 4}, "chmod o+r"},
		{"a pod's", Closed{Owner: 5, Group: 6, Mode: 0o660, Rights: 4, Mapped: true, MappedGroup: true, Pod: true}, "run it as the owner (runAsUser: 5 and runAsGroup: 6), or supplementalGroups: [6]"},
		{"of a person's Podman", Closed{Mode: 0o600, Rights: 4, Mapped: true, Rootless: true, Podman: true}, "--userns=keep-id, or chmod o+r, or as a last resort podman unshare chown 65532:65532"},
		{"of a person's Docker", Closed{Mode: 0o600, Rights: 4, Mapped: true, Rootless: true}, "chmod o+r"},
	} {
		test.c.UID, test.c.GID = 65532, 65532
		if got := test.c.Remedies(); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// TestIsSystems: paths that decide what the host's root runs, or who is root, are never given away.
func TestIsSystems(t *testing.T) {
	for p, want := range map[string]bool{
		"/": true, "/etc": true, "/etc/": true, "/etc/cron.d": true, "/usr/local/bin": true, "/root": true, "/root/.ssh": true, "/root/.ssh/authorized_keys": true, "/home": true,
		"/var": true, "/var/lib": true, "/var/lib/docker": true, "/var/lib/dpkg/info": true, "/var/spool/cron": true, "/run": true, "/var/run/x": true, "/srv/../etc": true,
		"/srv": false, "/srv/a": false, "/home/a": false, "/home/a/.ssh": false, "/root/app/data": false, "/var/lib/app": false, "/var/lib/kubelet/pods/1/volumes/x": false,
		"/data": false, "/etcetera": false,
	} {
		if got := IsSystems(p); got != want {
			t.Errorf("%s: %t", p, got)
		}
	}
}
