// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/sirupsen/logrus"
)

// An oracle (see ../patch). Read from stdin, again and again: a count and as many words, each ended by a NUL. Answered on
// stdout: KEY=VALUE, each ended by a NUL, and an empty one at the end; "refused=" where no command is reached.
//
// With an argument, it lists the flags of each command: COMMAND, NAME, SHORT and "text" or "boolean".

// asked cuts the commands short. It's a variable, so that all that follows in them is still used and compiled.
var asked = true

var answer []string

func say(key, value string) {
	if strings.IndexByte(value, 0) >= 0 {
		panic("a NUL in a word")
	}
	answer = append(answer, key+"="+value)
}

// exited is thrown instead of the end of the program.
type exited struct{}

// refused stands in place of fatal.
func refused(error) { panic(exited{}) }

func main() {
	out := os.Stdout // which closes its descriptor if nobody knows it any more
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		panic(err)
	}
	os.Stdout, os.Stderr = null, null
	logrus.SetOutput(io.Discard)
	if len(os.Args) > 1 {
		listing = out
		once([]string{"runc", "list"})
		return
	}
	in, w := bufio.NewReaderSize(os.Stdin, 1<<20), bufio.NewWriterSize(out, 1<<20)
	for {
		if in.Buffered() == 0 {
			if err := w.Flush(); err != nil {
				panic(err)
			}
		}
		count, err := in.ReadString(0)
		if err == io.EOF && count == "" {
			return
		}
		n, err := strconv.Atoi(strings.TrimSuffix(count, "\x00"))
		if err != nil {
			panic(err)
		}
		words := make([]string, 1, n+1)
		words[0] = "runc"
		for i := 0; i < n; i++ {
			word, err := in.ReadString(0)
			if err != nil {
				panic(err)
			}
			words = append(words, word[:len(word)-1])
		}
		once(words)
		for _, a := range answer {
			fmt.Fprintf(w, "%s\x00", a)
		}
		w.WriteByte(0)
	}
}

// listing is where the flags go, if they are asked for.
var listing *os.File

func once(words []string) {
	answer = answer[:0]
	quiet() // each time: main wraps cli.ErrWriter
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(exited); !ok {
				panic(r)
			}
		}
		if len(answer) == 0 {
			say("refused", "")
		}
	}()
	// init.go looks at this before anything else.
	if len(words) > 1 && words[1] == "init" {
		say("verb", "init")
		return
	}
	runOnce(words)
}
