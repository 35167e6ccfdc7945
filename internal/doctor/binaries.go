// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"bytes"
	"debug/elf"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// standard lists the directories where programs are searched for, in internal/runc's order.
var standard = []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}

// find returns the first executable file of that name in the standard directories; "" if there is none.
func find(name string) string {
	for _, dir := range standard {
		file := filepath.Join(dir, name)
		if st, err := os.Stat(file); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
			return file
		}
	}
	return ""
}

// binaries checks that nonroot-runc and this program are static, and that only root can change them.
func (d *doctor) binaries() {
	own, err := os.Executable()
	if err != nil {
		own = "/proc/self/exe"
	}
	d.binary = FindRuntime(d.o.Binary)
	if d.binary == "" {
		d.bad(Fail, "binary nonroot-runc", "install nonroot-runc beside nonroot-ctl, or name it with --binary", "it is neither beside %q nor in %s", own, strings.Join(standard, ", "))
	} else {
		d.program("binary nonroot-runc", d.binary)
	}
	d.program("binary nonroot-ctl", own)
}

func (d *doctor) program(name, file string) {
	if err := soundProgram(file, d.caller.Owners); err != nil {
		d.bad(Fail, name, fmt.Sprintf("reinstall it: static, owned by root, mode 0755, in directories that only root can write (%q)", file), "%q: %v", file, err)
		return
	}
	d.ok(name, "%q is static and can be changed by root only", file)
}

// soundProgram returns what is wrong with a program. For a link, both ends are checked.
func soundProgram(file string, owners trusted.Owners) error {
	real, err := filepath.EvalSymlinks(file)
	if err != nil {
		return err
	}
	if real != file {
		dir, err := trusted.Open(filepath.Dir(file), owners)
		if err != nil {
			return err
		}
		defer dir.Close()
		if err := dir.CheckPath(); err != nil {
			return err
		}
	}
	program, err := trusted.OpenFilePath(real, owners)
	if err != nil {
		return err
	}
	defer program.Close() // nothing was written
	return static(program)
}

// static returns an error naming the interpreter of a program that has one: an interpreter loads libraries (elf(5),
// PT_INTERP).
func static(program io.ReaderAt) error {
	f, err := elf.NewFile(program)
	if err != nil {
		return fmt.Errorf("it is not an ELF program: %w", err)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return fmt.Errorf("it is linked dynamically, and runs what its interpreter loads")
		}
	}
	return nil
}

// sameProgram reports whether two paths lead to the same program, by a link or as a copy.
func sameProgram(a, b string) bool {
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	other, err := os.Stat(b)
	if err != nil {
		return false
	}
	if os.SameFile(one, other) {
		return true
	}
	if one.Size() != other.Size() {
		return false
	}
	first, err := os.ReadFile(a)
	if err != nil {
		return false
	}
	second, err := os.ReadFile(b)
	return err == nil && bytes.Equal(first, second)
}

// isOurs reports whether an engine's runtime, a path or a name, is nonroot-runc, or a wrapper that calls it.
func (d *doctor) isOurs(runtime string) bool {
	if !filepath.IsAbs(runtime) {
		runtime = find(runtime)
	}
	if runtime == "" {
		return false
	}
	return strings.HasPrefix(filepath.Base(runtime), "nonroot-runc") || d.leadsToOurs(runtime) || d.binary != "" && sameProgram(runtime, d.binary)
}

// guarded reports whether running "runc" runs nonroot-runc (nonroot-ctl configure --guard).
func (d *doctor) guarded() bool { return d.isOurs("runc") }
