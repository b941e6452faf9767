/* SPDX-License-Identifier: MIT */
/* The only place where the library enters the kernel. */
#include "base/sys.h"

#include <sys/mman.h>

#include "base/page.h"

#if defined(__x86_64__) && defined(__LP64__)

long sys_call_kernel(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

#elif defined(__aarch64__) && defined(__LP64__)

long sys_call_kernel(long nr, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
}

#else
#error "noiommu-shim knows the 64-bit system calls of x86-64 and arm64 only"
#endif

sys_call_fn *sys_call = sys_call_kernel;

/* Before the memory and behind it there is a page without rights. */
static size_t with_gaps(size_t len)
{
	return ((len + page_size() - 1) & ~(page_size() - 1)) + 2 * page_size();
}

void *sys_memory(size_t len)
{
	char *gap = sys_mmap(with_gaps(len), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS);
	char *memory = gap + page_size();
	int ret;

	if (sys_is_error(gap))
		return gap;
	ret = (int)sys_call(SYS_mprotect, (long)memory, (long)(with_gaps(len) - 2 * page_size()),
			    PROT_READ | PROT_WRITE, 0, 0, 0);
	if (!ret)
		return memory;
	sys_munmap(gap, with_gaps(len));
	return (void *)(intptr_t)ret;
}

void sys_memory_free(void *memory, size_t len)
{
	sys_munmap((char *)memory - page_size(), with_gaps(len));
}

void *sys_memory_shared(size_t len)
{
	return sys_mmap(len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE);
}
