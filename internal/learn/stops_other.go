// SPDX-License-Identifier: Apache-2.0

//go:build !amd64

package learn

import "errors"

// stops does not exist here: when a call ends, the registers of some architectures no longer contain its first
// argument.
type stops struct{}

func stopAtDenials() (*stops, error) { return nil, errors.New("not known on this architecture") }

type watched struct{}

func (*stops) add(int) (watched, error) { return watched{}, errors.ErrUnsupported }
func (*stops) end()                     {}
func (*stops) close()                   {}
func (*watched) remove()                {}

func lastCall(int) (call, int64, error) { return call{}, 0, errors.ErrUnsupported }
