/* SPDX-License-Identifier: MIT */
#include "base/page.h"

#include <sys/auxv.h>

#ifdef __aarch64__

_Atomic(unsigned int) page_known_shift;

/* Several threads may come here at once: all find the same. */
unsigned int page_find_shift(void)
{
	unsigned long size = getauxval(AT_PAGESZ);
	unsigned int shift = size ? (unsigned int)__builtin_ctzl(size) : PAGE_LEAST_SHIFT;

	atomic_store_explicit(&page_known_shift, shift, memory_order_relaxed);
	return shift;
}

#endif
