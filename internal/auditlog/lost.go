// SPDX-License-Identifier: Apache-2.0

package auditlog

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/quote"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// LostFile, in a policy's state directory, counts the decisions that were not logged everywhere. Removing it resets
// the count.
func LostFile(state string) string { return path.Join(state, "lost") }

// Lost is the content of the counter.
type Lost struct {
	Count  uint64    `json:"count"`
	Last   time.Time `json:"last"`
	Reason string    `json:"reason"` // of the last one
}

// lostSize is the length of the counter's only line, in bytes. It is constant, so that the line is written in place: on
// a full disk, where lines are lost, a file can't grow, but it keeps its block.
const lostSize = 512

// lostTries is how often a call tries to get the lock, and lostPause how long it waits after each try.
const (
	lostTries = 20
	lostPause = time.Millisecond / 2
)

// CountLost adds one to the counter. It does not wait long; a caller that gets an error has already warned in the
// engine's log.
func CountLost(state string, why error, owners trusted.Owners) error {
	return countLost(LostFile(state), time.Now(), why, owners)
}

func countLost(name string, now time.Time, why error, owners trusted.Owners) error {
	if err := os.MkdirAll(path.Dir(name), 0o700); err != nil {
		return err
	}
	real, _, err := trusted.CheckPath(path.Dir(name), owners)
	if err != nil {
		return err
	}
	fd, err := unix.Open(path.Join(real, path.Base(name)), unix.O_RDWR|unix.O_CREAT|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	defer unix.Close(fd) // also releases the lock
	if _, err := isLog(fd, owners); err != nil {
		return err
	}
	if err := lock(fd); err != nil {
		return err
	}
	buf := make([]byte, lostSize)
	n, err := unix.Pread(fd, buf, 0)
	if err != nil {
		return err
	}
	before, _ := parseLost(buf[:n]) // a malformed count is zero
	line := fmt.Sprintf("%d %s %s", before.Count+1, now.UTC().Format(decision.LogTime), quote.Text(strings.ReplaceAll(why.Error(), "\n", "; "), 400))
	line = fmt.Sprintf("%-*s\n", lostSize-1, line[:min(len(line), lostSize-1)])
	_, err = unix.Pwrite(fd, []byte(line), 0)
	return err
}

func lock(fd int) error {
	for range lostTries {
		err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return err
		}
		time.Sleep(lostPause)
	}
	return unix.EWOULDBLOCK
}

// ReadLost reads the counter; a missing one means that nothing was lost.
func ReadLost(state string, owners trusted.Owners) (Lost, error) {
	return readLost(LostFile(state), owners)
}

func readLost(name string, owners trusted.Owners) (Lost, error) {
	data, err := trusted.ReadPath(name, owners)
	if errors.Is(err, unix.ENOENT) {
		return Lost{}, nil
	}
	if err != nil {
		return Lost{}, err
	}
	l, ok := parseLost(data)
	if !ok {
		return l, fmt.Errorf("%q does not begin with a number and a time\nhint: remove it to reset the count", name)
	}
	return l, nil
}

func parseLost(data []byte) (l Lost, ok bool) {
	count, rest, _ := strings.Cut(strings.TrimRight(string(data), " \n"), " ")
	last, reason, _ := strings.Cut(rest, " ")
	n, err := strconv.ParseUint(count, 10, 63)
	if err != nil {
		return Lost{}, false
	}
	t, err := time.Parse(decision.LogTime, last)
	if err != nil {
		return Lost{}, false
	}
	return Lost{n, t, reason}, true
}
