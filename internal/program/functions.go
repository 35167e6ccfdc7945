// SPDX-License-Identifier: Apache-2.0

package program

import (
	"slices"
	"strings"
)

// unrolled returns a script in the order in which a shell would run it: a function's body replaces its first call, and is
// dropped if nothing calls it. Here-documents are dropped. If only the beginning of the script is known, the rest may call
// any of its functions, so functions that are not called go to the end, as if under a condition. A script in another
// language is returned unchanged.
func unrolled(script string) string {
	if !isShells(script) {
		return script
	}
	r := unroller{bodies: map[string][]statement{}}
	r.run(r.defined(statements(withoutDocuments(script))))
	if len(script) >= maxScript {
		for _, name := range r.names {
			r.under(r.taken(name))
		}
	}
	var out strings.Builder
	for _, s := range r.out {
		out.WriteString(s.op)
		if s.op != "\n" {
			out.WriteByte(' ')
		}
		out.WriteString(s.text)
		out.WriteByte(' ')
	}
	return strings.TrimSpace(out.String()) + "\n"
}

type unroller struct {
	names  []string // in the order of their definitions
	bodies map[string][]statement
	out    []statement
}

// defined collects the functions of a script, and returns its other statements.
func (r *unroller) defined(all []statement) (rest []statement) {
	for i := 0; i < len(all); i++ {
		name, body, ok := definition(all[i:])
		if !ok {
			rest = append(rest, all[i])
			continue
		}
		if _, known := r.bodies[name]; !known {
			r.names = append(r.names, name)
		}
		r.bodies[name] = body
		i += len(body)
		// The name, the opening brace if it is a statement of its own, and the closing brace.
		for i++; i < len(all) && all[i].first() != "}"; i++ {
		}
	}
	return rest
}

// definition returns the function that a list of statements begins with (POSIX.1-2024, Shell Command Language, 2.9.5;
// bash(1)). Only bodies in braces are understood.
func definition(all []statement) (name string, body []statement, ok bool) {
	words := strings.Fields(all[0].text)
	if len(words) > 1 && words[0] == "function" {
		words = words[1:]
	}
	open := 0
	switch {
	case len(words) == 1 && len(all) > 1 && all[1].op == "(" && all[1].first() == "{":
		open = 1
	case len(words) == 2 && words[1] == "{" && strings.HasPrefix(all[0].text, "function"):
		return words[0], group(all[1:]), true
	default:
		return "", nil, false
	}
	if inner := strings.TrimSpace(strings.TrimPrefix(all[open].text, "{")); inner != "" {
		body = append(body, statement{"\n", inner})
	}
	return words[0], append(body, group(all[open+1:])...), true
}

// group returns the statements up to the closing brace, or all of them if it is missing.
func group(all []statement) []statement {
	depth := 0
	for i, s := range all {
		switch {
		case s.first() == "}":
			if depth--; depth < 0 {
				return all[:i]
			}
		case slices.Contains(strings.Fields(s.text), "{"):
			depth++
		}
	}
	return all
}

// taken returns a function's body, the first time only.
func (r *unroller) taken(name string) []statement {
	body := r.bodies[name]
	delete(r.bodies, name)
	return body
}

// run appends statements, with calls replaced by the functions' bodies.
func (r *unroller) run(all []statement) {
	for i, s := range all {
		words := strings.Fields(s.text)
		front := 0
		for front < len(words) && (slices.Contains(leading, words[front]) || strings.Contains(words[front], "=")) {
			front++
		}
		if front == len(words) || r.bodies[words[front]] == nil {
			r.out = append(r.out, s)
			continue
		}
		body := r.taken(words[front])
		chained := s.op == "&&" || s.op == "||" || i+1 < len(all) && all[i+1].op == "||"
		// Words in front of the call, such as "if", keep their meaning.
		r.out = append(r.out, statement{s.op, strings.Join(append(words[:front:front], ":"), " ")})
		if chained {
			r.under(body)
		} else {
			r.run(r.defined(body))
		}
	}
}

// under appends statements that run under an unknown condition.
func (r *unroller) under(body []statement) {
	if len(body) == 0 {
		return
	}
	r.out = append(r.out, statement{"\n", "if :"}, statement{";", "then :"})
	r.run(r.defined(body))
	r.out = append(r.out, statement{"\n", "fi"})
}
