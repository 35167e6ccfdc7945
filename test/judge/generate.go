// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
)

// recipe is a container to be tried. The same seed, number and room make the same one.
type recipe struct {
	Config   string
	Image    []file
	Policy   string // a name of policies
	Created  bool   // by create and start, not by run
	Flags    []string
	Execs    []execution
	Bounding uint64 // all that any part of config.json names as bounding
	Room     string // the directory in which it was made: paths in it begin with that
	Cgroup   string // the control group of its containers, likewise
	Found    findings
}

// execution is a further process.
type execution struct {
	Process  string // the process file; "": flags say it
	Flags    []string
	Bounding uint64
}

// file is one of a rootfs.
type file struct {
	Path string
	Kind byte // 'd', 'f', 'l', 'p' (FIFO)
	Mode uint32
	UID  int
	Text string // or where a link leads
}

// generator makes one recipe.
type generator struct {
	*rand.Rand
	room     *room
	bare     bool // for the bare runtime, in the judge's own mount namespace: nothing that would mount there
	bounding uint64
}

func generate(seed, number uint64, r *room, bare bool) recipe {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, number)), room: r, bare: bare}
	image, root := g.image()
	config := g.config(root)
	made := recipe{Image: image, Policy: g.policy(), Created: g.of(0.5)}
	made.Config = g.spoiled(config, 0.15, 0.2, "process")
	made.Bounding = g.bounding
	made.Flags = g.some(0.1, "--no-new-keyring", "--no-pivot")
	made.Room, made.Cgroup = r.dir, r.cgroup
	made.chown(config)
	for g.of(0.45) && len(made.Execs) < 3 {
		made.Execs = append(made.Execs, g.execution(made.Bounding))
	}
	return made
}

// chown gives the directories to the root of the container's own user namespace, as engines do, so that runtimes can mount there.
func (made *recipe) chown(config *object) {
	linux, _ := config.get("linux").(*object)
	if linux == nil {
		return // its name is spelled otherwise
	}
	maps, _ := linux.get("uidMappings").(list)
	for _, m := range maps {
		host, isNumber := m.(*object).get("hostID").(uint64)
		if m.(*object).get("containerID") != uint64(0) || !isNumber {
			continue
		}
		for i := range made.Image {
			if f := &made.Image[i]; f.Kind == 'd' && f.UID == 0 {
				f.UID = int(host)
			}
		}
	}
}

func (g *generator) of(p float64) bool { return g.Float64() < p }

func pick[T any](g *generator, from ...T) T { return from[g.IntN(len(from))] }

// some is each of the words with that probability.
func (g *generator) some(p float64, words ...string) []string {
	var all []string
	for _, w := range words {
		if g.of(p) {
			all = append(all, w)
		}
	}
	return all
}

// policies are those that promise all that is judged.
var policies = map[string]string{
	"default":  "",
	"drop":     "process.bounding = \"drop\"\n",
	"fixed":    "identity.sources = [\"fixed\"]\nhome.mode = \"always\"\n",
	"requests": "identity.requests = [\"annotation\", \"environment\"]\nidentity.allowed_uids = [\"1-2147483647\"]\n",
	"range":    "identity.range = \"200000-265535\"\nstate = \"%s/leases\"\n",
	"refuse":   "mode = \"refuse\"\n",
}

func (g *generator) policy() string {
	return pick(g, "default", "default", "default", "default", "default", "drop", "fixed", "requests", "range", "refuse")
}

// Ids: those of root, of accounts and groups that mean something, and of nobody.
func (g *generator) id() any {
	return pick[any](g, 0, 0, 0, 1, 6, 33, 42, 999, 1000, 1000, 1001, 2000, 5000, 65532, 65533, 65534, 65535, 100000,
		2147483647, g.IntN(70000))
}

// oddID is an id that somebody may read as 0.
func (g *generator) oddID() any {
	return pick[any](g, raw("1e0"), raw("0e0"), raw("-1"), raw("-0"), raw("4294967295"), raw("4294967296"),
		raw("4294968296"),
		raw("18446744073709551616"), raw("1000.0"), raw("0.5"), raw("1E3"), raw(`"0"`), raw(`"1000"`), raw("true"), raw("null"),
		raw("[0]"), raw("{}"), raw("2147483648"), raw("-4294967296"), raw("3000000000"))
}

func (g *generator) user() any {
	switch {
	case g.of(0.06):
		return nil
	case g.of(0.05):
		return obj()
	}
	u := obj()
	if g.of(0.95) {
		u.set("uid", g.id())
	}
	if g.of(0.9) {
		u.set("gid", g.id())
	}
	if g.of(0.03) {
		u.set(pick(g, "uid", "gid"), g.oddID())
	}
	if g.of(0.6) {
		groups := list{}
		for range g.IntN(5) {
			groups = append(groups, g.id())
		}
		if g.of(0.02) {
			groups = append(groups, g.oddID())
		}
		u.set("additionalGids", groups)
	}
	if g.of(0.2) {
		u.set("umask", pick(g, 0, 18, 63, 511))
	}
	if g.of(0.1) {
		u.set("username", pick(g, "root", "nonroot", "", "0", "0:0", "www-data"))
	}
	return u
}

// names of capabilities, by their numbers (Linux, uapi/linux/capability.h).
var names = strings.Fields(`CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
	NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT
	SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE
	MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE`)

// capabilities: sets of any kind. What is called bounding anywhere is noted.
func (g *generator) capabilities() any {
	switch {
	case g.of(0.1):
		return nil
	case g.of(0.1):
		return obj()
	}
	caps := obj()
	share := pick(g, 0.05, 0.4, 1)
	// Mostly the sets fit each other and what the judge itself may have, or the kernel would refuse most of what the bare runtime asks for.
	fits, base := g.of(0.7), (g.Uint64()|g.Uint64())&g.room.own
	for _, set := range []string{"bounding", "effective", "permitted", "inheritable", "ambient"} {
		if g.of(0.2) && !(fits && set != "effective" && set != "ambient") {
			continue
		}
		if !fits && g.of(0.1) {
			caps.set(set, nil)
			continue
		}
		has := list{}
		for n, name := range names {
			if !g.of(share) && !fits || fits && base>>n&1 == 0 {
				continue
			}
			if set == "bounding" {
				g.bounding |= 1 << n
			}
			switch { // crun takes any case and no prefix, runc only CAP_X
			case g.of(0.0005):
				name = strings.ToLower(name)
			case g.of(0.9995):
				name = "CAP_" + name
			}
			has = append(has, name)
		}
		if g.of(0.01) {
			has = append(has, pick(g, "CAP_ALL", "ALL", "CAP_63", "", "CAP_NOTHING"))
		}
		caps.set(set, has)
	}
	return caps
}

// process is config.json's, and what an exec is given.
func (g *generator) process() *object {
	p := obj("terminal", false)
	if g.of(0.95) {
		p.set("user", g.user())
	}
	p.set("args", list{"/probe", encode(g.IntN(1000))})
	env := list{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	for range g.IntN(4) {
		env = append(env, pick(g, "HOME=/root", "HOME=/", "HOME=/tmp", "HOME=/etc", "HOME=/proc", "HOME=", "USER=root",
			"LOGNAME=root", "HOME=/home/nonroot/../../root",
			"NONROOT_USER=0", "NONROOT_USER=root", "NONROOT_USER=1000:0", "NONROOT_USER=1000", "NONROOT_USER=nonroot:root",
			"LD_PRELOAD=/x.so", "GODEBUG=", "A=é"))
	}
	if g.of(0.01) {
		env = append(env, "HOME")
	}
	p.set("env", env)
	p.set("cwd", pick(g, "/", "/", "/", "/", "/", "/", "/tmp", "/srv", "/work"))
	if g.of(0.02) {
		p.set("cwd", pick(g, "/proc/self/fd/7", "/root", "/proc/self/fd/3/..", "relative", ""))
	}
	if g.of(0.85) {
		p.set("capabilities", g.capabilities())
	}
	switch {
	case g.of(0.3):
		p.set("noNewPrivileges", true)
	case g.of(0.5):
		p.set("noNewPrivileges", false)
	case g.of(0.02):
		p.set("noNewPrivileges", pick[any](g, raw(`"true"`), raw("1"), raw("0"), raw("[]")))
	case g.of(0.1):
		p.set("noNewPrivileges", nil)
	}
	if g.of(0.2) {
		limits := list{}
		for _, l := range g.some(0.4, "RLIMIT_NOFILE", "RLIMIT_CORE", "RLIMIT_NPROC", "RLIMIT_MEMLOCK") {
			n := pick[any](g, 256, 1024, 4096)
			limits = append(limits, obj("type", l, "hard", n, "soft", n))
		}
		p.set("rlimits", limits)
	}
	if g.of(0.15) {
		p.set("oomScoreAdj", pick(g, 0, 100, 1000))
	}
	if g.of(0.01) {
		p.set("apparmorProfile", "")
	}
	if g.of(0.01) {
		p.set("selinuxLabel", "")
	}
	if g.of(0.03) {
		p.set("commandLine", "root")
	}
	if g.of(0.05) {
		p.set("scheduler", obj("policy", "SCHED_OTHER", "nice", 0))
	}
	if g.of(0.05) {
		p.set("ioPriority", obj("class", "IOPRIO_CLASS_BE", "priority", 4))
	}
	if g.of(0.05) {
		p.set("execCPUAffinity", obj("initial", "0", "final", "0"))
	}
	return p
}

func (g *generator) config(root string) *object {
	c := obj("ociVersion", pick(g, "1.0.2", "1.0.2-dev", "1.0.0", "1.1.0", "1.0.1"))
	c.set("process", g.process())
	c.set("root", obj("path", root))
	if g.of(0.2) {
		c.object("root").set("readonly", g.of(0.7))
	}
	linux := obj()
	g.namespaces(c, linux)
	c.set("mounts", g.mounts(hasSpace(linux, "user"), hasSpace(linux, "network"), hasSpace(linux, "ipc"), hasSpace(linux, "pid")))
	if g.of(0.5) {
		c.set("annotations", g.annotations())
	}
	if g.of(0.12) {
		c.set("hooks", g.hooks())
	}
	if s := g.seccomp(); s != nil {
		linux.set("seccomp", s)
	}
	g.rest(linux)
	c.set("linux", linux)
	if g.of(0.1) { // where a member stands changes nothing, unless somebody lets the last or the first one win
		g.Shuffle(len(c.members), func(i, j int) { c.members[i], c.members[j] = c.members[j], c.members[i] })
	}
	return c
}

func hasSpace(linux *object, kind string) bool {
	for _, e := range linux.get("namespaces").(list) {
		if e.(*object).get("type") == kind {
			return true
		}
	}
	return false
}

// namespaces: any set of them, new and joined.
func (g *generator) namespaces(config, linux *object) {
	spaces := list{}
	add := func(p float64, kind string, holder string, joined float64) bool {
		if !g.of(p) {
			return false
		}
		s := obj("type", kind)
		if holder != "" && g.of(joined) {
			s.set("path", g.room.namespace(holder, kind))
		}
		spaces = append(spaces, s)
		return true
	}
	holder := "plain"
	if g.of(0.3) && !(g.bare && g.of(0.7)) {
		holder = g.mappings(linux, &spaces)
	}
	if !g.bare && g.of(0.01) {
		add(0.5, "mount", "plain", 1)
	} else {
		add(1, "mount", "", 0)
	}
	add(0.85, "pid", holder, 0.1)
	add(0.65, "network", holder, 0.2)
	add(0.75, "ipc", holder, 0.15)
	if add(0.85, "uts", holder, 0.15) && g.of(0.6) {
		config.set("hostname", "judged")
		if g.of(0.2) {
			config.set("domainname", "example.com")
		}
	}
	add(0.2, "cgroup", "", 0)
	add(0.01, "time", "", 0)
	if g.of(0.01) {
		spaces = append(spaces, obj("type", pick(g, "user", "mount", "", "nothing")))
	}
	g.Shuffle(len(spaces), func(i, j int) { spaces[i], spaces[j] = spaces[j], spaces[i] })
	linux.set("namespaces", spaces)
}

func mapping(spans []span) list {
	all := list{}
	for _, s := range spans {
		all = append(all, obj("containerID", s.inside, "hostID", s.outside, "size", s.size))
	}
	return all
}

// mappings adds a user namespace, and gives the holder whose other namespaces go with it.
func (g *generator) mappings(linux *object, spaces *list) string {
	space := obj("type", "user")
	*spaces = append(*spaces, space)
	kind := pick(g, holders[1:]...)
	if g.of(0.6) {
		kind = holders[1] // the one that engines make
	}
	uids, gids := kind.uids, kind.gids
	holder := ""
	if g.of(0.3) {
		holder = kind.name
		space.set("path", g.room.namespace(holder, "user"))
		switch {
		case g.of(0.25): // a lie
			other := pick(g, holders[1:]...)
			uids, gids = other.uids, other.gids
		case g.of(0.3):
			uids, gids = nil, nil
		}
	}
	if g.of(0.05) {
		uids = g.spans()
	}
	if g.of(0.05) {
		gids = g.spans()
	}
	if uids != nil {
		linux.set("uidMappings", mapping(uids))
	}
	if gids != nil {
		linux.set("gidMappings", mapping(gids))
	}
	return holder
}

// spans is any map.
func (g *generator) spans() []span {
	var all []span
	next := uint64(0)
	for range 1 + g.IntN(4) {
		s := span{inside: next, outside: pick(g, uint64(0), 1, 1000, 100000, 300000, uint64(g.IntN(1<<20))), size: pick(g,
			uint64(1), 1, 10, 1000, 65536, uint64(g.IntN(70000)))}
		all = append(all, s)
		next += s.size + pick(g, uint64(0), 0, 100)
	}
	return all
}

func (g *generator) mounts(user, network, ipc, pid bool) list {
	mount := func(destination, kind, source string, options ...string) *object {
		m := obj("destination", destination, "type", kind, "source", source)
		if len(options) > 0 {
			all := list{}
			for _, o := range options {
				all = append(all, o)
			}
			m.set("options", all)
		}
		return m
	}
	all := list{}
	if user && !pid {
		all = append(all, mount("/proc", "bind", "/proc", "rbind"))
	} else if g.of(0.95) {
		all = append(all, mount("/proc", "proc", "proc", g.some(0.7, "nosuid", "noexec", "nodev")...))
	}
	if g.of(0.95) {
		all = append(all, mount("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"))
		if g.of(0.8) {
			options := []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"}
			if !user {
				options = append(options, "gid=5")
			}
			all = append(all, mount("/dev/pts", "devpts", "devpts", options...), mount("/dev/shm", "tmpfs", "shm", "nosuid",
				"noexec", "nodev", "mode=1777", "size=65536k"))
		}
		if ipc && g.of(0.5) {
			all = append(all, mount("/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev"))
		}
	}
	if g.of(0.6) {
		if user && !network {
			all = append(all, mount("/sys", "none", "/sys", "rbind", "nosuid", "noexec", "nodev", "ro"))
		} else {
			all = append(all, mount("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", "ro"))
		}
		if g.of(0.3) {
			all = append(all, mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime", "ro"))
		}
	}
	if g.of(0.15) {
		all = append(all, mount("/data", "bind", g.room.volume("data"), "rbind"))
	}
	places := []string{
		"/home", "/root", "/tmp", "/home/nonroot", "/run", "/var/run", "/srv", "/data", "/etc/deep",
		"/home/app", "/nonexistent", "/opt/a b", "/var/www",
	}
	for g.of(0.35) {
		at := pick(g, places...)
		switch g.IntN(5) {
		case 0, 1:
			all = append(all, mount(at, "tmpfs", "tmpfs", g.some(0.5, "nosuid", "nodev", "noexec", "mode=1777", "size=1m",
				"ro", "uid=0", "gid=0")...))
		default:
			m := mount(at, "bind", g.room.volume(pick(g, volumes...)), pick(g, "bind", "rbind"))
			for _, o := range g.some(0.25, "ro", "rprivate", "nosuid", "rslave", "dev", "suid", "exec") {
				m.append("options", o)
			}
			all = append(all, m)
		}
	}
	if g.of(0.05) { // files of accounts, as engines mount them
		all = append(all, mount(pick(g, "/etc/passwd", "/etc/group"), "bind", g.room.volume(pick(g, "passwd", "shadow")),
			"bind", "ro"))
	}
	if g.of(0.02) { // whoever mounts over /proc forges what is to be read there
		all = append(all, mount("/proc", "bind", g.room.volume("data"), "rbind"))
	}
	if g.of(0.03) {
		m := mount("/mapped", "bind", g.room.volume("data"), "bind")
		if g.of(0.5) {
			m.append("options", pick(g, "idmap", "ridmap", "idmap=uids=0-1000-1;gids=0-1000-1"))
		} else {
			m.set("uidMappings", mapping([]span{{0, 1000, 1}}))
			m.set("gidMappings", mapping([]span{{0, 1000, 1}}))
		}
		all = append(all, m)
	}
	return all
}

func (g *generator) annotations() *object {
	a := obj()
	for range 1 + g.IntN(4) {
		a.set(pick(g, "io.nonroot-runc.user", "nonroot.exempt", "io.nonroot-runc.mode", "io.kubernetes.cri.container-type",
			"io.kubernetes.cri.sandbox-namespace", "io.kubernetes.cri.image-name",
			"run.oci.keep_original_groups", "run.oci.seccomp.receiver", "run.oci.seccomp_bpf_data", "run.oci.handler",
			"run.oci.hooks.stdout", "run.oci.systemd.subgroup", "run.oci.mount_context_type",
			"run.oci.pidfd_receiver", "run.oci.keep_original_groups\u00e9", "org.criu.config", "bundle",
			"org.systemd.property.DynamicUser", "org.systemd.property.User", "io.podman.annotations.userns",
			"org.opencontainers.image.title", "io.container.manager", "com.docker.compose.project", "a=b", "bundle=/x",
			"com.example.X", "process", "Process", "user"),
			pick(g, "0", "1", "root", "0:0", "1000:0", "true", "kube-system", "sandbox", "1000", "", "/", "/tmp/x", "krun",
				"nonroot:root", "BgAAAAAA/38="))
	}
	return a
}

func (g *generator) hooks() *object {
	h := obj()
	for range 1 + g.IntN(2) {
		stage := pick(g, "prestart", "createRuntime", "poststart", "poststop", "startContainer", "createContainer")
		program := "/bin/true"
		if stage == "startContainer" {
			program = "/true"
		}
		if g.of(0.1) {
			program = pick(g, "/probe", g.room.volume("hook"), "true", "/proc/self/exe")
		}
		entry := obj("path", program, "args", list{"true"})
		if g.of(0.3) {
			entry.set("env", list{"A=1"})
		}
		if g.of(0.2) {
			entry.set("timeout", 5)
		}
		h.append(stage, entry)
	}
	return h
}

// rest is whatever else linux has.
func (g *generator) rest(linux *object) {
	resources := obj("devices", list{obj("allow", false, "access", "rwm")})
	if g.of(0.2) {
		resources.set("pids", obj("limit", pick(g, 100, 512, 4096)))
	}
	if g.of(0.1) {
		resources.set("memory", obj("limit", 1<<28))
	}
	if g.of(0.15) {
		resources.set("devices", list{obj("allow", true, "access", "rwm")})
	}
	if g.of(0.9) {
		linux.set("resources", resources)
	}
	if g.of(0.3) {
		linux.set("maskedPaths", list{"/proc/acpi", "/proc/kcore", "/proc/keys", "/sys/firmware"})
		linux.set("readonlyPaths", list{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys"})
	}
	if g.of(0.05) {
		linux.append("maskedPaths", pick(g, "/etc/passwd", "/proc/self/status", "/etc", "/home"))
	}
	if g.of(0.12) {
		s := obj()
		switch {
		case hasSpace(linux, "network") && g.of(0.7):
			s.set("net.ipv4.ip_unprivileged_port_start", pick(g, "0", "1024"))
		case hasSpace(linux, "ipc"):
			s.set("kernel.msgmax", "65536")
		}
		linux.set("sysctl", s)
	}
	if g.of(0.15) {
		for range 1 + g.IntN(2) {
			d := pick(g,
				obj("path", "/dev/extra", "type", "c", "major", 1, "minor", 3),
				obj("path", "/dev/disk", "type", "b", "major", 254, "minor", 0),
				obj("path", "/dev/mem", "type", "c", "major", 1, "minor", 1),
				obj("path", "/dev/queue", "type", "p"))
			if g.of(0.7) {
				d.set("fileMode", pick(g, 438, 384, 432, 511))
			}
			if g.of(0.7) {
				d.set("uid", pick(g, 0, 1000, 65532))
				d.set("gid", pick(g, 0, 6, 1000))
			}
			linux.append("devices", d)
		}
	}
	if g.of(0.1) {
		linux.set("rootfsPropagation", pick(g, "private", "slave", "rprivate", "rslave"))
	}
	if g.of(0.05) {
		linux.set("personality", obj("domain", pick(g, "LINUX", "LINUX32")))
	}
	if g.of(0.1) {
		linux.set("mountLabel", "")
	}
	if g.of(0.5) {
		linux.set("cgroupsPath", fmt.Sprintf("%s/%d", g.room.cgroup, g.Uint32()))
	}
}

// spoiled is the text of a document with what does not belong there: members that nobody knows, and spellings, each as probable
// as is said, and what should confuse who reads it.
func (g *generator) spoiled(doc *object, unknown, escaped float64, process string) string {
	for g.of(unknown) {
		g.unknown(doc)
	}
	if g.of(escaped) {
		g.escape(doc)
	}
	tail := ""
	if g.of(0.1) {
		tail = g.attack(doc, process)
	}
	return encode(doc) + tail
}

// unknown adds a member that no runtime knows, somewhere.
func (g *generator) unknown(config *object) {
	o := pick(g, config.objects()...)
	o.insert(g.IntN(len(o.members)+1), quoted(pick(g, "x-future", "user2", "uids", "nonNewPrivileges", "Gid0", "processes",
		"capabilities2", "__proto__", "", " ", "io", "vendor")),
		pick[any](g, 0, "root", true, nil, obj("uid", 0, "gid", 0), list{0, obj("noNewPrivileges", false)}, raw("1e400"),
			raw("12345678901234567890")))
}

// escape spells some names and words otherwise: they stay what they were.
func (g *generator) escape(config *object) {
	for range 1 + g.IntN(3) {
		o := pick(g, config.objects()...)
		if len(o.members) == 0 {
			continue
		}
		m := pick(g, o.members...)
		if len(m.name) < 3 || strings.Contains(m.name, `\`) {
			continue
		}
		at := 1 + g.IntN(len(m.name)-2)
		m.name = m.name[:at] + fmt.Sprintf(`\u%04x`, m.name[at]) + m.name[at+1:]
	}
}

// attack makes a document that two readers may read differently; what it gives follows the document. Process is the name of
// the member that is the process, "" where the document is one.
func (g *generator) attack(doc *object, process string) string {
	p := doc
	if process != "" {
		p, _ = doc.get(process).(*object)
	}
	if p == nil {
		return ""
	}
	root := obj("user", obj("uid", 0, "gid", 0, "additionalGids", list{0}), "args", list{"/probe"}, "cwd", "/",
		"noNewPrivileges", false,
		"capabilities", obj("effective", list{"CAP_SYS_ADMIN"}, "permitted", list{"CAP_SYS_ADMIN"}, "bounding",
			list{"CAP_SYS_ADMIN"}))
	g.bounding |= 1 << slices.Index(names, "SYS_ADMIN")
	where, name, val := p, "user", any(obj("uid", 0, "gid", 0))
	switch g.IntN(8) {
	case 0:
		if process != "" {
			where, name, val = doc, process, root
		}
	case 1:
		name, val = "noNewPrivileges", false
	case 2:
		name, val = "capabilities", root.get("capabilities")
	case 3:
		if u, ok := p.get("user").(*object); ok {
			where, name, val = u, pick(g, "uid", "gid"), 0
		}
	case 4:
		if u, ok := p.get("user").(*object); ok {
			where, name, val = u, "additionalGids", list{0}
		}
	case 5:
		if process != "" {
			where, name, val = doc.object("linux"), pick(g, "seccomp", "namespaces", "uidMappings"), list{}
		}
	case 6:
		if process != "" {
			where, name, val = doc, "annotations", obj("run.oci.keep_original_groups", "1", "a", "b")
		}
	case 7:
		return pick(g, "x", `{"process":{}}`, "\x00", "/* */", "null", "]", ",", "\ufeff", " \n")
	}
	if g.of(0.08) {
		where.set(name, val) // and nothing else is wrong
	}
	where.insert(g.IntN(len(where.members)+1), g.spelling(name), val)
	return ""
}

// spelling is a name that some reader takes for the given one.
func (g *generator) spelling(name string) string {
	plain := quoted(name)
	switch g.IntN(8) {
	case 0:
		return quoted(strings.ToUpper(name[:1]) + name[1:])
	case 1:
		return quoted(strings.ToUpper(name))
	case 2:
		if at := strings.IndexByte(name, 's'); at >= 0 {
			return quoted(name[:at] + "\u017f" + name[at+1:])
		}
	case 3:
		if at := strings.IndexByte(plain, 's'); at >= 0 {
			return plain[:at] + `\u017f` + plain[at+1:]
		}
	case 4:
		return plain[:len(plain)-1] + `\u0000"`
	case 5:
		return fmt.Sprintf(`"\u%04x%s`, plain[1], plain[2:])
	case 6:
		return plain[:len(plain)-1] + pick(g, " ", "\t", "\x00", `\u0000x`) + `"`
	}
	return plain
}

// execution makes a further process. Where flags describe it, it has the container's bounding set.
func (g *generator) execution(container uint64) execution {
	if g.of(0.6) {
		g.bounding = 0
		p := g.process()
		text := g.spoiled(p, 0.1, 0.15, "")
		return execution{Process: text, Bounding: g.bounding}
	}
	e := execution{Bounding: container}
	if g.of(0.7) {
		user := pick(g, "0", "0:0", "1000", "1000:0", "0:1000", "1000:1000", "65534", "33:33", "1000:6")
		if g.of(0.15) {
			user = pick(g, "root", "-1", "4294967295", "4294967296", "4294967296:4294967296", "+0", "00", "", ":0", "0x0",
				"1000:", "-4294967296:0", " 0")
		}
		e.Flags = append(e.Flags, pick(g, []string{"--user", user}, []string{"--user=" + user}, []string{"-u", user})...)
	}
	if g.of(0.4) {
		e.Flags = append(e.Flags, pick(g, []string{"--cap", "CAP_SYS_ADMIN"}, []string{"--cap=CAP_SETUID"}, []string{
			"-c",
			"CAP_DAC_OVERRIDE", "-c", "CAP_CHOWN",
		})...)
	}
	if g.of(0.2) && g.room.runtime.knowsGroups {
		e.Flags = append(e.Flags, "--additional-gids", pick(g, "0", "6", "42", "1000", "5000", "4294967296"))
	}
	e.Flags = append(e.Flags, g.some(0.1, "--no-new-privs=false", "--no-new-privs", "--cwd=/tmp", "--env=HOME=/root")...)
	return e
}

// The probe and what runtimes mount on.
var skeleton = []string{
	"/", "/dev", "/etc", "/home", "/mapped", "/proc", "/root", "/run", "/srv", "/sys", "/tmp", "/var",
	"/var/lib", "/work", "/opt",
}

// image is a rootfs, hostile at times, and the path that config.json has for it.
func (g *generator) image() ([]file, string) {
	var all []file
	dir := func(path string, mode uint32, uid int) { all = append(all, file{path, 'd', mode, uid, ""}) }
	for _, d := range skeleton {
		mode := uint32(0o755)
		switch d {
		case "/tmp":
			mode = 0o1777
		case "/root":
			mode = 0o700
		}
		dir(d, mode, 0)
	}
	account := func(path string, lines []string, most int) {
		switch {
		case g.of(0.1):
			return
		case g.of(0.06):
			all = append(all, file{path, 'l', 0, 0, pick(g, "/data/"+filepath.Base(path), "/data/"+filepath.Base(path),
				"/proc/self/environ", "/etc/shadow", "../../../../etc/shadow", "passwd", "/dev/null", "/tmp/none")})
			return
		case g.of(0.01):
			all = append(all, file{path, 'd', 0o755, 0, ""})
			return
		case g.of(0.001): // runc 1.1 waits for ever to read it
			all = append(all, file{path, 'p', 0o755, 0, ""})
			return
		}
		text := ""
		for range g.IntN(most) {
			text += pick(g, lines...) + pick(g, "\n", "\n", "\n", "\n", "\r\n", "\n\n", "\x00\n")
		}
		all = append(all, file{path, 'f', pick(g, uint32(0o644), 0o644, 0o600, 0o666), 0, text})
	}
	account("/etc/passwd", passwd, 12)
	account("/etc/group", group, 8)
	switch {
	case g.of(0.15):
		dir("/var/lib/app", 0o755, pick(g, 33, 999, 1000, 0))
		dir("/run/app", 0o755, pick(g, 33, 999, 1000, 0))
	case g.of(0.05):
		dir("/home/nonroot", 0o755, pick(g, 0, 65532))
		all = append(all, file{"/home/nonroot/.profile", 'f', 0o644, 0, "x"})
	case g.of(0.05):
		all = append(all, file{"/home/nonroot", 'l', 0, 0, pick(g, "/etc", "/", "../root", "/proc", "nonroot")})
	case g.of(0.05):
		all = append(all, file{"/home/nonroot", 'f', 0o644, 0, "no directory"})
	}
	for _, d := range []string{"/home", "/etc"} {
		if g.of(0.01) {
			all = slices.DeleteFunc(all, func(f file) bool { return f.Path == d || strings.HasPrefix(f.Path, d+"/") })
			all = append(all, file{d, 'l', 0, 0, pick(g, "/tmp", "/srv", "/proc", "../../etc", d)})
		}
	}
	if g.of(0.05) {
		return all, pick(g, "./rootfs", "rootfs/", "rootfs/../rootfs", "absolute")
	}
	return all, "rootfs"
}

// Lines of accounts: what distributions have, what images have of their own, and lines that a reader may take for root's.
var passwd = []string{
	"root:x:0:0:root:/root:/bin/sh", "root:x:0:0:root:/root:/bin/sh", "daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin",
	"www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin",
	"nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin", "redis:x:999:999::/home/redis:/bin/sh",
	"app:x:1000:1000::/home/app:/bin/sh", "app:x:1000:0::/home/app:/bin/sh",
	"node:x:1000:0:node:/root:/bin/sh", "nonroot:x:0:0:nonroot:/home/nonroot:/bin/sh",
	"nonroot:x:65532:0:nonroot:/root:/bin/sh", "nonroot:x:65532:65532:nonroot:/etc:/bin/sh",
	"toor:x:0:0::/:/bin/sh", "svc:x:-0:0::/srv:/bin/sh", "svc:x:0x0:0::/srv:/bin/sh", "svc:x::::/srv:/bin/sh",
	"svc:x:4294967296:0::/srv:/bin/sh", "svc:x:4294967295:4294967295::/srv:/bin/sh",
	"0:x:0:0::/:/bin/sh", "1000:x:0:0::/:/bin/sh", ":::::::", "x", "disk:x:500:6::/srv:/bin/sh",
	"svc:x:500:42::/proc:/bin/sh", "svc: 0 : 0 ::/:/bin/sh", "#root:x:0:0", "+::::::",
	"svc:x:2147483648:1::/srv:/bin/sh", "nonroot::65532:65532::/home/../etc:/bin/sh", "svc:x:1e3:1000::/:/bin/sh",
}

var group = []string{
	"root:x:0:", "root:x:0:app,nonroot,redis,www-data", "disk:x:6:app,nonroot", "shadow:x:42:nonroot", "www-data:x:33:",
	"nogroup:x:65534:", "app:x:1000:", "app:x:0:app", "redis:x:999:",
	"nonroot:x:65532:", "nonroot:x:0:nonroot", "docker:x:999:app", "x:x:-0:app", "x:x:4294967296:app", ":::", "x",
	"1000:x:0:1000", "5000:x:0:", "2000:x:6:", "65532:x:0:", " 5000:x:0:", "5000:x:", "wheel:x:10:nonroot",
}

// place is where a file of the image lies in a rootfs.
func (f file) place(root string) string { return filepath.Join(root, f.Path) }
