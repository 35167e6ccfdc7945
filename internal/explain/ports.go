// SPDX-License-Identifier: Apache-2.0

package explain

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/nonroot-runc/nonroot-runc/internal/proc"
)

// Port is a port that the container is expected to listen on.
type Port struct {
	Number uint16
	From   string // the source of that: "ExposedPorts"
}

// sysctlPorts is the first port that all users may listen on (ip-sysctl.rst, ip_unprivileged_port_start).
const sysctlPorts = "net.ipv4.ip_unprivileged_port_start"

// UsualPort is its value in a new network namespace, and in the host's (Linux, include/net/sock.h, PROT_SOCK).
const UsualPort = 1024

// ports reports ports below the limit: listening on one needs CAP_NET_BIND_SERVICE.
func (v *view) ports(declared []Port) {
	first, from := v.firstPort()
	seen := map[uint16]bool{}
	for _, p := range append(slices.Clone(declared), hints(v.spec.Process)...) {
		if int(p.Number) >= first || seen[p.Number] {
			continue
		}
		seen[p.Number] = true
		v.problem("port", strconv.Itoa(int(p.Number)), "%s: it is below %d (%s); set the sysctl %s=%d, or listen on a higher port", p.From, first, from, sysctlPorts, p.Number)
	}
}

// firstPort returns the first port that all users may listen on in the container's network namespace, and where that is
// known from.
func (v *view) firstPort() (first int, from string) {
	if text, ok := v.spec.Linux.Sysctl[sysctlPorts]; ok {
		if n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 16); err == nil {
			return int(n), "config.json's sysctl"
		}
	}
	at := slices.IndexFunc(v.spec.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == specs.NetworkNamespace })
	switch {
	case at < 0:
		if n, err := portsOf(""); err == nil {
			return n, "the host's sysctl"
		}
	case v.spec.Linux.Namespaces[at].Path != "":
		if n, err := portsOf(v.spec.Linux.Namespaces[at].Path); err == nil {
			return n, "the sysctl of the network namespace that it joins"
		}
	}
	return UsualPort, "the kernel's default"
}

// portsOf reads the sysctl in a network namespace; "" is the caller's.
func portsOf(namespace string) (int, error) {
	first := 0
	look := func() error {
		text, err := proc.Read("/proc/sys/net/ipv4/ip_unprivileged_port_start")
		if err == nil {
			first, err = strconv.Atoi(strings.TrimSpace(string(text)))
		}
		return err
	}
	var err error
	if namespace == "" {
		err = look()
	} else {
		err = proc.InNetwork(namespace, look)
	}
	return first, err
}

var (
	portVariable = regexp.MustCompile(`(^|_)PORT$`)
	portFlag     = regexp.MustCompile(`^--?[a-z-]*port[= ]?([0-9]{1,5})$`)
	flagName     = regexp.MustCompile(`^--?([a-z-]*port|p)$`)
)

// hints returns ports that the process's environment and arguments mention: PORT=80, --port=80, --port 80, -p 80, or an
// address such as ":80" or "0.0.0.0:80". They are guesses.
func hints(p *specs.Process) []Port {
	var all []Port
	add := func(text, format string, args ...any) {
		if n, err := strconv.ParseUint(text, 10, 16); err == nil && n > 0 {
			all = append(all, Port{uint16(n), fmt.Sprintf(format, args...)}) // ParseUint was limited to 16 bits
		}
	}
	for _, e := range p.Env {
		if name, value, _ := strings.Cut(e, "="); portVariable.MatchString(name) {
			add(value, "the environment's %q", name)
		}
	}
	for i, a := range p.Args {
		if i == 0 {
			continue
		}
		if m := portFlag.FindStringSubmatch(a); m != nil {
			add(m[1], "the argument %q", a)
		}
		if flagName.MatchString(p.Args[i-1]) {
			add(a, "the arguments %q", p.Args[i-1]+" "+a)
		}
		value := a[strings.IndexByte(a, '=')+1:]
		if host, port, err := net.SplitHostPort(value); err == nil && (host == "" || net.ParseIP(host) != nil || host == "*") {
			add(port, "the argument %q", a)
		}
	}
	return all
}
