/* SPDX-License-Identifier: MIT */
#include "iommufd/window.h"

#include <errno.h>

#include "base/page.h"
#include "base/sys.h"
#include "iommufd/family.h"
#include "iommufd/ioas.h"

#define OTHERS (32766 - FAMILY_LAST) /* windows for processes without a number */

static int claim(uint64_t page, uint64_t number, uint64_t *window)
{
	uint64_t start = number << WINDOW_SHIFT, end = start + (UINT64_C(1) << WINDOW_SHIFT);
	int ret = ioas_map(page, page_size(), end - page_size());

	if (!ret)
		*window = start;
	return ret;
}

static bool unpinned_gone;

static void unpin_windows(unsigned int first, unsigned int last)
{
	if (!ioas_unmap((uint64_t)first << WINDOW_SHIFT, (uint64_t)(last - first + 1)
								 << WINDOW_SHIFT))
		unpinned_gone = true;
}

int window_claim(uint64_t page, uint64_t *window)
{
	int ret = family_number();

	if (ret > 0) {
		unsigned int number = (unsigned int)ret;

		ret = claim(page, number, window);
		if (ret != -EEXIST)
			return ret;
		unpin_windows(number, number);
		return claim(page, number, window);
	}
	ret = -EEXIST;
	for (uint64_t i = 0; i < OTHERS && ret == -EEXIST; i++)
		ret = claim(page, FAMILY_LAST + 1 + ((uint64_t)sys_getpid() + i) % OTHERS, window);
	return ret == -EEXIST ? -ENOSPC : ret;
}

bool window_release_gone(void)
{
	unpinned_gone = false;
	family_each_gone(unpin_windows);
	return unpinned_gone;
}
