// SPDX-License-Identifier: Apache-2.0

//go:build !amd64

package learn

import "errors"

// stops are not there: of some architectures' calls the registers do not have the first argument any more when they end.
type stops struct{}

func stopAtDenials() (*stops, error) { return nil, errors.New("not known on this architecture") }

type watched struct{}

func (*stops) add(int) (watched, error) { return watched{}, errors.ErrUnsupported }
func (*stops) end()                     {}
func (*stops) close()                   {}
func (*watched) remove()                {}

func lastCall(int) (call, int64, error) { return call{}, 0, errors.ErrUnsupported }
