// SPDX-License-Identifier: Apache-2.0

package imageuser

import "testing"

// FuzzReaders: a number is the same user with any accounts. A reader starts only uids that the kernel has, and Same is symmetric.
func FuzzReaders(f *testing.F) {
	f.Add("1000:", "root:x:0:0::/:\napp:x:1000:100::/:\n", "users:x:100:app\n")
	f.Add("+0", "app:x:abc:5::/:\n", "")
	f.Add("app:app", "app:x:0::\n:::\n", "app:x:4294967296:\n")
	f.Fuzz(func(t *testing.T, text, passwd, group string) {
		u := Read(text)
		as := Accounts{Passwd: []byte(passwd), Group: []byte(group)}
		docker, containerd := as.Docker(text), as.Containerd(text)
		for name, who := range map[string]Who{"Docker": docker, "containerd": containerd} {
			switch {
			case who.Err != nil:
				continue
			case who.UID > most || who.GID > most:
				t.Errorf("%q: %s starts %s", text, name, who)
			case u.Kind == Root && u.Name == "root" && text != "" && text[0] == '+' && who.UID != 0:
				t.Errorf("%q is root, and %s starts %s", text, name, who)
			case u.Kind == Number && !who.Root() && who.UID != u.UID:
				t.Errorf("%q is %d, and %s starts %s", text, u.UID, name, who)
			}
		}
		if docker.Same(containerd) != containerd.Same(docker) {
			t.Errorf("%q: %s and %s", text, docker, containerd)
		}
	})
}
