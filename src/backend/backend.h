/* SPDX-License-Identifier: MIT */
/*
 * What pins this process's memory: one table of operations, chosen once.
 *
 * Memory is mapped under an IOVA, an address of the backend's own, and is pinned
 * while any IOVA has it. Lengths, IOVAs, virtual and physical addresses are in
 * bytes. Functions return 0 or a negative errno. Needs the lock.
 */
#ifndef BACKEND_BACKEND_H
#define BACKEND_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

struct backend {
	const char *refuses; /* the memory that it cannot pin, for a line in the log */

	/* A copy of a part of a map keeps all of the map pinned. */
	bool parts_hold_all;

	/*
	 * Makes sure that memory can be pinned. -EAGAIN: to be called again after
	 * idle_survey(); -EBUSY: not now, for all devices are in use.
	 */
	int (*ready)(void);

	/* True when it was ready the last time: that takes no system call. */
	bool (*is_ready)(void);

	/* False when its descriptor was closed behind the library's back, and all pins with it. */
	bool (*check)(void);

	/* Changes when all that was pinned is gone. */
	unsigned int (*generation)(void);

	/*
	 * The IOVAs of this process, as many as the store has addresses: *window is the
	 * first. page is one of this process's, of which the backend may keep hold.
	 */
	int (*claim)(uint64_t page, uint64_t *window);

	/* Unpins what processes left that are gone. Needs a claim. True when there was anything. */
	bool (*release_gone)(void);

	/*
	 * This process has pinned for itself what its parent had, which has ended: release_gone()
	 * may unpin that. NULL: nothing of a parent is kept.
	 */
	void (*succeed)(void);

	/* Pins [va, va + len) under iova. -EEXIST: something is mapped there already. */
	int (*map)(uint64_t va, uint64_t len, uint64_t iova);

	/* Maps what is under from once more, without unpinning it in between. */
	int (*copy)(uint64_t from, uint64_t len, uint64_t to);

	/* The same, at an IOVA that the backend chooses. */
	int (*copy_anywhere)(uint64_t from, uint64_t len, uint64_t *to);

	/* Undoes all maps within [iova, iova + len). A map may not reach out of it. */
	int (*unmap)(uint64_t iova, uint64_t len);

	/* The physical address of iova; *len is cut to what is contiguous there. */
	int (*physical)(uint64_t iova, uint64_t *len, uint64_t *pa);

	/* What was unmapped is unpinned when this returns. */
	void (*flush)(void);
};

extern const struct backend *backend __attribute__((visibility("hidden")));

/*
 * Takes io_uring for the rest of the process's life, in which nothing is pinned yet.
 * 0, or why it is not to be had, of which backend_obstacle() says more.
 */
int backend_take_uring(void);
const char *backend_obstacle(int error);

#endif
