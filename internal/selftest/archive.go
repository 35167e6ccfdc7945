// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
)

// The tags of the archive's images, after the user that each requests.
const (
	rootTag     = "root"
	ordinaryTag = "ordinary"
)

// reference returns an image's name; "{name}" stands for the name of the test.
func reference(tag string) string { return "docker.io/library/{name}:" + tag }

// writeArchive writes two images with the same files in the format of "docker save", which "ctr images import" reads
// (moby/docker-image-spec, "Combined Image JSON + Filesystem Changeset Format"). One requests root, and the other 1000:1000,
// because ctr of containerd 1.6 has no --user.
func writeArchive(to io.Writer, name string) error {
	sum, size := sha256.New(), counter(0)
	if err := writeTar(io.MultiWriter(sum, &size)); err != nil {
		return err
	}
	diffID := fmt.Sprintf("sha256:%x", sum.Sum(nil))
	type entry struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
	const layer = "layer.tar"
	var manifest []entry
	w := tar.NewWriter(to)
	add := func(file string, v any) error {
		text, err := json.Marshal(v)
		if err != nil {
			return err
		}
		if err := w.WriteHeader(&tar.Header{Name: file, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(text))}); err != nil {
			return err
		}
		_, err = w.Write(text)
		return err
	}
	for _, image := range []struct{ tag, user string }{{rootTag, ""}, {ordinaryTag, "1000:1000"}} {
		config := image.tag + ".json"
		manifest = append(manifest, entry{config, []string{"docker.io/library/" + name + ":" + image.tag}, []string{layer}})
		if err := add(config, map[string]any{
			"architecture": runtime.GOARCH, "os": "linux", "config": map[string]any{"User": image.user},
			"rootfs": map[string]any{"type": "layers", "diff_ids": []string{diffID}},
		}); err != nil {
			return err
		}
	}
	if err := w.WriteHeader(&tar.Header{Name: layer, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(size)}); err != nil {
		return err
	}
	if err := writeTar(w); err != nil {
		return err
	}
	if err := add("manifest.json", manifest); err != nil {
		return err
	}
	return w.Close()
}

// counter counts the bytes that were written.
type counter int64

// Write counts.
func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
