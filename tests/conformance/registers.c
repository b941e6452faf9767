/* SPDX-License-Identifier: MIT */
/* A system call keeps all registers but two, those of the vector unit too. */
#include "conformance.h"

#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#ifndef __x86_64__

void registers(void)
{
}

#else

#define WIDTH	   32

/* The call's arguments. */
struct call {
	const char *name;
	long nr, a[5];
};

/* Of the stack pointer: what is saved on the stack depends on how it is aligned. */
#define ALIGNMENTS 8

/* Makes the call `down` bytes further down the stack, with bytes in a vector register. */
static long make(const struct call *call, long down, const unsigned char *in, unsigned char *out,
		 bool wide)
{
	register long r10 __asm__("r10") = call->a[3];
	register long r8 __asm__("r8") = call->a[4];
	long ret;

	if (wide)
		__asm__ volatile("vmovdqu (%[in]), %%ymm5\n\t"
				 "sub %[down], %%rsp\n\t"
				 "syscall\n\t"
				 "add %[down], %%rsp\n\t"
				 "vmovdqu %%ymm5, (%[out])\n\t"
				 "vzeroupper"
				 : "=a"(ret)
				 : "a"(call->nr), "D"(call->a[0]), "S"(call->a[1]), "d"(call->a[2]),
				   "r"(r10), "r"(r8), [down] "b"(down), [in] "r"(in), [out] "r"(out)
				 : "rcx", "r11", "memory", "xmm5");
	else
		__asm__ volatile("movdqu (%[in]), %%xmm5\n\t"
				 "sub %[down], %%rsp\n\t"
				 "syscall\n\t"
				 "add %[down], %%rsp\n\t"
				 "movdqu %%xmm5, (%[out])"
				 : "=a"(ret)
				 : "a"(call->nr), "D"(call->a[0]), "S"(call->a[1]), "d"(call->a[2]),
				   "r"(r10), "r"(r8), [down] "b"(down), [in] "r"(in), [out] "r"(out)
				 : "rcx", "r11", "memory", "xmm5");
	return ret;
}

/* A number so high that a library's own descriptors are beside it. */
static int high_number(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	return (int)syscall(SYS_fcntl, own_file(O_RDONLY), F_DUPFD,
			    (limit.rlim_cur < 65536 ? (long)limit.rlim_cur : 65536) - 16);
}

void registers(void)
{
	static const struct timespec no_time;
	static const uint64_t mask = UINT64_C(1) << (SIGSYS - 1);
	static uint64_t old;
	static char byte;
	const struct call all[] = {
		{"open", SYS_open, {(long)"none"}},
		{"access", SYS_access, {(long)"file"}},
		{"read", SYS_read, {high_number(), (long)&byte, 1}},
		{"ppoll", SYS_ppoll, {0, 0, (long)&no_time, (long)&mask, sizeof(mask)}},
		{"sigprocmask", SYS_rt_sigprocmask, {SIG_BLOCK, 0, (long)&old, sizeof(old)}},
		{"sigtimedwait", SYS_rt_sigtimedwait, {(long)&mask, 0, (long)&no_time, 8}},
		{"getppid", SYS_getppid, {0}},
	};
	const bool wide = __builtin_cpu_supports("avx");
	unsigned char in[WIDTH], out[WIDTH];

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		for (long down = 0; down < ALIGNMENTS; down++) {
			memset(out, 0, sizeof(out));
			memset(in, (int)(17 * i + 3), sizeof(in));
			make(&all[i], 256 + 8 * down, in, out, wide);
			tell("%s: %d", all[i].name, memcmp(in, out, wide ? WIDTH : WIDTH / 2));
		}
}

#endif
