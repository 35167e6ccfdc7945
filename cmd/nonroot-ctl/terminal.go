// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"os"
	"time"

	"github.com/briandowns/spinner"
	"github.com/fatih/color"
	"golang.org/x/sys/unix"
)

// This is for people at a terminal only: colours, unless NO_COLOR is set (https://no-color.org) or TERM is "dumb",
// and a sign that something is going on.

var (
	bad     = color.New(color.FgRed, color.Bold)
	doubt   = color.New(color.FgYellow)
	good    = color.New(color.FgGreen)
	passing = color.New(color.Faint)
)

// painted is a text in a colour, if it goes to a terminal. The library only checks standard output.
func painted(to io.Writer, how *color.Color, text string) string {
	if to != io.Writer(os.Stdout) {
		return text
	}
	return how.Sprint(text)
}

// isTerminal reports whether a file is a terminal.
func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// patience is how long something may take before a sign is shown.
const patience = time.Second

// working shows a spinner on standard error, if that is a terminal, until stop is called, which has to happen before
// anything else is printed.
func working(to io.Writer, at string) (stop func()) {
	file, ok := to.(*os.File)
	if !ok {
		return func() {}
	}
	s := spinner.New(spinner.CharSets[9], patience/10, spinner.WithWriterFile(file), spinner.WithSuffix(" "+at), spinner.WithHiddenCursor(true))
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-done:
		case <-time.After(patience):
			s.Start()
			<-done
			s.Stop()
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}
