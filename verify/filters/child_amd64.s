//go:build linux

#include "textflag.h"

// Offsets: in shared, pos 0, end 8, stack 16; in record, nr 0, args 8…48, int80 56, ret 64, trapped 72, errno 76, sysno 80, arch 84, addr 88; size 96.

// func perform(sh *shared)
//
// It makes the calls of the records from pos to end and writes what they return. It makes no call of its own, as a filter may
// refuse any: it ends by an invalid instruction.
TEXT ·perform(SB), NOSPLIT|NOFRAME, $0-8
	MOVQ sh+0(FP), R14
	MOVQ R14, ·current(SB)
	JMP  ·next(SB)

TEXT ·next(SB), NOSPLIT|NOFRAME, $0
	MOVQ ·current(SB), R14
	MOVQ 16(R14), SP
	MOVQ 0(R14), R12
	CMPQ R12, 8(R14)
	JCC  end
	MOVL 56(R12), AX
	TESTL AX, AX
	JNE  old
	MOVQ 8(R12), DI
	MOVQ 16(R12), SI
	MOVQ 24(R12), DX
	MOVQ 32(R12), R10
	MOVQ 40(R12), R8
	MOVQ 48(R12), R9
	MOVQ 0(R12), AX
	CALL ·enter64(SB)
	JMP  ·returned(SB)

old:
	MOVQ 8(R12), BX
	MOVQ 16(R12), CX
	MOVQ 24(R12), DX
	MOVQ 32(R12), SI
	MOVQ 40(R12), DI
	MOVQ 48(R12), BP
	MOVQ 0(R12), AX
	CALL ·enter32(SB)
	JMP  ·returned(SB)

end:
	UD2

TEXT ·returned(SB), NOSPLIT|NOFRAME, $0
	MOVQ AX, 64(R12)
	ADDQ $96, R12
	MOVQ ·current(SB), R14
	MOVQ R12, 0(R14)
	LEAQ ·next(SB), R13 // not by name: the linker would see a recursion
	JMP  R13

// The instruction pointer that a filter sees is two behind these.
TEXT ·enter64(SB), NOSPLIT|NOFRAME, $0
	SYSCALL
	RET

TEXT ·enter32(SB), NOSPLIT|NOFRAME, $0
	INT $0x80
	RET

// onTrap is the handler of SIGSYS. It never returns from the signal, which would take a call.
TEXT ·onTrap(SB), NOSPLIT|NOFRAME, $0
	MOVQ ·current(SB), R14
	MOVQ 0(R14), R12
	MOVL 4(SI), AX
	MOVL AX, 76(R12)
	MOVL 24(SI), AX
	MOVL AX, 80(R12)
	MOVL 28(SI), AX
	MOVL AX, 84(R12)
	MOVQ 16(SI), AX
	MOVQ AX, 88(R12)
	MOVL 8(SI), AX
	MOVL AX, 72(R12)
	MOVQ 144(DX), AX
	JMP  ·returned(SB)

// func addresses() (enter64, enter32, onTrap uintptr)
TEXT ·addresses(SB), NOSPLIT, $0-24
	LEAQ ·enter64(SB), AX
	MOVQ AX, enter64+0(FP)
	LEAQ ·enter32(SB), AX
	MOVQ AX, enter32+8(FP)
	LEAQ ·onTrap(SB), AX
	MOVQ AX, onTrap+16(FP)
	RET

// func cloneWatcher(stack uintptr, tid *uint32) int64
//
// The new thread waits until the first has ended, and ends the process with status 7: that tells the end of a thread from the
// end of a process.
TEXT ·cloneWatcher(SB), NOSPLIT, $0-24
	MOVQ stack+0(FP), SI
	MOVQ tid+8(FP), R12
	MOVQ $0x50f00, DI // CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_SIGHAND|CLONE_THREAD|CLONE_SYSVSEM
	XORQ DX, DX
	XORQ R10, R10
	XORQ R8, R8
	MOVQ $56, AX // clone
	SYSCALL
	TESTQ AX, AX
	JEQ  thread
	MOVQ AX, ret+16(FP)
	RET

thread:
	MOVL 0(R12), DX
	TESTL DX, DX
	JEQ  over
	MOVQ R12, DI
	XORQ SI, SI  // FUTEX_WAIT
	XORQ R10, R10
	MOVQ $202, AX // futex
	SYSCALL
	JMP  thread

over:
	MOVQ $7, DI
	MOVQ $231, AX // exit_group
	SYSCALL
	JMP  over
