// SPDX-License-Identifier: Apache-2.0

package testkit

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// Layer is an archive of files that are described, a line each: PATH UID:GID MODE, with a slash behind the path of a directory, and the
// text behind a colon; PATH -> TARGET for a symbolic link, PATH => TARGET UID:GID MODE for a hard one; and "caps" behind the mode for
// capabilities.
// In the text, \n begins a line.
func Layer(t testing.TB, lines ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, line := range lines {
		line, text, hasText := strings.Cut(line, ": ")
		words := strings.Fields(line)
		h := &tar.Header{Name: strings.TrimPrefix(words[0], "/"), Typeflag: tar.TypeReg, Mode: 0o644, Format: tar.FormatPAX}
		switch {
		case len(words) == 3 && words[1] == "->":
			h.Typeflag, h.Linkname, h.Mode = tar.TypeSymlink, words[2], 0o777
		case len(words) >= 3 && words[1] == "=>":
			h.Typeflag, h.Linkname = tar.TypeLink, strings.TrimPrefix(words[2], "/")
			words = append(words[:1], words[3:]...)
		case strings.HasSuffix(words[0], "/"):
			h.Typeflag, h.Mode = tar.TypeDir, 0o755
		}
		if len(words) > 1 && h.Typeflag != tar.TypeSymlink {
			uid, gid, _ := strings.Cut(words[1], ":")
			h.Uid, h.Gid = number(t, uid, 10), number(t, gid, 10)
		}
		if len(words) > 2 && h.Typeflag != tar.TypeSymlink {
			h.Mode = int64(number(t, words[2], 8))
		}
		if len(words) > 3 && words[3] == "caps" {
			h.PAXRecords = map[string]string{"SCHILY.xattr.security.capability": "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"}
		}
		if hasText {
			text = strings.ReplaceAll(text, `\n`, "\n") + "\n"
			h.Size = int64(len(text))
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if hasText {
			if _, err := w.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func number(t testing.TB, text string, base int) int {
	t.Helper()
	n, err := strconv.ParseInt(text, base, 64)
	if err != nil {
		t.Fatal(err)
	}
	return int(n)
}

// Members are files of an archive, in order.
type Members struct {
	Names []string
	Texts [][]byte
}

// Add puts one more.
func (m *Members) Add(name string, text []byte) {
	m.Names, m.Texts = append(m.Names, name), append(m.Texts, text)
}

// Tar is the archive.
func (m *Members) Tar(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i, name := range m.Names {
		if err := w.WriteHeader(&tar.Header{Name: name, Size: int64(len(m.Texts[i])), Mode: 0o644, Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(m.Texts[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Sum is a digest.
func Sum(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// ImageConfig is the configuration of an image with layers: what of it is not said has its default.
func ImageConfig(t testing.TB, config map[string]any, layers ...[]byte) []byte {
	t.Helper()
	ids := []string{}
	for _, l := range layers {
		ids = append(ids, "sha256:"+Sum(l))
	}
	return JSON(t, map[string]any{"architecture": "amd64", "os": "linux", "config": config, "rootfs": map[string]any{"type": "layers", "diff_ids": ids}})
}

// JSON is a value as such.
func JSON(t testing.TB, value any) []byte {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// DockerArchive is an image as docker save writes it without containerd's store: manifest.json last.
func DockerArchive(t testing.TB, tag string, config map[string]any, layers ...[]byte) *Members {
	t.Helper()
	m := &Members{}
	var names []string
	for i, l := range layers {
		names = append(names, fmt.Sprintf("%064d/layer.tar", i))
		m.Add(names[i], l)
	}
	text := ImageConfig(t, config, layers...)
	m.Add(Sum(text)+".json", text)
	m.Add("manifest.json", JSON(t, []map[string]any{{"Config": Sum(text) + ".json", "RepoTags": []string{tag}, "Layers": names}}))
	return m
}

// OCIArchive is an image of the OCI image layout; packed are its layers as they are stored.
func OCIArchive(t testing.TB, tag string, config map[string]any, packed [][]byte, layers ...[]byte) *Members {
	t.Helper()
	m := &Members{}
	blob := func(kind string, text []byte) map[string]any {
		m.Add("blobs/sha256/"+Sum(text), text)
		return map[string]any{"mediaType": kind, "digest": "sha256:" + Sum(text), "size": len(text)}
	}
	all := []any{}
	for _, l := range packed {
		all = append(all, blob("application/vnd.oci.image.layer.v1.tar", l))
	}
	manifest := map[string]any{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": blob("application/vnd.oci.image.config.v1+json", ImageConfig(t, config, layers...)), "layers": all}
	top := blob("application/vnd.oci.image.manifest.v1+json", JSON(t, manifest))
	top["annotations"] = map[string]string{"org.opencontainers.image.ref.name": tag}
	top["platform"] = map[string]string{"os": "linux", "architecture": "amd64"}
	m.Add("index.json", JSON(t, map[string]any{"schemaVersion": 2, "manifests": []any{top}}))
	m.Add("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`))
	return m
}
