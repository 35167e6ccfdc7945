// SPDX-License-Identifier: Apache-2.0

package dockerfile

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// depend returns an error for stages that no build can order: COPY from a stage that does not exist, and cycles. BuildKit
// checks that before it builds any (dockerfile2llb, buildStageDependencyGraph). Stages that the wanted one needs may only
// copy from earlier ones.
func (b *build) depend(wanted *stage) error {
	on := map[*stage][]*stage{}
	for at, s := range b.stages {
		if s.base != nil {
			on[s] = append(on[s], s.base)
		}
		for _, c := range s.Stage.Commands {
			sources, err := b.sources(c)
			if err != nil {
				return parser.WithLocation(err, c.Location())
			}
			for _, from := range sources {
				if slices.Index(b.stages, from) > at {
					s.takesLater = c
				}
			}
			on[s] = append(on[s], sources...)
		}
	}
	seen := map[*stage]int{} // 1: being visited, 2: done
	var circle func(s *stage) *stage
	circle = func(s *stage) *stage {
		switch seen[s] {
		case 1:
			return s
		case 2:
			return nil
		}
		seen[s] = 1
		for _, from := range on[s] {
			if at := circle(from); at != nil {
				return at
			}
		}
		seen[s] = 2
		return nil
	}
	for _, s := range b.stages {
		if at := circle(s); at != nil {
			return parser.WithLocation(fmt.Errorf("the stage %s needs itself", at.called()), at.Location)
		}
	}
	needed := []*stage{wanted}
	for n := 0; n < len(needed); n++ {
		s := needed[n]
		if s.takesLater != nil {
			return parser.WithLocation(fmt.Errorf("the stage %s takes something from one that comes later", s.called()), s.takesLater.Location())
		}
		for _, from := range on[s] {
			if !slices.Contains(needed, from) {
				needed = append(needed, from)
			}
		}
	}
	return nil
}

func (s *stage) called() string {
	if s.Name != "" {
		return strconv.Quote(s.Name)
	}
	return fmt.Sprintf("of line %d", lineOf(s.Location))
}

// sources returns the stages from which an instruction copies files.
func (b *build) sources(c instructions.Command) (all []*stage, err error) {
	switch one := c.(type) {
	case *instructions.CopyCommand:
		if one.From == "" {
			return nil, nil
		}
		if n, err := strconv.Atoi(one.From); err == nil { //lint:allow the number of a stage
			if n < 0 || n >= len(b.stages) {
				return nil, fmt.Errorf("there is no stage %d to copy from", n)
			}
			return []*stage{b.stages[n]}, nil
		}
		if s, ok := b.byName[strings.ToLower(one.From)]; ok {
			all = append(all, s)
		}
	case *instructions.RunCommand:
		for _, m := range instructions.GetMounts(one) {
			if s, ok := b.byName[strings.ToLower(m.From)]; ok && m.From != "" {
				all = append(all, s)
			}
		}
	}
	return all, nil
}

// possible returns an error for an instruction whose values no build accepts.
func possible(c instructions.Command) error {
	chmod := ""
	switch one := c.(type) {
	case *instructions.CopyCommand:
		chmod = one.Chmod
	case *instructions.AddCommand:
		chmod = one.Chmod
	case *instructions.ExposeCommand:
		for _, p := range one.Ports {
			number, _, _ := strings.Cut(p, "/")
			if n, err := strconv.ParseUint(number, 10, 64); err == nil && n > 65535 { //lint:allow a port
				return fmt.Errorf("EXPOSE %s is no port", p)
			}
		}
	}
	if strings.Trim(chmod, "0123456789") == "" && chmod != "" {
		if mode, err := strconv.ParseUint(chmod, 8, 32); err != nil || mode > 0o7777 { //lint:allow a mode
			return fmt.Errorf("--chmod=%s is no mode", chmod)
		}
	}
	return nil
}
