// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

// func call32(number, a, b uintptr) int32
TEXT ·call32(SB), NOSPLIT, $0-28
	MOVQ number+0(FP), AX
	MOVQ a+8(FP), BX
	MOVQ b+16(FP), CX
	XORL DX, DX
	XORL SI, SI
	XORL DI, DI
	INT  $0x80
	MOVL AX, ret+24(FP)
	RET
