/* SPDX-License-Identifier: MIT */
/*
 * This process's mappings and page entries, from /proc/self/maps by
 * PROCMAP_QUERY and from /proc/self/pagemap, as base/proc.h keeps them. Addresses in bytes. Needs
 * the lock.
 */
#ifndef PIN_MAPS_H
#define PIN_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The size of the pages that the mapping at va is made of, in bytes; 4096 when unknown. */
uint64_t maps_page_size(uint64_t va);

/* The size of the page at va as a shift. entry is what the kernel says of it. */
unsigned int maps_page_shift(uint64_t va, uint64_t entry);

/* Bytes from va to the end of its mapping; 0: it is in none. */
uint64_t maps_length(uint64_t va);

/* The same where that is a shared mapping; 0 in a private one, too. */
uint64_t maps_shared_length(uint64_t va);

/* False when the program itself may not read what is mapped at va. */
bool maps_can_read(uint64_t va);

/* True when a mapping of the file with this identity exists. */
bool maps_has_file(dev_t dev, ino_t ino);

/* A file of which len bytes from offset on are to be mapped at va. */
struct maps_file {
	dev_t dev;
	ino_t ino;
	uint64_t offset, va, len;
};

/*
 * The first file that is mapped in [va, va + len), or the first with this inode number,
 * unless it is 0. False: there is none. What of it is to be mapped is left to the caller.
 */
bool maps_file_in(uint64_t va, uint64_t len, ino_t ino, struct maps_file *file);

/*
 * Where the file page will be that is at va now; 0: nowhere in this mapping. *len is cut to
 * the bytes of which that holds.
 */
uint64_t maps_shown_at(const struct maps_file *file, uint64_t va, uint64_t *len);

/* By how much these pages move when it is mapped over what is mapped there of the same file. */
int64_t maps_shift(const struct maps_file *file);

/*
 * What is unmapped at once, [from, to), and what a search has found already:
 * outside of it nothing shared is mapped from last on, UINT64_MAX at first, and
 * so many of the mappings before are kept for the next.
 */
#define MAPS_KEPT 256
struct maps_leaving {
	uint64_t from, to, last;
	size_t kept;
};

/* How far a search has come; all zero at first. private: for views, see below. */
struct maps_search {
	bool private;
	size_t i;    /* among those that are kept */
	uint64_t at; /* the address behind them */
};

/*
 * The next mapping of the file page at va, outside of what leaves: a shared one,
 * or a private view of the file. False when there is no other. Either way *len is
 * cut to the bytes of which that holds.
 */
bool maps_next_alias(uint64_t va, uint64_t *len, struct maps_leaving *leaving,
		     struct maps_search *search, uint64_t *alias);

/*
 * Calls what() with each part of the System V segment that was attached at va.
 * Returns how far they reach.
 */
uint64_t maps_each_attached(uint64_t va, void (*what)(uint64_t va, uint64_t len));

/*
 * Calls what() with each range of addresses at which [offset, offset + len)
 * of the file with this identity is mapped.
 */
void maps_each_of_file(dev_t dev, ino_t ino, uint64_t offset, uint64_t len,
		       void (*what)(uint64_t va, uint64_t len));

/* The same for what is mapped of files at [va, va + len). */
void maps_each_alias(uint64_t va, uint64_t len, void (*what)(uint64_t va, uint64_t len));

/* The kernel's entries of the n pages from va on. False when they cannot be read from fd. */
bool maps_entries(int fd, uint64_t va, uint64_t *entries, size_t n);

/* Reads those of the entries again whose pages the kernel is moving, until it is done. */
void maps_wait(int fd, uint64_t va, uint64_t *entries, size_t n);

/*
 * The same of this process's own pagemap, after such a wait, with the frames that the kernel
 * does not show. Pages that would be copied for it stay untold, unless any is set: a private
 * view of a file, or a page that another process has too. None of them is a pinned one, but
 * for what is mapped of a file both shared and privately. With any, entries that cannot be
 * read are taken for those of such pages.
 */
bool maps_read(uint64_t va, uint64_t *entries, size_t n, bool any);

/*
 * Calls see() once for each mapping, with no entry, and with the entries of all pages
 * of the process that are present or being moved, n of pages of size bytes from va on.
 * False when that cannot be done, mappings changed meanwhile, or see() says so.
 */
typedef bool maps_see(uint64_t va, const uint64_t *entries, size_t n, uint64_t size);
bool maps_walk(maps_see *see);

/* As pin_stands: true when any of these pages is still what is mapped there. */
bool maps_stand(uint64_t va, unsigned int shift, const uint64_t *pages, size_t n);

#endif
