// SPDX-License-Identifier: Apache-2.0

// Command console stands for what an engine has at the other end of --console-socket: it makes the socket, waits for the
// terminal that a runtime sends over it, and then shows on stdout what appears there and types what comes on stdin.
//
//	console SOCKET
package main

import (
	"fmt"
	"io"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: console SOCKET")
		os.Exit(2)
	}
	tty, err := receive(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "console:", err)
		os.Exit(1)
	}
	go io.Copy(tty, os.Stdin) // it ends with the terminal
	// Reading ends with EIO when the last process has closed the terminal's other side.
	_, _ = io.Copy(os.Stdout, tty)
}

// receive waits for one descriptor (cmsg(3)).
func receive(socket string) (*os.File, error) {
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		return nil, err
	}
	defer listener.Close() // one connection was all
	conn, err := listener.AcceptUnix()
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	name, oob := make([]byte, 4096), make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := conn.ReadMsgUnix(name, oob)
	if err != nil {
		return nil, err
	}
	messages, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil || len(messages) != 1 {
		return nil, fmt.Errorf("the runtime sent %d control messages (%w)", len(messages), err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fds[0]), "terminal"), nil
}
