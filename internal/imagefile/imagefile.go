// SPDX-License-Identifier: Apache-2.0

// Package imagefile reads images from files: a directory in the OCI image layout, or an archive from `docker save` or `podman save`. It
// streams the layers and never unpacks them. It keeps the owners of directories, the files with privileges, and the accounts. Images are
// hostile, so that everything read has a limit. What an image means is up to internal/check.
package imagefile

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/nonroot-runc/nonroot-runc/internal/accounts"
)

// Limits on an image's documents and layers.
const (
	maxDocument = 4 << 20
	maxImages   = 64
	maxLayers   = 1024
	maxMembers  = 100_000 // of an archive
	maxUnpacked = 64 << 30
	maxRatio    = 200     // a layer may unpack to this many times its size, after the first GiB
	freeOfRatio = 1 << 30 // bytes
	maxWindow   = 8 << 20 // of zstd: the size that RFC 8878 recommends decoders to support
)

// Config is the part of an image's configuration that is needed here (OCI image specification, config.md).
type Config struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
	Config       struct {
		User         string              `json:"User"`
		Env          []string            `json:"Env"`
		Entrypoint   []string            `json:"Entrypoint"`
		Cmd          []string            `json:"Cmd"`
		WorkingDir   string              `json:"WorkingDir"`
		Volumes      map[string]struct{} `json:"Volumes"`
		ExposedPorts map[string]struct{} `json:"ExposedPorts"`
		OnBuild      []string            `json:"OnBuild"`
		Healthcheck  struct{ Test []string }
	} `json:"config"`
	RootFS struct {
		DiffIDs []string `json:"diff_ids"`
	} `json:"rootfs"`
}

// Image is an image that was read.
type Image struct {
	Name string // its tag, or the digest of its configuration
	Config
	Tree *Tree
}

// store opens the parts of images by name.
type store interface {
	open(name string) (r *window, closed func(), err error)
}

// Layout reads the images in a directory in the OCI image layout.
func Layout(dir string) ([]*Image, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close() //nolint:errcheck // it was only read
	return read(directory{root})
}

type directory struct{ root *os.Root }

func (d directory) open(name string) (*window, func(), error) {
	st, err := d.root.Stat(name)
	if err == nil && !st.Mode().IsRegular() {
		err = fmt.Errorf("%q is not a regular file", name)
	}
	if err != nil {
		return nil, nil, err
	}
	f, err := d.root.Open(name)
	if err != nil {
		return nil, nil, err
	}
	return newWindow(f, 0, st.Size()), func() { _ = f.Close() }, nil // it was only read
}

// Archive reads the images in an archive.
func Archive(file io.ReaderAt, size int64) ([]*Image, error) {
	a := archive{file: file, members: map[string]member{}}
	section := newWindow(file, 0, size)
	in := tar.NewReader(section)
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("it is not an archive of an image: %w", err)
		}
		if len(a.members) >= maxMembers {
			return nil, fmt.Errorf("it has more than %d members", maxMembers)
		}
		at, err := section.Seek(0, io.SeekCurrent)
		if err != nil {
			return nil, err
		}
		name := path.Clean(h.Name)
		switch {
		case h.Typeflag == tar.TypeReg:
			if at+h.Size > size {
				return nil, fmt.Errorf("its member %.100q is cut off", h.Name)
			}
			a.members[name] = member{at: at, size: h.Size} // the last of two members with the same name counts
		case h.Typeflag == tar.TypeSymlink:
			a.members[name] = member{link: path.Join(path.Dir(name), h.Linkname)} // #nosec G305 -- docker save writes doubled layers so; nothing is unpacked
		case h.Typeflag == tar.TypeLink:
			a.members[name] = member{link: path.Clean(h.Linkname)}
		}
	}
	return read(a)
}

type member struct {
	at, size int64
	link     string
}

type archive struct {
	file    io.ReaderAt
	members map[string]member
}

func (a archive) open(name string) (*window, func(), error) {
	at := path.Clean(name)
	for range 4 {
		m, ok := a.members[at]
		switch {
		case !ok:
			return nil, nil, fmt.Errorf("it has no member %.200q: %w", name, fs.ErrNotExist)
		case m.link == "":
			return newWindow(a.file, m.at, m.size), func() {}, nil
		}
		at = m.link
	}
	return nil, nil, fmt.Errorf("its member %.200q is a link to links", name)
}

// document reads a part as a whole. Its size is limited.
func document(s store, name string) ([]byte, error) {
	r, closed, err := s.open(name)
	if err != nil {
		return nil, err
	}
	defer closed()
	if r.size > maxDocument {
		return nil, fmt.Errorf("%.200q has %d bytes, and no more than %d are read", name, r.size, maxDocument)
	}
	return io.ReadAll(r)
}

// reference names the parts of an image.
type reference struct {
	name, config string
	layers       []string
}

type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	Annotations map[string]string `json:"annotations"`
	Platform    *struct {
		Architecture string `json:"architecture"`
		OS           string `json:"os"`
	} `json:"platform"`
}

// read reads all images of a store. Engines use either Docker's manifest or OCI's index. If the store has both, both are read, and images
// that are in both are returned once.
func read(s store) ([]*Image, error) { return bound(freeOfRatio).read(s) }

// bound is how many bytes a layer may unpack to, however small it is.
type bound int64

func (free bound) read(s store) ([]*Image, error) {
	var refs []reference
	docker, dockerErr := ofDocker(s)
	if dockerErr != nil && !errors.Is(dockerErr, fs.ErrNotExist) {
		return nil, dockerErr
	}
	oci, ociErr := ofIndex(s, "index.json", "", 0)
	if ociErr != nil && !errors.Is(ociErr, fs.ErrNotExist) {
		return nil, ociErr
	}
	if dockerErr != nil && ociErr != nil {
		return nil, errors.New("it has neither manifest.json nor index.json, and is not an image\nhint: write one with docker save, podman save or skopeo copy")
	}
	for _, ref := range slices.Concat(docker, oci) {
		same := func(o reference) bool {
			return path.Base(o.config) == path.Base(ref.config) && len(o.layers) == len(ref.layers)
		}
		if !slices.ContainsFunc(refs, same) {
			refs = append(refs, ref)
		}
	}
	if len(refs) == 0 {
		return nil, errors.New("it has no image")
	}
	if len(refs) > maxImages {
		return nil, fmt.Errorf("it has %d images, and no more than %d are read", len(refs), maxImages)
	}
	var all []*Image
	pool := &pool{free: free, bytes: 4 * int64(free), entries: freeEntries, seen: map[string]bool{}}
	for _, ref := range refs {
		image, err := ref.read(s, pool)
		if err != nil {
			return nil, fmt.Errorf("the image %.200q: %w", ref.name, err)
		}
		all = append(all, image)
	}
	return all, nil
}

// ofDocker reads manifest.json.
func ofDocker(s store) (refs []reference, err error) {
	text, err := document(s, "manifest.json")
	if err != nil {
		return nil, err
	}
	var all []struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, fmt.Errorf("its manifest.json: %w", err)
	}
	for _, one := range all {
		ref := reference{name: one.Config, config: one.Config, layers: one.Layers}
		if len(one.RepoTags) > 0 {
			ref.name = one.RepoTags[0]
		}
		refs = append(refs, ref)
	}
	return refs, nil
}

// ofIndex reads an index, and the indexes in it.
func ofIndex(s store, name, tag string, depth int) (refs []reference, err error) {
	if depth > 4 {
		return nil, errors.New("its indexes lead to one another")
	}
	text, err := document(s, name)
	if err != nil {
		return nil, err
	}
	if depth > 0 {
		if err := isOf(text, name); err != nil {
			return nil, err
		}
	}
	var index struct {
		Manifests []descriptor `json:"manifests"`
	}
	if err := json.Unmarshal(text, &index); err != nil {
		return nil, fmt.Errorf("its %.200s: %w", name, err)
	}
	if len(index.Manifests) > maxImages {
		return nil, fmt.Errorf("its %.200s has %d manifests, and no more than %d are read", name, len(index.Manifests), maxImages)
	}
	for _, d := range forHere(index.Manifests) {
		file, err := blob(d.Digest)
		if err != nil {
			return nil, err
		}
		named := tag
		for _, key := range []string{"io.containerd.image.name", "org.opencontainers.image.ref.name"} { //lint:allow annotations of an index
			if value := d.Annotations[key]; value != "" && named == tag {
				named = value
			}
		}
		var below []reference
		switch d.MediaType {
		case "application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json":
			below, err = ofIndex(s, file, named, depth+1)
		default:
			below, err = ofManifest(s, file, named)
		}
		if err != nil {
			return nil, err
		}
		if refs = append(refs, below...); len(refs) > maxImages {
			return nil, fmt.Errorf("it has more than %d images", maxImages)
		}
	}
	return refs, nil
}

// forHere leaves out what is not an image, such as attestations. It also leaves out images for other platforms if there is one for this
// platform.
func forHere(all []descriptor) []descriptor {
	all = slices.DeleteFunc(slices.Clone(all), func(d descriptor) bool {
		return d.Annotations["vnd.docker.reference.type"] != "" || d.Platform != nil && d.Platform.OS == "unknown"
	})
	here := slices.DeleteFunc(slices.Clone(all), func(d descriptor) bool {
		return d.Platform != nil && (d.Platform.OS != "linux" || d.Platform.Architecture != runtime.GOARCH)
	})
	if len(here) > 0 {
		return here
	}
	return all
}

func ofManifest(s store, file, tag string) ([]reference, error) {
	text, err := document(s, file)
	if err != nil {
		return nil, err
	}
	if err := isOf(text, file); err != nil {
		return nil, err
	}
	var m struct {
		Config descriptor   `json:"config"`
		Layers []descriptor `json:"layers"`
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, fmt.Errorf("its manifest %.200s: %w", file, err)
	}
	ref := reference{name: tag}
	if ref.config, err = blob(m.Config.Digest); err != nil {
		return nil, err
	}
	if ref.name == "" {
		ref.name = m.Config.Digest
	}
	for _, l := range m.Layers {
		name, err := blob(l.Digest)
		if err != nil {
			return nil, err
		}
		ref.layers = append(ref.layers, name)
	}
	return []reference{ref}, nil
}

// blob returns the path of the content with a digest.
func blob(digest string) (string, error) {
	algorithm, sum, ok := strings.Cut(digest, ":")
	if raw, err := hex.DecodeString(sum); !ok || err != nil || algorithm != "sha256" || len(raw) != sha256.Size {
		return "", fmt.Errorf("%.100q is not a digest of sha256", digest)
	}
	return "blobs/sha256/" + sum, nil
}

// isOf returns an error if a document's name is a digest, but not the document's.
func isOf(text []byte, name string) error {
	sum := strings.TrimSuffix(path.Base(name), ".json")
	raw, err := hex.DecodeString(sum)
	if err != nil || len(raw) != sha256.Size {
		return nil
	}
	if got := sha256.Sum256(text); !bytes.Equal(got[:], raw) {
		return fmt.Errorf("%.200q has other content than its digest says", name)
	}
	return nil
}

func (ref *reference) read(s store, pool *pool) (*Image, error) {
	text, err := document(s, ref.config)
	if err != nil {
		return nil, err
	}
	if err := isOf(text, ref.config); err != nil {
		return nil, err
	}
	image := &Image{Name: ref.name}
	if err := json.Unmarshal(text, &image.Config); err != nil {
		return nil, fmt.Errorf("its configuration: %w", err)
	}
	switch {
	case len(ref.layers) > maxLayers:
		return nil, fmt.Errorf("it has %d layers, and no more than %d are read", len(ref.layers), maxLayers)
	case len(image.RootFS.DiffIDs) != len(ref.layers):
		return nil, fmt.Errorf("its manifest names %d layers, and its configuration %d", len(ref.layers), len(image.RootFS.DiffIDs))
	}
	if image.OS == "windows" {
		is, err := image.isWindows(s, pool, ref.layers)
		if is || err != nil {
			return image, err
		}
		image.OS = "linux" // Podman starts it, with a warning
	}
	texts := map[string]bool{"passwd": true, "group": true}
	for range maxPasses {
		image.Tree = newTree(image.wanted(), texts, pool)
		if err := image.layers(s, pool, ref.layers); err != nil {
			return nil, err
		}
		// Accounts may be links to files of any name. The text of these files was not kept.
		more := image.Tree.unread()
		if len(more) == 0 {
			break
		}
		for _, name := range more {
			texts[name] = true
		}
	}
	return image, nil
}

// maxPasses limits how often an image is read to find its accounts.
const maxPasses = 3

func (im *Image) layers(s store, pool *pool, names []string) error {
	for n, name := range names {
		if err := im.layer(s, n, name, pool); err != nil {
			return fmt.Errorf("its layer %.200q: %w", name, err)
		}
	}
	return nil
}

// isWindows reports whether an image for Windows, according to its configuration, also has files of Windows. Archives may lack Windows' own
// layers.
func (im *Image) isWindows(s store, pool *pool, names []string) (bool, error) {
	im.Tree = newTree(nil, nil, pool)
	im.Tree.windows = true
	for n, name := range names {
		err := im.layer(s, n, name, pool)
		switch {
		case errors.Is(err, errNotWindows):
			return false, nil
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return false, fmt.Errorf("its layer %.200q: %w", name, err)
		}
	}
	return true, nil
}

// wanted reports whether a rule may need a file: its name is the one of a program that the image or its health check starts (it may be
// reached through links), or it is next to the directories of the image's state, where it counts as an entry.
func (im *Image) wanted() func(p string) bool {
	names := map[string]bool{}
	c := im.Config.Config
	for _, command := range [][]string{slices.Concat(c.Entrypoint, c.Cmd), c.Healthcheck.Test} {
		for n, word := range command {
			if n < 8 && word != "" && len(word) < maxPath {
				names[path.Base(word)] = true
			}
		}
	}
	dirs, most := accounts.State()
	below := make([]string, 0, len(dirs))
	for _, dir := range dirs {
		below = append(below, dir+"/")
	}
	return func(p string) bool {
		if names[path.Base(p)] {
			return true
		}
		for _, dir := range below {
			if rest, ok := strings.CutPrefix(p, dir); ok && strings.Count(rest, "/") < most.Levels {
				return true
			}
		}
		return false
	}
}

func (im *Image) layer(s store, n int, name string, pool *pool) error {
	r, closed, err := s.open(name)
	if err != nil {
		return err
	}
	defer closed()
	pool.adds(name, r.size)
	magic := make([]byte, 4)
	got, err := io.ReadFull(r, magic)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return err
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return err
	}
	switch magic = magic[:got]; {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(bufio.NewReaderSize(r, 1<<16))
		if err != nil {
			return err
		}
		return im.Tree.apply(n, &bounded{r: z, left: pool.free.unpacked(r.size), pool: pool})
	case bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return err
		}
		defer z.Close()
		return im.Tree.apply(n, &bounded{r: z, left: pool.free.unpacked(r.size), pool: pool})
	}
	return im.Tree.applyFile(n, r)
}

// unpacked returns how many bytes a layer of a size may unpack to.
func (free bound) unpacked(size int64) int64 {
	return min(int64(free)+size*maxRatio, maxUnpacked)
}

// bounded returns an error instead of more than left bytes.
type bounded struct {
	r    io.Reader
	left int64
	pool *pool
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errors.New("it unpacks to far more than it weighs")
	}
	if b.pool.bytes <= 0 {
		return 0, errors.New("the layers unpack to far more than they weigh")
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	b.pool.bytes -= int64(n)
	return n, err
}

// pool limits what is read of all layers together, because images may use the same layer many times.
type pool struct {
	free           bound
	bytes, entries int64 // what is left: unpacked bytes, and entries of all layers
	seen           map[string]bool
}

// freeEntries is how many entries of layers are read, however small the layers are.
const freeEntries = 5_000_000

// adds raises the limits by the size of a layer, once for each layer.
func (p *pool) adds(name string, size int64) {
	if !p.seen[name] {
		p.seen[name] = true
		p.bytes += size * maxRatio
		p.entries += size / 8 // 64 times the number of headers that fit
	}
}

// Accounts returns the image's passwd and group. Links are followed within the image.
func (im *Image) Accounts() (passwd, group []byte) {
	if e, ok := im.Tree.At("/etc/passwd"); ok && e.Type == tar.TypeReg {
		passwd = e.Text
	}
	if e, ok := im.Tree.At("/etc/group"); ok && e.Type == tar.TypeReg {
		group = e.Text
	}
	return passwd, group
}

// StateOwners returns the owners of directories in the image's state. complete is false above the limits that the runtime itself has.
func (im *Image) StateOwners() (owners map[uint32]bool, complete bool) {
	dirs, most := accounts.State()
	owners = map[uint32]bool{}
	entries, opened := 0, 0
	var look func(n *node, levels int)
	look = func(n *node, levels int) {
		opened++
		for _, c := range n.children {
			entries++
			if c.Type != tar.TypeDir {
				continue
			}
			owners[uint32(c.UID)] = true // #nosec G115 -- an owner on disk has 32 bits
			if levels > 1 && slices.ContainsFunc(slices.Collect(maps.Values(c.children)), func(d *node) bool { return d.Type == tar.TypeDir }) {
				look(c, levels-1)
			}
		}
	}
	for _, dir := range dirs {
		if n := im.Tree.unlinked(dir); n != nil && n.Type == tar.TypeDir {
			look(n, most.Levels)
		} else {
			opened++
		}
	}
	return owners, entries <= most.Entries && opened <= most.Directories
}
