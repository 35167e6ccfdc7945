// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// before records the host's state before the agent's first change. Removal restores it.
type before struct {
	Files  map[string][]byte      `json:"files"`  // policies that existed, and the copies kept of them, with content
	Modes  map[string]fs.FileMode `json:"modes"`  // their permissions
	Absent []string               `json:"absent"` // files and directories that did not exist, parents first
}

// stateDir is where the agent keeps state across restarts.
const stateDir = policy.DefaultState + "/agent"

const beforeFile = "before.json"

// begin records which directories do not exist, before the agent creates the first one. It must be called on the host.
func (h *host) begin() error {
	_, err := os.Lstat(filepath.Join(stateDir, beforeFile))
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	b := newBefore()
	for _, of := range handlers {
		file := of.file()
		for _, dir := range []string{filepath.Dir(file), filepath.Dir(policy.GoodFile(file)), filepath.Dir(policy.PreviousFile(file)), h.directory} {
			b.noteDirectory(dir)
		}
	}
	return b.write()
}

// noteDirectory records a directory that does not exist, and its parents that do not.
func (b *before) noteDirectory(dir string) {
	_, err := os.Lstat(dir)
	// An agent that was killed before it could write this record has left its own directory at most.
	ours := dir == policy.DefaultState && holdsOnly(dir, filepath.Base(stateDir))
	if !ours && !errors.Is(err, fs.ErrNotExist) || slices.Contains(b.Absent, dir) {
		return
	}
	b.noteDirectory(filepath.Dir(dir))
	b.Absent = append(b.Absent, dir)
}

// holdsOnly reports whether a directory has one entry, of this name.
func holdsOnly(dir, name string) bool {
	entries, err := os.ReadDir(dir)
	return err == nil && len(entries) == 1 && entries[0].Name() == name
}

// remember records a policy file and the copies kept of it, before its first change. It must be called on the host.
func (h *host) remember(file string) error {
	b, err := recall()
	if err != nil {
		return err
	}
	if b.knows(file) {
		return nil
	}
	for _, name := range []string{file, policy.GoodFile(file), policy.PreviousFile(file)} {
		if err := b.note(name); err != nil {
			return err
		}
	}
	return b.write()
}

func newBefore() *before { return &before{Files: map[string][]byte{}, Modes: map[string]fs.FileMode{}} }

// write keeps the record.
func (b *before) write() error {
	data, err := json.Marshal(b)
	if err != nil {
		return err
	}
	return keep(beforeFile, data)
}

func (b *before) knows(file string) bool {
	_, was := b.Files[file]
	return was || slices.Contains(b.Absent, file)
}

// note records the present state of a file.
func (b *before) note(name string) error {
	info, err := os.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		b.Absent = append(b.Absent, name)
		return nil
	}
	if err != nil {
		return err
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	b.Files[name], b.Modes[name] = text, info.Mode().Perm()
	return nil
}

// recall reads what remember recorded.
func recall() (*before, error) {
	b := newBefore()
	data, err := os.ReadFile(filepath.Join(stateDir, beforeFile))
	if errors.Is(err, fs.ErrNotExist) {
		return b, nil
	}
	if err != nil {
		return nil, err
	}
	return b, json.Unmarshal(data, b)
}

// keep replaces a file in the agent's state directory. It must be called on the host.
func keep(name string, data []byte) error {
	if err := os.MkdirAll(stateDir, 0o700); err != nil {
		return err
	}
	return trusted.ReplacePath(filepath.Join(stateDir, name), data, 0o600, trusted.CallersOwners(nil))
}

// takeBack restores the node. It waits for the pods that need the handlers, which only their owners may end.
func (a *agent) takeBack(ctx context.Context) error {
	if a.seen == "removed" {
		return nil
	}
	// First, keep new pods away.
	if err := a.cluster.publish(ctx, status{reason: "Removing", message: "nonroot-runc is being removed from this node"}); err != nil {
		return err
	}
	var names []string
	for _, h := range handlers {
		names = append(names, h.name)
	}
	pods, err := a.daemon.Needing(ctx, names...)
	if err != nil {
		return err
	}
	if len(pods) > 0 {
		var some []string
		for _, p := range pods[:min(len(pods), 5)] {
			some = append(some, p.String())
		}
		if len(pods) > len(some) {
			some = append(some, "...")
		}
		return fmt.Errorf("%w: pods still need the handlers (%d): %s\nhint: drain the node, or delete them", errWaiting, len(pods), strings.Join(some, ", "))
	}
	begun, running, err := a.left(ctx)
	if err != nil {
		return err
	}
	if begun || running {
		// An agent that was killed in here, or anyone else, may have removed the program that unregisters the handlers.
		if _, err := a.host.install(); err != nil {
			return fmt.Errorf("install the programs: %w", err)
		}
		if err := a.withdraw(ctx); err != nil {
			return err
		}
	}
	if err := a.host.Do(a.host.clean); err != nil {
		return err
	}
	slog.Info("nothing of nonroot-runc is left on this node")
	a.cluster.nodeEvent(ctx, false, "NonRootRemoved", "the node is as it was before nonroot-runc, except for the log of decisions")
	a.seen = "removed"
	return nil
}

// left reports whether the host has anything of the agent's, and whether the running daemon has its handlers.
func (a *agent) left(ctx context.Context) (begun, running bool, err error) {
	err = a.host.Do(func() error {
		for _, path := range []string{filepath.Join(a.directory, tool), filepath.Join(stateDir, beforeFile)} {
			if _, err := os.Lstat(path); err == nil {
				begun = true
			}
		}
		return nil
	})
	if err == nil {
		running, err = a.runs(ctx)
	}
	return begun, running, err
}

// withdraw removes the handlers from the daemon's files, and then from the running daemon.
func (a *agent) withdraw(ctx context.Context) error {
	release, err := a.cluster.slot(ctx, a.limit)
	if err != nil {
		return err
	}
	defer release()
	slog.Info("taking the handlers out", "engine", a.engine)
	if err := a.host.unregister(); err != nil {
		return err
	}
	running, err := a.runs(ctx)
	if err != nil || !running {
		return err
	}
	slog.Info("restarting the CRI daemon", "by", a.host.restarter())
	return a.restartAndWait(ctx, false)
}

// clean restores files and removes the agent's own. It must be called on the host.
func (h *host) clean() error {
	b, err := recall()
	if err != nil {
		return err
	}
	for _, of := range handlers[1:] {
		if err := removeIfThere(h.binary(of)); err != nil {
			return err
		}
	}
	for _, name := range programs {
		path := filepath.Join(h.directory, name)
		if err := errors.Join(removeIfThere(path), removeIfThere(path+newProgram)); err != nil {
			return err
		}
	}
	if err := h.sweep(b); err != nil {
		return err
	}
	for file, text := range b.Files {
		if err := trusted.ReplacePath(file, text, uint32(b.Modes[file]), trusted.CallersOwners(nil)); err != nil {
			return err
		}
	}
	// The record itself goes last, so that an agent that is killed in here can continue.
	for _, path := range b.Absent {
		if path == policy.DefaultState {
			continue
		}
		info, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) || err == nil && info.IsDir() {
			continue
		}
		if err := errors.Join(err, os.Remove(path)); err != nil {
			return err
		}
	}
	for i := range b.Absent {
		// A directory that has other files by now stays.
		if dir := b.Absent[len(b.Absent)-1-i]; dir != policy.DefaultState {
			_ = os.Remove(dir)
		}
	}
	if slices.Contains(b.Absent, policy.DefaultState) {
		return os.RemoveAll(policy.DefaultState)
	}
	return os.RemoveAll(stateDir)
}

// sweep removes the temporary files of killed agents, wherever they write.
func (h *host) sweep(b *before) error {
	dirs := map[string]bool{}
	for _, path := range slices.Concat(h.watched(), b.Absent, slices.Collect(maps.Keys(b.Files))) {
		dirs[filepath.Dir(path)] = true
	}
	for path := range dirs {
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		dir, err := trusted.OpenPath(path, trusted.CallersOwners(nil))
		if err != nil {
			return err
		}
		dir.Sweep()
		dir.Close()
	}
	return nil
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
