// SPDX-License-Identifier: Apache-2.0

package imagefile

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// readAll returns what a reader returns for a tar: each file, take bytes of its content, and the last error.
func readAll(next func() (header, io.Reader, error), take int64) (all []string) {
	for {
		h, content, err := next()
		if err != nil {
			for _, known := range []error{io.EOF, io.ErrUnexpectedEOF, tar.ErrHeader} {
				if errors.Is(err, known) {
					err = known
				}
			}
			return append(all, err.Error())
		}
		line := fmt.Sprintf("%+q", fmt.Sprint(h))
		if h.flag == tar.TypeReg {
			text, _ := io.ReadAll(io.LimitReader(content, take)) // the next header reports a content that is cut off
			line += fmt.Sprintf(" %q", text)
		}
		all = append(all, line)
	}
}

// same fails if headers reads a tar differently than archive/tar.
func same(t *testing.T, what string, data []byte, take int64) {
	t.Helper()
	in := tar.NewReader(bytes.NewReader(data))
	want := strings.Join(readAll(func() (header, io.Reader, error) {
		h, err := in.Next()
		if err != nil {
			return header{}, nil, err
		}
		return headerOf(h), in, nil
	}, take), "\n")
	r := newHeaders(newWindow(bytes.NewReader(data), 0, int64(len(data))))
	got := strings.Join(readAll(func() (header, io.Reader, error) {
		h, err := r.next()
		return h, r.content, err
	}, take), "\n")
	if got != want {
		t.Fatalf("%s: headers reads\n%.2000s\n\narchive/tar\n%.2000s", what, got, want)
	}
}

// TestHeaders compares headers with archive/tar, on its own test data: all formats, sparse files, truncated files, and wrong checksums.
func TestHeaders(t *testing.T) {
	root, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(root)), "src/archive/tar/testdata/*.tar"))
	if err != nil || len(files) < 30 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, cut := range []int{0, 1, 511, 512, 513, 1024, 1500} {
			for _, take := range []int64{0, 1, 512, 1 << 20} {
				same(t, fmt.Sprintf("%s less %d", filepath.Base(name), cut), text[:max(0, len(text)-cut)], take)
			}
		}
	}
}

// TestPlain: headers as engines write them for files, directories and links don't go to archive/tar, which takes most of the time because
// it looks at each byte.
func TestPlain(t *testing.T) {
	for _, format := range []tar.Format{tar.FormatUSTAR, tar.FormatPAX, tar.FormatGNU} {
		for _, flag := range []byte{tar.TypeReg, tar.TypeDir, tar.TypeSymlink, tar.TypeLink} {
			var b bytes.Buffer
			w := tar.NewWriter(&b)
			if err := w.WriteHeader(&tar.Header{Typeflag: flag, Name: "usr/lib/x", Linkname: "y", Mode: 0o4755, Uid: 1000, Gid: 2000000, Format: format}); err != nil {
				t.Fatal(err)
			}
			var h header
			if !plain(b.Bytes()[:block], &h) || h.flag != flag || h.name != "usr/lib/x" || h.uid != 1000 || h.gid != 2000000 || h.mode != 0o4755 {
				t.Errorf("%s %c: %+v", format, flag, h)
			}
		}
	}
}

func FuzzHeaders(f *testing.F) {
	for _, format := range []tar.Format{tar.FormatUSTAR, tar.FormatPAX, tar.FormatGNU} {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for _, h := range []tar.Header{
			{Typeflag: tar.TypeDir, Name: "etc/", Mode: 0o755},
			{Typeflag: tar.TypeReg, Name: "etc/passwd", Size: 5, Mode: 0o644, Uid: 1},
			{Typeflag: tar.TypeSymlink, Name: "a", Linkname: "b"},
			{Typeflag: tar.TypeLink, Name: "c", Linkname: "etc/passwd"},
			{Typeflag: tar.TypeReg, Name: strings.Repeat("long/", 25) + "n", Size: 600},
			{Typeflag: tar.TypeChar, Name: "dev", Devmajor: 1, Devminor: 3},
		} {
			h.Format = format
			if err := w.WriteHeader(&h); err != nil {
				f.Fatal(err)
			}
			if _, err := w.Write(make([]byte, h.Size)); err != nil {
				f.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes(), true, uint16(3))
		f.Add(b.Bytes()[:b.Len()-1100], false, uint16(1000))
	}
	for _, records := range []map[string]string{{"size": "9"}, {"path": "p/", "mtime": "1700000000.5", "linkpath": "l", "SCHILY.xattr.security.capability": "x"}, {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "4"}} {
		var record strings.Builder
		for key, value := range records {
			line := " " + key + "=" + value + "\n"
			fmt.Fprintf(&record, "%d%s", len(line)+2, line)
		}
		var b bytes.Buffer
		for _, one := range []struct {
			flag byte
			text string
		}{{tar.TypeXHeader, record.String()}, {tar.TypeReg, "1\n0\n4\n"}, {tar.TypeReg, ""}} {
			head := make([]byte, block)
			copy(head, "x")
			copy(head[124:], fmt.Sprintf("%011o", len(one.text)))
			head[156] = one.flag
			copy(head[257:], "ustar\x0000")
			b.Write(head)
			b.WriteString(one.text + strings.Repeat("\x00", int(padded(int64(len(one.text))))-len(one.text)))
		}
		f.Add(b.Bytes(), true, uint16(10))
	}
	f.Fuzz(func(t *testing.T, data []byte, summed bool, take uint16) {
		if summed { // otherwise most changes would only break the checksum
			data = bytes.Clone(data)
			for at := 0; at+block <= len(data); at += block {
				if head := data[at : at+block]; bytes.HasPrefix(head[257:], []byte("ustar")) {
					copy(head[148:156], fmt.Sprintf("%06o\x00 ", checksum(head)))
				}
			}
		}
		same(t, "fuzzed", data, int64(take))
	})
}
