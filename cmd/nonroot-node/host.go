// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	osexec "os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/configure"
	"github.com/nonroot-runc/nonroot-runc/internal/engines"
	"github.com/nonroot-runc/nonroot-runc/internal/hostns"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// host carries out each step on the host.
type host struct {
	options
	*hostns.Namespace
}

// The programs to install on the host.
const tool = "nonroot-ctl"

var programs = []string{configure.Binary, tool}

// newProgram is the suffix of a program that is not complete yet.
const newProgram = ".new"

// install installs the programs, each by a rename: running containers keep the file that they were created with, and calls
// during it get either the old or the new one. changed is false if there was nothing to do.
func (h *host) install() (changed bool, err error) {
	for _, name := range programs {
		put, err := h.put(name)
		if err != nil {
			return changed, err
		}
		changed = changed || put
	}
	if changed {
		debug.FreeOSMemory() // the contents of the programs
	}
	return changed, nil
}

func (h *host) put(name string) (changed bool, err error) {
	own, err := os.Open(filepath.Join(h.programs, name)) // from the agent's image
	if err != nil {
		return false, err
	}
	defer own.Close() // nothing was written
	sum, err := sumOf(own)
	if err != nil {
		return false, err
	}
	err = h.Do(func() error {
		path := filepath.Join(h.directory, name)
		if isProgram(path, sum) {
			return nil
		}
		// Every parent directory must be root's, or the file could be replaced before it is executed.
		if err := os.MkdirAll(h.directory, 0o755); err != nil {
			return err
		}
		dir, err := trusted.OpenPath(h.directory, trusted.CallersOwners(nil))
		if err != nil {
			return err
		}
		defer dir.Close()
		dir.Sweep()
		if _, err := own.Seek(0, io.SeekStart); err != nil {
			return err
		}
		data, err := io.ReadAll(own)
		if err != nil {
			return err
		}
		// A leftover could have another owner or mode, which would be kept.
		if err := dir.Remove(name + newProgram); err != nil {
			return err
		}
		if err := dir.ReplaceSynced(name+newProgram, data, 0o755); err != nil {
			return err
		}
		changed = true
		return os.Rename(path+newProgram, path)
	})
	return changed, err
}

// isProgram reports whether a file belongs to root and has this digest.
func isProgram(path, sum string) bool {
	var st unix.Stat_t
	if unix.Lstat(path, &st) != nil || st.Mode != unix.S_IFREG|0o755 || st.Uid != 0 {
		return false
	}
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer file.Close() // nothing was written
	there, err := sumOf(file)
	return err == nil && there == sum
}

func sumOf(file io.Reader) (string, error) {
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// ctl runs nonroot-ctl on the host.
func (h *host) ctl(ctx context.Context, args ...string) (out string, err error) {
	err = h.Do(func() error {
		out, err = h.command(ctx, append([]string{filepath.Join(h.directory, tool)}, args...)...)
		return err
	})
	return out, err
}

// command runs a program in the mount namespace of the calling thread.
func (h *host) command(ctx context.Context, words ...string) (string, error) {
	path, err := lookPath(words[0])
	if err != nil {
		return "", err
	}
	cmd := osexec.CommandContext(ctx, path, words[1:]...) // #nosec G702 -- the words are the DaemonSet's, whose author owns the node
	cmd.Env = []string{"PATH=" + searchPath, "LANG=C"}
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s: %w: %s", strings.Join(words, " "), err, strings.TrimSpace(said.String()+out.String()))
	}
	return out.String(), nil
}

const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// lookPath finds a program on the host. The agent's own PATH is its image's.
func lookPath(name string) (string, error) {
	if filepath.IsAbs(name) {
		return name, nil
	}
	for _, dir := range filepath.SplitList(searchPath) {
		path := filepath.Join(dir, name)
		if unix.Access(path, unix.X_OK) == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("the host has no %q\nhint: name what restarts its CRI daemon (restart.command)", name)
}

// configure returns nonroot-ctl's arguments for a handler.
func (h *host) configure(of handler, more ...string) []string {
	args := []string{"configure", h.engine, "--runtime-name", of.name}
	if h.config != "" {
		args = append(args, "--config", h.config)
	}
	return append(args, more...)
}

func (h *host) adding(of handler) []string {
	args := []string{"--binary", filepath.Join(h.directory, configure.Binary)}
	if of.profile != "" {
		args = append(args, "--profile", of.profile)
	}
	return args
}

// unchanged is what configure prints if there is nothing to do.
const unchanged = "nothing to change\n"

// registered reports whether the daemon's files have every handler.
func (h *host) registered() (bool, error) {
	for _, of := range handlers {
		out, err := h.ctl(context.Background(), h.configure(of, append(h.adding(of), "--dry-run")...)...)
		if err != nil {
			return false, err
		}
		if out != unchanged {
			return false, nil
		}
	}
	return true, nil
}

func (h *host) register() error {
	for _, of := range handlers {
		if _, err := h.ctl(context.Background(), h.configure(of, h.adding(of)...)...); err != nil {
			return err
		}
	}
	return nil
}

// configuration holds the daemon's files before the registration. A restart that fails restores them.
type configuration struct {
	files map[string][]byte // nil: the file did not exist
	made  []string          // directories that did not exist
}

// registration lists every file that a registration creates or changes, with the ones that nonroot-ctl keeps next to them.
func (h *host) registration() []string {
	config, main := h.daemonConfig()
	files := []string{main, configure.TemplateOf(main, 2), configure.TemplateOf(main, 3)}
	for _, dir := range h.dropInDirs() {
		for _, of := range handlers {
			files = append(files, filepath.Join(dir, config.DropIn(of.name)))
		}
	}
	for _, file := range files {
		files = append(files, configure.Beside(file)...)
	}
	return files
}

// configuration reads these files. It must be called on the host.
func (h *host) configuration() (*configuration, error) {
	c := &configuration{files: map[string][]byte{}}
	for _, path := range h.registration() {
		text, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTDIR) {
			return nil, err
		}
		c.files[path] = text
		if text == nil && err == nil {
			c.files[path] = []byte{}
		}
	}
	for _, dir := range h.dropInDirs() {
		if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
			c.made = append(c.made, dir)
		}
	}
	return c, nil
}

// putBack restores the daemon's files. nonroot-ctl can't be used for it, because it refuses while pods need the handlers. It
// must be called on the host.
func (h *host) putBack(c *configuration) error {
	for path, text := range c.files {
		if text == nil {
			if err := removeIfThere(path); err != nil && !errors.Is(err, unix.ENOTDIR) {
				return err
			}
			continue
		}
		if now, err := os.ReadFile(path); err == nil && bytes.Equal(now, text) {
			continue
		}
		if err := trusted.ReplacePath(path, text, 0o644, trusted.CallersOwners(nil)); err != nil {
			return err
		}
	}
	for _, dir := range c.made {
		_ = unix.Rmdir(dir) // if others have put files in it, it stays
	}
	return nil
}

// dropInDirs returns the directories of the daemon's drop-ins, even those that it does not read.
func (h *host) dropInDirs() (dirs []string) {
	config, main := h.daemonConfig()
	for _, name := range []string{"conf.d", "config.toml.d", "config-v3.toml.d"} {
		dirs = append(dirs, filepath.Join(filepath.Dir(main), name))
	}
	if config.DropIns != "" {
		dirs = append(dirs, config.DropIns)
	}
	return dirs
}

// daemonConfig returns the daemon's configuration, and the file that it reads first.
func (h *host) daemonConfig() (config *engines.Config, main string) {
	config = &engines.Containerd.Config
	if h.engine == engines.CRIO.Config.Command {
		config = &engines.CRIO.Config
	}
	main = h.config
	if main == "" {
		main = config.Files[0]
	}
	return config, main
}

// unregister restores the daemon's files byte for byte. nonroot-ctl refuses while containers need the handlers.
func (h *host) unregister() error {
	for i := range handlers {
		if _, err := h.ctl(context.Background(), h.configure(handlers[len(handlers)-1-i], "--uninstall")...); err != nil {
			return err
		}
	}
	return nil
}

// restartDaemon restarts the CRI daemon. Containers continue, because they are children of their shims.
func (h *host) restartDaemon(ctx context.Context) error {
	return h.Do(func() error {
		if len(h.restart) == 0 {
			return restartUnit(ctx, h.engine)
		}
		_, err := h.command(ctx, h.restart...)
		return err
	})
}

// restarter names what restarts the daemon.
func (h *host) restarter() string {
	if len(h.restart) == 0 {
		return "systemd"
	}
	return strings.Join(h.restart, " ")
}

// selfTest runs a container that tries to become root, with the binary that the handler calls.
func (h *host) selfTest(ctx context.Context) error {
	_, err := h.ctl(ctx, "self-test", filepath.Join(h.directory, configure.Binary))
	return err
}

// fingerprint identifies the present files of the installation by their inodes, so that a file that is changed or replaced
// changes it.
func (h *host) fingerprint() (text string, err error) {
	var b strings.Builder
	err = h.Do(func() error {
		for _, path := range h.watched() {
			var st unix.Stat_t
			switch err := unix.Lstat(path, &st); {
			case errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR):
				fmt.Fprintf(&b, "%s absent\n", path)
			case err != nil:
				return &fs.PathError{Op: "look at", Path: path, Err: err}
			default:
				fmt.Fprintf(&b, "%s %d:%d %d %o %d.%09d\n", path, st.Dev, st.Ino, st.Size, st.Mode, st.Ctim.Sec, st.Ctim.Nsec)
			}
		}
		return nil
	})
	return b.String(), err
}

// watched lists the files that the handlers depend on.
func (h *host) watched() []string {
	var paths []string
	for _, name := range programs {
		paths = append(paths, filepath.Join(h.directory, name))
	}
	for _, of := range handlers[1:] {
		paths = append(paths, h.binary(of))
	}
	_, main := h.daemonConfig()
	data, _ := os.ReadFile(main) // an unreadable file counts as one that no program generates
	if _, made := configure.Maker(main, data); made {
		// The file is generated at each start from these templates. What the daemon makes of it is checked through the
		// daemon.
		paths = append(paths, configure.TemplateOf(main, 2), configure.TemplateOf(main, 3))
	} else {
		paths = append(paths, main)
	}
	for _, dir := range h.dropInDirs() {
		found, err := filepath.Glob(filepath.Join(dir, "*"))
		if err == nil {
			paths = append(append(paths, dir), found...)
		}
	}
	return paths
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
