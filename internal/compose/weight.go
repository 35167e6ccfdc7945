// SPDX-License-Identifier: Apache-2.0

package compose

import (
	"fmt"
	"path/filepath"

	node "go.yaml.in/yaml/v3"
)

// maxWeight limits the values that a file expands to. The loader takes 35 µs and a kilobyte for each, and has no limit of its own on what
// extends and pre_start copy.
const maxWeight = 100_000

// scale counts the values that a project expands to, with aliases, merges, services that extend others, and included files.
type scale struct {
	files    *projectFiles
	weighed  map[string]bool
	services map[[2]string]int // by file and name
	nodes    map[*node.Node]int
}

// checkWeight returns an error if a project expands to too many values. The files have been guarded.
func checkWeight(f *projectFiles) error {
	s := &scale{files: f, weighed: map[string]bool{}, services: map[[2]string]int{}, nodes: map[*node.Node]int{}}
	total := 0
	for _, one := range f.loaded {
		total = sum(total, s.file(one.path))
	}
	if total > maxWeight {
		return fmt.Errorf("with what its services inherit, it has more than %d values", maxWeight)
	}
	return nil
}

// documents returns what a file has; nil if it can't be read, which the loader reports.
func (s *scale) documents(path string) []*node.Node {
	if one := s.files.seen[path]; one != nil {
		return one.documents
	}
	return nil
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

func (s *scale) file(path string) (total int) {
	if s.weighed[path] {
		return 0
	}
	s.weighed[path] = true
	for _, root := range s.documents(path) {
		for i, top := 0, target(inside(root)); top.Kind == node.MappingNode && i+1 < len(top.Content); i += 2 {
			if name := top.Content[i].Value; name != "services" && name != "jobs" {
				total = sum(total, s.values(top.Content[i+1]))
			}
		}
		for _, kind := range []string{"services", "jobs"} {
			all := target(under(root, kind))
			for i := 0; all != nil && i+1 < len(all.Content); i += 2 {
				total = sum(total, s.service(path, kind, all.Content[i].Value))
			}
		}
		included := target(under(root, "include"))
		for i := 0; included != nil && i < len(included.Content); i++ {
			one := target(included.Content[i])
			paths := []*node.Node{one}
			if p := target(under(one, "path")); p != nil {
				paths = append([]*node.Node{p}, p.Content...)
			}
			for _, p := range paths {
				if at := s.files.path(filepath.Dir(path), target(p).Value); at != "" {
					total = sum(total, s.file(at))
				}
			}
		}
	}
	return total
}

// service counts the values of a service, with those that it inherits, and again for each container that runs before it.
func (s *scale) service(file, kind, name string) int {
	key := [2]string{file, kind + " " + name}
	if known, ok := s.services[key]; ok {
		return known
	}
	s.services[key] = 0 // if a service extends itself
	total := 0
	for _, root := range s.documents(file) {
		n := target(under(target(under(root, kind)), name))
		weight := s.values(n)
		if of := target(under(n, "extends")); of != nil {
			from, service := file, of.Value
			if in := target(under(of, "file")); in != nil {
				from = s.files.path(filepath.Dir(file), in.Value)
			}
			if in := target(under(of, "service")); in != nil {
				service = in.Value
			}
			weight = sum(weight, s.service(from, kind, service))
		}
		total = sum(total, weight*(1+before(n, 0)))
	}
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
