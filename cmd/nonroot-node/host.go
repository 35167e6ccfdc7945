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

// host does each step on the host.
type host struct {
	options
	*hostns.Namespace
}

// The programs that go onto the host.
const tool = "nonroot-ctl"

var programs = []string{configure.Binary, tool}

// newProgram ends the name of a program until it is complete.
const newProgram = ".new"

// install puts the programs into their place, each by a rename: containers that run keep the file that they were made with, and who
// calls it meanwhile has the old one or the new one. It says whether there was anything to do.
func (h *host) install() (changed bool, err error) {
	for _, name := range programs {
		put, err := h.put(name)
		if err != nil {
			return changed, err
		}
		changed = changed || put
	}
	if changed {
		debug.FreeOSMemory() // the programs were in it
	}
	return changed, nil
}

func (h *host) put(name string) (changed bool, err error) {
	own, err := os.Open(filepath.Join(h.programs, name)) // in the agent's image
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
		// Every directory on the way is root's, or a file in it could be exchanged before it is run.
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
		// What is there may have another owner or mode, which would be kept.
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

// isProgram says that a file is root's, and the program of that digest.
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

// command runs a program in the namespace that the calling thread is in.
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

// lookPath finds a program on the host: the agent's own PATH is that of its image.
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

// configure is nonroot-ctl's command line for a handler.
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

// unchanged is what configure says where nothing is to be done.
const unchanged = "nothing to change\n"

// registered says that the daemon's files have each handler.
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

// configuration is what the daemon's files are before the handlers are registered: what a restart that fails puts back.
type configuration struct {
	files map[string][]byte // nil: there was none
	made  []string          // directories that were not there
}

// registration is every file that a registration makes or changes, with what nonroot-ctl keeps beside it.
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

// configuration reads these files. It is called on the host.
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

// putBack has the daemon's files be what they were. nonroot-ctl would refuse where pods need the handlers. It is called on the host.
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
		_ = unix.Rmdir(dir) // what others have put into it meanwhile stays
	}
	return nil
}

// dropInDirs are where the daemon's drop-ins are, whether or not it reads each.
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

// daemonConfig is where the daemon has its configuration, and the file that it reads first.
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

// unregister takes the handlers out of the daemon's files, which are then as they were, byte for byte. nonroot-ctl refuses while
// containers need them.
func (h *host) unregister() error {
	for i := range handlers {
		if _, err := h.ctl(context.Background(), h.configure(handlers[len(handlers)-1-i], "--uninstall")...); err != nil {
			return err
		}
	}
	return nil
}

// restartDaemon restarts the CRI daemon. Containers go on running: they are their shims' children, not the daemon's.
func (h *host) restartDaemon(ctx context.Context) error {
	return h.Do(func() error {
		if len(h.restart) == 0 {
			return restartUnit(ctx, h.engine)
		}
		_, err := h.command(ctx, h.restart...)
		return err
	})
}

// restarter is what does that.
func (h *host) restarter() string {
	if len(h.restart) == 0 {
		return "systemd"
	}
	return strings.Join(h.restart, " ")
}

// selfTest has a container try to become root, by the very program that the handler calls.
func (h *host) selfTest(ctx context.Context) error {
	_, err := h.ctl(ctx, "self-test", filepath.Join(h.directory, configure.Binary))
	return err
}

// fingerprint is what the installation's files are now, by their inodes: who changes one, or replaces it, changes it.
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

// watched are the files on which the handlers rest.
func (h *host) watched() []string {
	var paths []string
	for _, name := range programs {
		paths = append(paths, filepath.Join(h.directory, name))
	}
	for _, of := range handlers[1:] {
		paths = append(paths, h.binary(of))
	}
	_, main := h.daemonConfig()
	data, _ := os.ReadFile(main) // none is read as one that nobody makes
	if _, made := configure.Maker(main, data); made {
		// It is written anew at each start, from these: the daemon itself is asked what it has of it.
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
