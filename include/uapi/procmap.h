/* SPDX-License-Identifier: MIT */
/* PROCMAP_QUERY of /proc/PID/maps, which kernel headers have since 6.11. */
#ifndef UAPI_PROCMAP_H
#define UAPI_PROCMAP_H

#include <config.h>
#include <assert.h>
#include <linux/fs.h>
#include <linux/types.h>

#ifndef HAVE_STRUCT_PROCMAP_QUERY
enum {
	PROCMAP_QUERY_VMA_READABLE = 0x01,
	PROCMAP_QUERY_VMA_SHARED = 0x08,
	PROCMAP_QUERY_COVERING_OR_NEXT_VMA = 0x10,
	PROCMAP_QUERY_FILE_BACKED_VMA = 0x20,
};

struct procmap_query {
	__u64 size;
	__u64 query_flags;
	__u64 query_addr;
	__u64 vma_start;
	__u64 vma_end;
	__u64 vma_flags;
	__u64 vma_page_size;
	__u64 vma_offset;
	__u64 inode;
	__u32 dev_major;
	__u32 dev_minor;
	__u32 vma_name_size;
	__u32 build_id_size;
	__u64 vma_name_addr;
	__u64 build_id_addr;
};
#define PROCMAP_QUERY _IOWR('f', 17, struct procmap_query)
#endif

static_assert(sizeof(struct procmap_query) == 104, "PROCMAP_QUERY layout");

#endif
