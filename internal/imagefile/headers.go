// SPDX-License-Identifier: Apache-2.0

package imagefile

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"io"
	"strconv"
	"strings"
)

const (
	block      = 512     // bytes of a header; contents are padded to a multiple of it
	maxRecords = 4 << 10 // bytes of PAX records that plain reads
)

// header has the fields of a file's header that are needed here.
type header struct {
	flag       byte // of tar: tar.TypeReg, tar.TypeDir, ...
	name, link string
	mode, size int64
	uid, gid   int
	caps       bool // has file capabilities
}

// Keys of PAX records.
const (
	capsRecord   = "SCHILY.xattr.security.capability"
	xattrRecord  = "SCHILY.xattr."
	sparseRecord = "GNU.sparse."
)

func headerOf(h *tar.Header) header {
	_, caps := h.PAXRecords[capsRecord]
	return header{flag: h.Typeflag, name: h.Name, link: h.Linkname, mode: h.Mode, size: h.Size, uid: h.Uid, gid: h.Gid, caps: caps}
}

// headers reads a tar like tar.Reader, but faster: it parses headers in the form that all engines write for nearly all files. Others, and
// invalid ones, go to tar.Reader, which looks at each byte of each header. A tar.Reader keeps no state from one file to the next, so a new
// one can start at any header.
type headers struct {
	in      *window
	end     int64       // of the last file's content
	rest    *tar.Reader // reads everything after a sparse file, because no header tells the length of its content
	content io.Reader   // of the last file
	part    io.LimitedReader
}

func newHeaders(in *window) *headers { return &headers{in: in} }

func (r *headers) next() (h header, err error) {
	if r.rest == nil {
		if r.end > r.in.size {
			return h, io.ErrUnexpectedEOF
		}
		if r.in.at = padded(r.end); r.in.at >= r.in.size {
			return h, io.EOF
		}
		taken, err := r.plain(&h)
		if err != nil {
			return h, err
		}
		if taken > 0 {
			r.in.at += taken
			r.ends(h)
			r.part = io.LimitedReader{R: r.in, N: r.end - r.in.at}
			r.content = &r.part
			return h, nil
		}
	}
	in := r.rest
	if in == nil {
		in = tar.NewReader(r.in)
	}
	full, err := in.Next()
	if err != nil {
		return h, err
	}
	if sparse(full) {
		r.rest = in
	}
	h, r.content = headerOf(full), in
	r.ends(h)
	return h, nil
}

// ends sets the end of the content of the file with this header.
func (r *headers) ends(h header) {
	r.end = r.in.at
	switch h.flag {
	case tar.TypeLink, tar.TypeSymlink, tar.TypeChar, tar.TypeBlock, tar.TypeDir, tar.TypeFifo: // no content, even if they have a size
	case tar.TypeXGlobalHeader: // tar.Reader has read the content
	default:
		if r.end += h.size; h.size > r.in.size-r.in.at {
			r.end = r.in.size + 1 // the content is cut off
		}
	}
}

func padded(n int64) int64 { return (n + block - 1) / block * block }

func sparse(h *tar.Header) bool {
	if h.Typeflag == tar.TypeGNUSparse {
		return true
	}
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, sparseRecord) {
			return true
		}
	}
	return false
}

// plain reads a plain header with its PAX records, and returns their length in bytes; 0: they are not plain.
func (r *headers) plain(h *header) (taken int64, err error) {
	first, err := r.in.peek(block)
	if err != nil {
		return 0, err
	}
	if !plain(first, h) {
		return 0, nil
	}
	switch h.flag {
	case tar.TypeReg, tar.TypeLink, tar.TypeSymlink, tar.TypeDir:
		return block, nil
	case tar.TypeXHeader:
	default:
		return 0, nil
	}
	size := h.size
	taken = block + padded(size) + block
	if size > maxRecords || taken > r.in.size-r.in.at {
		return 0, nil
	}
	all, err := r.in.peek(taken)
	if err != nil {
		return 0, err
	}
	if !plain(all[taken-block:], h) || !records(all[block:block+size], h) {
		return 0, nil
	}
	switch h.flag {
	case tar.TypeReg, tar.TypeLink, tar.TypeSymlink, tar.TypeDir:
		return taken, nil
	}
	return 0, nil
}

// plain reads a header of USTAR or GNU, and reports whether all its numbers are plain. It allocates only the names.
func plain(b []byte, h *header) bool {
	gnu := string(b[257:265]) == "ustar  \x00"
	switch {
	case gnu && (b[345] != 0 || b[357] != 0): // access and change time, or a long name: left to tar.Reader
		return false
	case !gnu && (string(b[257:263]) != "ustar\x00" || string(b[508:512]) == "tar\x00"):
		return false
	}
	mode, ok1 := octal(b[100:108])
	uid, ok2 := octal(b[108:116])
	gid, ok3 := octal(b[116:124])
	size, ok4 := octal(b[124:136])
	_, ok5 := octal(b[136:148]) // time
	sum, ok6 := octal(b[148:156])
	_, ok7 := octal(b[329:337]) // device numbers
	_, ok8 := octal(b[337:345])
	if !(ok1 && ok2 && ok3 && ok4 && ok5 && ok6 && ok7 && ok8) || sum != checksum(b) {
		return false
	}
	*h = header{flag: b[156], name: string(upToNUL(b[0:100])), link: string(upToNUL(b[157:257])), mode: mode, uid: int(uid), gid: int(gid), size: size}
	if !gnu && b[345] != 0 {
		h.name = string(upToNUL(b[345:500])) + "/" + h.name
	}
	return true
}

func upToNUL(b []byte) []byte {
	if n := bytes.IndexByte(b, 0); n >= 0 {
		return b[:n]
	}
	return b
}

// octal reads digits that are followed only by NULs and spaces. No digits are 0, as in tar.Reader.
func octal(b []byte) (n int64, ok bool) {
	i := 0
	for ; i < len(b) && b[i] >= '0' && b[i] <= '7'; i++ {
		n = n<<3 | int64(b[i]-'0')
	}
	for ; i < len(b); i++ {
		if b[i] != 0 && b[i] != ' ' {
			return 0, false
		}
	}
	return n, true
}

// checksum returns the sum of a header's bytes, with spaces in place of the sum itself. It adds eight bytes at a time, in four lanes of 16
// bits.
func checksum(b []byte) int64 {
	const lanes = 0x00ff00ff00ff00ff
	var all uint64
	for i := 0; i < block; i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		switch i { // the sum is at byte 148
		case 144:
			x = x&0xffffffff | 0x20202020<<32
		case 152:
			x = x&^uint64(0xffffffff) | 0x20202020
		}
		all += x&lanes + x>>8&lanes
	}
	return int64(all&0xffff + all>>16&0xffff + all>>32&0xffff + all>>48) // #nosec G115 -- below 2^18
}

// records applies PAX records to the header that follows them. It reports false if one of them isn't a path, a link, a time or an extended
// attribute with a plain value.
func records(b []byte, h *header) bool {
	var name, link []byte // the last record of a key counts, and an empty value is ignored
	for len(b) > 0 {
		space := bytes.IndexByte(b, ' ')
		if space < 1 || space > 5 || !digits(b[:space]) {
			return false
		}
		n, err := strconv.Atoi(string(b[:space]))
		if err != nil || n < space+3 || n > len(b) || b[n-1] != '\n' {
			return false
		}
		key, value, ok := bytes.Cut(b[space+1:n-1], []byte("="))
		b = b[n:]
		switch {
		case !ok || bytes.IndexByte(key, 0) >= 0:
			return false
		case string(key) == "path" && bytes.IndexByte(value, 0) < 0:
			name = value
		case string(key) == "linkpath" && bytes.IndexByte(value, 0) < 0:
			link = value
		case string(key) == "mtime" || string(key) == "atime" || string(key) == "ctime":
			seconds, rest, _ := bytes.Cut(value, []byte("."))
			if !digits(seconds) || len(seconds) > 18 || len(rest) > 0 && !digits(rest) {
				return false
			}
		case bytes.HasPrefix(key, []byte(xattrRecord)):
			h.caps = h.caps || string(key) == capsRecord
		default:
			return false
		}
	}
	if len(name) > 0 {
		h.name = string(name)
	}
	if len(link) > 0 {
		h.link = string(link)
	}
	return true
}

func digits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0
}
