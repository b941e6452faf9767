/* SPDX-License-Identifier: MIT */
/* PAGEMAP_SCAN of /proc/PID/pagemap, which kernel headers have since 6.7. */
#ifndef UAPI_PAGEMAP_H
#define UAPI_PAGEMAP_H

#include <assert.h>
#include <linux/fs.h>
#include <linux/types.h>

#ifndef PAGEMAP_SCAN
#define PAGE_IS_PRESENT (1 << 3)
#define PAGE_IS_SWAPPED (1 << 4)

struct page_region {
	__u64 start;
	__u64 end;
	__u64 categories;
};

struct pm_scan_arg {
	__u64 size;
	__u64 flags;
	__u64 start;
	__u64 end;
	__u64 walk_end;
	__u64 vec;
	__u64 vec_len;
	__u64 max_pages;
	__u64 category_inverted;
	__u64 category_mask;
	__u64 category_anyof_mask;
	__u64 return_mask;
};
#define PAGEMAP_SCAN _IOWR('f', 16, struct pm_scan_arg)
#endif

static_assert(sizeof(struct pm_scan_arg) == 96, "PAGEMAP_SCAN layout");

#endif
