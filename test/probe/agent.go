// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"net"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// notification and response are seccomp's (Linux, uapi/linux/seccomp.h).
type notification struct {
	id         uint64
	pid, flags uint32
	data       [64]byte
}

type response struct {
	id    uint64
	val   int64
	error int32
	flags uint32
}

const (
	notifRecv = 0xc0502100 // SECCOMP_IOCTL_NOTIF_RECV
	notifSend = 0xc0182101 // SECCOMP_IOCTL_NOTIF_SEND
)

// agent does for a container's process what it asks for, as listeners that emulate system calls do.
func agent(socket, file string) error {
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		fd, err := receive(conn.(*net.UnixConn))
		if err != nil {
			return err
		}
		go serve(fd, file)
	}
}

// receive takes the descriptor that a runtime sends with the container's state.
func receive(conn *net.UnixConn) (int, error) {
	state, control := make([]byte, 1<<16), make([]byte, 1<<10)
	_, n, _, _, err := conn.ReadMsgUnix(state, control)
	if err != nil {
		return -1, err
	}
	messages, err := unix.ParseSocketControlMessage(control[:n])
	if err != nil {
		return -1, err
	}
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err == nil && len(fds) > 0 {
			return fds[len(fds)-1], nil
		}
	}
	return -1, errors.New("no descriptor was sent")
}

func serve(fd int, file string) {
	for {
		var asked notification
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), notifRecv, uintptr(unsafe.Pointer(&asked))); errno != 0 {
			return
		}
		if err := os.WriteFile(file, nil, 0o644); err != nil {
			panic(err)
		}
		answer := response{id: asked.id}
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), notifSend, uintptr(unsafe.Pointer(&answer))); errno != 0 {
			return
		}
	}
}
