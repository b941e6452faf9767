/* SPDX-License-Identifier: MIT */
#include "pin/window.h"

#include <errno.h>

#include "base/sys.h"
#include "iommufd/family.h"
#include "iommufd/ioas.h"

/* A window is as large as the store; the first is the kernel's to choose from. */
#define WINDOW_SHIFT 49
#define OTHERS	     (32766 - FAMILY_LAST) /* windows for processes without a number */

static int claim(struct store *s, uint64_t number)
{
	uint64_t window = number << WINDOW_SHIFT;
	int ret = ioas_map((uintptr_t)s, PIN_PAGE_SIZE, window + CLAIM);

	if (!ret)
		s->window = window;
	return ret;
}

static bool unpinned_gone;

static void unpin_windows(unsigned int first, unsigned int last)
{
	if (!ioas_unmap((uint64_t)first << WINDOW_SHIFT, (uint64_t)(last - first + 1)
								 << WINDOW_SHIFT))
		unpinned_gone = true;
}

int window_claim(struct store *s)
{
	int ret = family_number();

	if (ret > 0) {
		unsigned int number = (unsigned int)ret;

		ret = claim(s, number);
		if (ret != -EEXIST)
			return ret;
		unpin_windows(number, number);
		return claim(s, number);
	}
	ret = -EEXIST;
	for (uint64_t i = 0; i < OTHERS && ret == -EEXIST; i++)
		ret = claim(s, FAMILY_LAST + 1 + ((uint64_t)sys_getpid() + i) % OTHERS);
	return ret == -EEXIST ? -ENOSPC : ret;
}

bool window_release_gone(void)
{
	unpinned_gone = false;
	if (store_own && store_own->window)
		family_each_gone(unpin_windows);
	return unpinned_gone;
}
