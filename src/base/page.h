/* SPDX-License-Identifier: MIT */
/*
 * The size of the kernel's base pages. On arm64 the kernel decides, and says so when a
 * program starts. Functions are called before the library's constructor has run, so the
 * first one that needs the size asks for it. Needs no lock.
 */
#ifndef BASE_PAGE_H
#define BASE_PAGE_H

#include <stdatomic.h>
#include <stdint.h>

/* The smallest base page that any kernel has. Whatever is aligned to it is in one page. */
#define PAGE_LEAST_SHIFT 12
#define PAGE_LEAST	 (UINT64_C(1) << PAGE_LEAST_SHIFT)

#ifdef __aarch64__
extern _Atomic(unsigned int) page_known_shift __attribute__((visibility("hidden")));
unsigned int page_find_shift(void);

static inline unsigned int page_shift(void)
{
	unsigned int shift = atomic_load_explicit(&page_known_shift, memory_order_relaxed);

	return __builtin_expect(shift != 0, 1) ? shift : page_find_shift();
}
#else
static inline unsigned int page_shift(void)
{
	return PAGE_LEAST_SHIFT;
}
#endif

/* In bytes. */
static inline uint64_t page_size(void)
{
	return UINT64_C(1) << page_shift();
}

#endif
