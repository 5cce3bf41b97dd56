#include "textflag.h"

// func cloneArmer(stack uintptr, a *armer) (tid int64)
//
// The new thread waits until the first has its credentials, installs the filters for both, says so, and spins: it makes no
// syscall after that, as a filter may kill whoever makes one. It runs on a stack of its own, which it does not use.
TEXT ·cloneArmer(SB), NOSPLIT, $0-24
	MOVQ stack+0(FP), SI
	MOVQ a+8(FP), R12
	MOVQ $0x50f00, DI // CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_SIGHAND|CLONE_THREAD|CLONE_SYSVSEM
	XORQ DX, DX
	XORQ R10, R10
	XORQ R8, R8
	MOVQ $56, AX // clone
	SYSCALL
	TESTQ AX, AX
	JEQ  thread
	MOVQ AX, tid+16(FP)
	RET

thread:
	MOVQ 0(R12), R13 // shared
	MOVQ 8(R12), R14 // first program
	MOVQ 16(R12), BX // how many

wait:
	PAUSE
	MOVL 0(R13), AX
	TESTL AX, AX
	JEQ  wait

next:
	TESTQ BX, BX
	JEQ  armed
	MOVQ $1, DI // SECCOMP_SET_MODE_FILTER
	MOVQ $1, SI // SECCOMP_FILTER_FLAG_TSYNC
	MOVQ R14, DX
	MOVQ $317, AX // seccomp
	SYSCALL
	TESTQ AX, AX
	JNE  failed
	ADDQ $16, R14
	DECQ BX
	JMP  next

failed:
	MOVL AX, 8(R13)

armed:
	MOVL $1, 4(R13)

spin:
	PAUSE
	JMP  spin

// func await(p *uint32)
TEXT ·await(SB), NOSPLIT, $0-8
	MOVQ p+0(FP), BX

again:
	PAUSE
	MOVL 0(BX), AX
	TESTL AX, AX
	JEQ  again
	RET
