// SPDX-License-Identifier: Apache-2.0

// Command archive writes DIR/image.tar, as docker save writes it, and DIR/layer.tar, the layer in it: FILES files of BYTES in all, half of
// them small, some very large, as those of an image are. With "records", each has an extended attribute, and so records of PAX.
package main

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "archive:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 3 {
		return errors.New("usage: archive DIR FILES BYTES [records]")
	}
	dir := args[0]
	files, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	size, err := strconv.ParseInt(args[2], 10, 64)
	if err != nil {
		return err
	}
	sum, err := layer(filepath.Join(dir, "layer.tar"), files, size, len(args) > 3)
	if err != nil {
		return err
	}
	return image(filepath.Join(dir, "image.tar"), filepath.Join(dir, "layer.tar"), sum)
}

// layer writes the layer, and says what its digest is.
func layer(name string, files int, size int64, records bool) (string, error) {
	f, err := os.Create(name)
	if err != nil {
		return "", err
	}
	defer f.Close() // the one that counts is below
	sum := sha256.New()
	out := tar.NewWriter(io.MultiWriter(f, sum))
	random := rand.New(rand.NewPCG(1, 2)) // #nosec G404 -- the same sizes in each run
	weights, all := make([]float64, files), 0.0
	for n := range weights {
		weights[n] = math.Exp(random.NormFloat64() * 1.5)
		all += weights[n]
	}
	content := make([]byte, 1<<20)
	for n, w := range weights {
		dir := fmt.Sprintf("usr/lib/package-%d/", n/50)
		if n%50 == 0 {
			if err := out.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: 0o755, Format: tar.FormatPAX}); err != nil {
				return "", err
			}
		}
		// The format, and no fractions of a second, as containerd's and Docker's writers have it: USTAR, where no record is needed.
		h := &tar.Header{Typeflag: tar.TypeReg, Name: fmt.Sprintf("%smodule-%d.so", dir, n), Mode: 0o644, Size: int64(w / all * float64(size)), Format: tar.FormatPAX}
		if records {
			h.PAXRecords = map[string]string{"SCHILY.xattr.user.checksum": strconv.Itoa(n)}
		}
		if err := out.WriteHeader(h); err != nil {
			return "", err
		}
		for left := h.Size; left > 0; left -= int64(len(content)) {
			if _, err := out.Write(content[:min(left, int64(len(content)))]); err != nil {
				return "", err
			}
		}
	}
	if err := errors.Join(out.Close(), f.Close()); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

func image(name, layer, sum string) error {
	config, err := json.Marshal(map[string]any{
		"architecture": "amd64", "os": "linux", "config": map[string]any{"User": "1000"},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + sum}},
	})
	if err != nil {
		return err
	}
	digest := sha256.Sum256(config)
	called := hex.EncodeToString(digest[:]) + ".json"
	manifest, err := json.Marshal([]map[string]any{{"Config": called, "RepoTags": []string{"big:1"}, "Layers": []string{"layer.tar"}}})
	if err != nil {
		return err
	}
	in, err := os.Open(layer)
	if err != nil {
		return err
	}
	defer in.Close() // it was only read
	st, err := in.Stat()
	if err != nil {
		return err
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close() // the one that counts is below
	out := tar.NewWriter(f)
	for name, text := range map[string][]byte{called: config, "manifest.json": manifest} {
		if err := out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(text)), Mode: 0o644}); err != nil {
			return err
		}
		if _, err := out.Write(text); err != nil {
			return err
		}
	}
	if err := out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "layer.tar", Size: st.Size(), Mode: 0o644}); err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	return errors.Join(out.Close(), f.Close())
}
