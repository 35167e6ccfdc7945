// SPDX-License-Identifier: Apache-2.0

package spec

//go:generate go run ../../hack/shapes -out shapes_gen.go

// shape describes how the decoders of runtimes read a JSON value: which objects fill a struct (with names from the
// specification), which fill a map (with names that are data), and where arrays of such objects are. The shapes are
// generated from the types of github.com/opencontainers/runtime-spec, so that no reflection is needed while a container
// waits.
type shape struct {
	kind   shapeKind
	fields []field // of a struct
	elem   *shape  // of a list or map; nil: the elements are leaves
}

type shapeKind uint8

const (
	structure shapeKind = iota
	list
	mapping
)

type field struct {
	name  string
	shape *shape // nil: a leaf
}
