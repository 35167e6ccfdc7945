// SPDX-License-Identifier: Apache-2.0

package compose

import (
	"fmt"
	"os"
	"path/filepath"

	node "go.yaml.in/yaml/v3"
)

// maxWeight limits the values that a file expands to. The loader takes 35 µs and a kilobyte for each, and has no limit of its own on what
// extends and pre_start copy.
const maxWeight = 100_000

// scale counts the values that a file expands to, with aliases, merges, services that extend others, and included files.
type scale struct {
	files    map[string]*node.Node
	services map[[2]string]int // by file and name
	nodes    map[*node.Node]int
}

// checkWeight returns an error if a file expands to too many values.
func checkWeight(file string, root *node.Node) error {
	s := &scale{files: map[string]*node.Node{file: root}, services: map[[2]string]int{}, nodes: map[*node.Node]int{}}
	if s.file(file) > maxWeight {
		return fmt.Errorf("with what its services inherit, it has more than %d values", maxWeight)
	}
	return nil
}

// open returns the document of a file; nil if it can't be read, which the loader reports.
func (s *scale) open(file string) *node.Node {
	if root, ok := s.files[file]; ok || len(s.files) > maxServices {
		return root
	}
	s.files[file] = nil
	if st, err := os.Stat(file); err != nil || !st.Mode().IsRegular() || st.Size() > MaxBytes {
		return nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	var root node.Node
	if err := node.Unmarshal(text, &root); err == nil {
		s.files[file] = &root
	}
	return s.files[file]
}

func sum(all ...int) (total int) {
	for _, n := range all {
		total = min(total+n, maxWeight+1)
	}
	return total
}

// values counts the values below a node. Aliases count as much as what they refer to.
func (s *scale) values(n *node.Node) int {
	if n == nil {
		return 0
	}
	if known, ok := s.nodes[n]; ok {
		return known
	}
	s.nodes[n] = 0 // if an alias refers to a node that contains it
	total := 1
	if n.Kind == node.AliasNode {
		total = s.values(n.Alias)
	}
	for _, c := range n.Content {
		total = sum(total, s.values(c))
	}
	s.nodes[n] = total
	return total
}

func (s *scale) file(file string) int {
	root, total := s.open(file), 0
	if root != nil && len(root.Content) == 1 {
		for i, top := 0, root.Content[0]; top.Kind == node.MappingNode && i+1 < len(top.Content); i += 2 {
			if name := top.Content[i].Value; name != "services" && name != "jobs" {
				total = sum(total, s.values(top.Content[i+1]))
			}
		}
	}
	for _, kind := range []string{"services", "jobs"} {
		all := under(root, kind)
		for i := 0; all != nil && i+1 < len(all.Content); i += 2 {
			total = sum(total, s.service(file, kind, all.Content[i].Value))
		}
	}
	if included := under(root, "include"); included != nil {
		for _, one := range included.Content {
			paths := []*node.Node{one}
			if p := under(one, "path"); p != nil {
				paths = append([]*node.Node{p}, p.Content...)
			}
			for _, p := range paths {
				if at := beside(file, p.Value); p.Value != "" && s.files[at] == nil {
					total = sum(total, s.file(at))
				}
			}
		}
	}
	return total
}

func beside(file, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(file), name)
}

// service counts the values of a service, with those that it inherits, and again for each container that runs before it.
func (s *scale) service(file, kind, name string) int {
	key := [2]string{file, kind + " " + name}
	if known, ok := s.services[key]; ok {
		return known
	}
	s.services[key] = 0 // if a service extends itself
	n := target(under(under(s.open(file), kind), name))
	total := s.values(n)
	if of := under(n, "extends"); of != nil {
		from, service := file, of.Value
		if in := under(of, "file"); in != nil {
			from = beside(file, in.Value)
		}
		if in := under(of, "service"); in != nil {
			service = in.Value
		}
		total = sum(total, s.service(from, kind, service))
	}
	total = min(total*(1+before(n, 0)), maxWeight+1)
	s.services[key] = total
	return total
}

// before counts the containers that run before a service, also those that are merged into it.
func before(n *node.Node, depth int) (count int) {
	n = target(n)
	if all := target(under(n, "pre_start")); all != nil {
		count = len(all.Content)
	}
	if merged := under(n, "<<"); merged != nil && depth < 8 {
		for _, one := range append([]*node.Node{merged}, merged.Content...) {
			count = max(count, before(one, depth+1))
		}
	}
	return count
}
