/* SPDX-License-Identifier: MIT */
/*
 * The backend: what pins this process's memory. One table of operations.
 *
 * It is chosen when the first page is pinned: iommufd if there is a page table, else
 * io_uring, and iommufd with a borrowed device only where io_uring is refused, as a device
 * is reset when it is borrowed. On the cdev path io_uring pins until there is a page table.
 * Then the pins are renewed (pin/renew.h), so that memory which io_uring refuses can be
 * pinned. Until then it also refuses memory where its write would show.
 *
 * A backend maps memory at an IOVA, an address in the backend's own address space. Memory
 * stays pinned while any IOVA maps it. Lengths, IOVAs, virtual and physical addresses are
 * in bytes. Functions return 0 or a negative errno. Needs the lock.
 */
#ifndef BACKEND_BACKEND_H
#define BACKEND_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

struct backend {
	const char *refuses; /* the memory that it cannot pin, for the log */

	/* A copy of a part of a map keeps the whole map pinned. */
	bool parts_hold_all;

	/*
	 * Makes sure that memory can be pinned. -EAGAIN: call idle_survey(), then this
	 * again; -EBUSY: not now, all devices are in use.
	 */
	int (*ready)(void);

	/* True when it was ready when last used. Takes no system call. */
	bool (*is_ready)(void);

	/*
	 * False when the program closed its descriptor by a raw system call, which ended
	 * all pins.
	 */
	bool (*check)(void);

	/* Changes when all pins are lost. */
	unsigned int (*generation)(void);

	/*
	 * Claims a window of IOVAs as large as the store; *window is the first. page is
	 * an address of this process, which the backend may keep mapped.
	 */
	int (*claim)(uint64_t page, uint64_t *window);

	/*
	 * Unpins what processes that are gone left pinned. Needs a backend that is ready.
	 * True when there was anything.
	 */
	bool (*release_gone)(void);

	/*
	 * This process has pinned for itself what its parent had pinned, and the parent
	 * has ended: release_gone() may unpin the parent's. NULL: the backend keeps
	 * nothing of a parent.
	 */
	void (*succeed)(void);

	/*
	 * The entry of pagemap that was just read for the page of this size at va, which
	 * map() is to pin next. NULL: the backend needs none.
	 */
	void (*seen)(uint64_t va, uint64_t size, uint64_t entry);

	/* Maps [va, va + len) at iova and pins it. -EEXIST: the IOVA is in use. */
	int (*map)(uint64_t va, uint64_t len, uint64_t iova);

	/* Maps the pages at from a second time, at to. They stay pinned throughout. */
	int (*copy)(uint64_t from, uint64_t len, uint64_t to);

	/* The same at an IOVA that the backend chooses, in *to. */
	int (*copy_anywhere)(uint64_t from, uint64_t len, uint64_t *to);

	/* Removes all maps within [iova, iova + len). No map may cross its borders. */
	int (*unmap)(uint64_t iova, uint64_t len);

	/* The physical address of iova. *len is reduced to what is physically contiguous. */
	int (*physical)(uint64_t iova, uint64_t *len, uint64_t *pa);

	/*
	 * The process is about to end: unpins everything. NULL: the kernel does so when
	 * the process ends, and not later.
	 */
	void (*end)(void);

	/* Waits until unmapped memory is unpinned. NULL: unmap() unpins at once. */
	void (*flush)(void);
};

extern const struct backend *backend __attribute__((visibility("hidden")));

/*
 * Makes io_uring the backend. Nothing may be pinned yet. 0 or a negative errno, which
 * backend_obstacle() explains.
 */
int backend_take_uring(void);

/*
 * The backend that takes over from this one: *to, when there is a page table. lend: a
 * device may be borrowed for one. -EOPNOTSUPP: none takes over; other errors are those of
 * lend_page_table(). After all pins are renewed, backend_succeed() makes it the backend.
 * If that fails, backend_stay() lets io_uring write to what it pins, and no device is
 * borrowed any more: to look for one takes long, and other pages would be refused, too.
 */
int backend_successor(bool lend, const struct backend **to);
void backend_succeed(void);
void backend_stay(void);
const char *backend_obstacle(int error);

#endif
