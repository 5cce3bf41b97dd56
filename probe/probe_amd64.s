#include "textflag.h"

// func cloneArmer(stack uintptr, a *armer) (tid int64)
//
// The new thread waits until the first has its credentials, installs the filters for both and says so. Then it ends, if the
// filters are known to let it, else it spins: a filter may kill whoever makes a call. It runs on a stack of its own, which it
// does not use.
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
	MOVQ 24(R12), BX // does it leave?
	MOVL $1, 4(R13)
	TESTQ BX, BX
	JEQ  spin
	XORQ DI, DI
	MOVQ $60, AX // exit
	SYSCALL

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

// func awaitTurn(done *uint32, n uint32, over *uint32)
TEXT ·awaitTurn(SB), NOSPLIT, $0-24
	MOVQ done+0(FP), BX
	MOVL n+8(FP), CX
	MOVQ over+16(FP), DX

turn:
	PAUSE
	MOVL 0(DX), AX
	TESTL AX, AX
	JNE  mine
	MOVL 0(BX), AX
	CMPL AX, CX
	JLS  turn

mine:
	RET

// func crash()
TEXT ·crash(SB), NOSPLIT, $0-0
	UNDEF
	RET

// func call32(nr, a0, a1, a2, a3, a4, a5 uintptr) (ret uintptr)
//
// A call of i386 from a 64-bit task: int $0x80 takes the numbers and the registers of i386.
TEXT ·call32(SB), NOSPLIT, $8-64
	MOVQ nr+0(FP), AX
	MOVQ a0+8(FP), BX
	MOVQ a1+16(FP), CX
	MOVQ a2+24(FP), DX
	MOVQ a3+32(FP), SI
	MOVQ a4+40(FP), DI
	MOVQ a5+48(FP), R8
	MOVQ BP, 0(SP)
	MOVQ R8, BP
	INT  $0x80
	MOVQ 0(SP), BP
	MOVLQSX AX, AX
	MOVQ AX, ret+56(FP)
	RET
