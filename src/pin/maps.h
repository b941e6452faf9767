/* SPDX-License-Identifier: MIT */
/*
 * This process's mappings, and its entries in /proc/self/pagemap (base/proc.h). Addresses
 * are in bytes. Needs the lock.
 */
#ifndef PIN_MAPS_H
#define PIN_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The shift of the pins of memory with pages of size bytes: see pin/store.h. */
unsigned int maps_pin_shift(uint64_t size);

/* The size in bytes of the pages in the mapping at va; that of base pages when unknown. */
uint64_t maps_page_size(uint64_t va);

/* The size of the page at va as a shift. entry is its pagemap entry. */
unsigned int maps_page_shift(uint64_t va, uint64_t entry);

/* Bytes from va to the end of its mapping; 0: nothing is mapped at va. */
uint64_t maps_length(uint64_t va);

/* The same for a shared mapping; 0 for a private one, too. */
uint64_t maps_shared_length(uint64_t va);

/* False when the mapping at va does not let the program read. */
bool maps_can_read(uint64_t va);

/*
 * The end of the mapping at va if it is one in which userfaultfd guards pages from reads
 * (UFFDIO_RWPROTECT), so that a pin would wait for the program; else 0. The answer costs a
 * read of /proc/self/smaps.
 */
uint64_t maps_read_guard(uint64_t va);

/* True when a mapping of the file with this identity exists. */
bool maps_has_file(dev_t dev, ino_t ino);

/* A file, of which len bytes from offset on are to be mapped at va. */
struct maps_file {
	dev_t dev;
	ino_t ino;
	uint64_t offset, va, len;
};

/*
 * Sets the identity of *file to the first file that is mapped in [va, va + len), or to
 * the first with this inode number if ino is not 0. False: there is none. The caller sets
 * the other members.
 */
bool maps_file_in(uint64_t va, uint64_t len, ino_t ino, struct maps_file *file);

/*
 * The address at which the file page that is at va now will be mapped, or 0. *len is
 * reduced to the bytes for which the result holds.
 */
uint64_t maps_shown_at(const struct maps_file *file, uint64_t va, uint64_t *len);

/*
 * How far, in bytes, pages move when the file is mapped over an existing mapping of it; 0
 * when there is none.
 */
int64_t maps_shift(const struct maps_file *file);

/*
 * A range [from, to) that is unmapped, and what searches for mappings outside of it
 * found. From last on, UINT64_MAX at first, there is no shared mapping. The first kept
 * mappings are stored for the next search.
 */
#define MAPS_KEPT 256
struct maps_leaving {
	uint64_t from, to, last;
	size_t kept;
};

/* The state of a search; all zero at first. private: find private mappings. */
struct maps_search {
	bool private;
	size_t i;    /* index of the next stored mapping */
	uint64_t at; /* the end of the last mapping */
};

/*
 * The next mapping of the file page at va outside of the range that is unmapped: a shared
 * mapping, or with search->private a private one. False when there is no other. In both
 * cases *len is reduced to the bytes for which the result holds.
 */
bool maps_next_alias(uint64_t va, uint64_t *len, struct maps_leaving *leaving,
		     struct maps_search *search, uint64_t *alias);

/*
 * Calls what() with each part of the System V segment that was attached at va. Returns
 * the bytes from va to the end of the last part.
 */
uint64_t maps_each_attached(uint64_t va, void (*what)(uint64_t va, uint64_t len));

/*
 * Calls what() with each range of addresses at which [offset, offset + len) of the file
 * with this identity is mapped.
 */
void maps_each_of_file(dev_t dev, ino_t ino, uint64_t offset, uint64_t len,
		       void (*what)(uint64_t va, uint64_t len));

/* maps_each_of_file() for each part of a file that is mapped in [va, va + len). */
void maps_each_alias(uint64_t va, uint64_t len, void (*what)(uint64_t va, uint64_t len));

/* Reads the entries of the n pages from va on. False when fd does not yield them. */
bool maps_entries(int fd, uint64_t va, uint64_t *entries, size_t n);

/*
 * Reads the entries of pages that the kernel is migrating again, until that is done or
 * for a limited number of times.
 */
void maps_wait(int fd, uint64_t va, uint64_t *entries, size_t n);

/*
 * Reads the entries of the n pages from va on from this process's own pagemap, and waits
 * as maps_wait(). Finds out the frames that the kernel hides, by pinning their pages for
 * a moment. False when the entries cannot be read.
 *
 * Without any, leaves out pages which such a pin would copy: those in a private mapping
 * of a file, and private ones that another process maps, too. None of these is pinned,
 * except file pages that this process maps both shared and privately. With any, takes an
 * entry that cannot be read for that of such a page.
 */
bool maps_read(uint64_t va, uint64_t *entries, size_t n, bool any);

/*
 * Finds out the hidden frames of the n entries from va on, except those that maps_read()
 * leaves out. False when any of them stays unknown.
 */
bool maps_tell(uint64_t va, uint64_t *entries, size_t n, bool any);

/* As pin_stands: true when any of these pages is, or may be, still mapped there. */
bool maps_stand(uint64_t va, unsigned int shift, const uint64_t *pages, size_t n);

#endif
