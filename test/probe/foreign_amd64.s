// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

// func unshare32(flags uintptr) int32
TEXT ·unshare32(SB), NOSPLIT, $0-12
	MOVQ flags+0(FP), BX
	MOVL $310, AX // unshare's number in the 32-bit table
	INT  $0x80
	MOVL AX, ret+8(FP)
	RET
