/* SPDX-License-Identifier: MIT */
#include "cli/addresses.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/page.h"
#include "cli/cli.h"

/* The index at which the page of a process is in the list, or would be inserted. */
static size_t find(const struct addresses *addresses, int32_t pid, uint64_t page)
{
	size_t first = 0, end = addresses->count;

	while (first < end) {
		size_t middle = first + (end - first) / 2;
		const struct address *address = &addresses->list[middle];

		if (address->pid < pid || (address->pid == pid && address->page < page))
			first = middle + 1;
		else
			end = middle;
	}
	return first;
}

/* Moves the entries of the list that begin at index from to index to. */
static void shift(struct addresses *addresses, size_t from, size_t to)
{
	size_t count = addresses->count - from;

	if (count)
		memmove(&addresses->list[to], &addresses->list[from],
			count * sizeof(*addresses->list));
	addresses->count += to - from;
}

/* Drops the pages [page, end) of a process. */
static size_t drop(struct addresses *addresses, int32_t pid, uint64_t page, uint64_t end,
		   uint64_t time)
{
	size_t from = find(addresses, pid, page), to = find(addresses, pid, end);

	/* The range that a program reports may wrap around. */
	if (end <= page)
		return 0;
	for (size_t i = from; i < to; i++)
		track_end(&addresses->tracks, addresses->list[i].track, time);
	shift(addresses, to, from);
	return to - from;
}

static void reserve(struct addresses *addresses, size_t count)
{
	if (count <= addresses->room)
		return;
	addresses->room = 2 * addresses->room > count ? 2 * addresses->room : count;
	addresses->list = reallocarray(addresses->list, addresses->room, sizeof(*addresses->list));
	if (!addresses->list)
		give_up("out of memory");
}

static uint16_t begin_track(struct addresses *addresses, const struct address *address, size_t most)
{
	const struct track track = {.pid = address->pid,
				    .page = address->page,
				    .frame = address->frame,
				    .since = address->since};

	return track_begin(&addresses->tracks, &track, most);
}

/* Consecutive pages, at most TRACE_SCAN_PAGES, are in consecutive frames now. */
static size_t give(struct addresses *addresses, const struct trace_event *event, uint64_t page,
		   uint64_t frame, uint64_t pages)
{
	static struct address replaced[TRACE_SCAN_PAGES];
	int32_t pid = event->pid;
	size_t from = find(addresses, pid, page), to = find(addresses, pid, page + pages);
	size_t count = to - from, next = 0, dropped = 0;

	if (addresses->count - count + pages > ADDRESSES_MOST) {
		addresses->given += pages;
		return drop(addresses, pid, page, page + pages, event->time);
	}
	if (count)
		memcpy(replaced, &addresses->list[from], count * sizeof(*replaced));
	reserve(addresses, addresses->count - count + pages);
	shift(addresses, to, from + pages);
	for (uint64_t i = 0; i < pages; i++) {
		struct address *address = &addresses->list[from + i];
		bool known = next < count && replaced[next].page == page + i;

		if (known && replaced[next].frame == frame + i) {
			*address = replaced[next++];
			continue;
		}
		if (known)
			track_end(&addresses->tracks, replaced[next].track, event->time);
		*address = (struct address){
			.pid = pid, .page = page + i, .frame = frame + i, .since = event->time};
		address->track = begin_track(addresses, address, TRACKS_FIRST);
		addresses->given++;
		dropped += known;
		next += known;
	}
	return dropped;
}

static size_t take_lookup(struct addresses *addresses, const struct trace_event *event)
{
	uint64_t page = (event->args[0] >> page_shift()) + event->args[3];
	size_t dropped = 0;

	for (size_t at = 0; at + sizeof(struct trace_run) <= event->length;
	     at += sizeof(struct trace_run)) {
		struct trace_run run;
		uint64_t frame;

		memcpy(&run, event->data + at, sizeof(run));
		if (run.pages > TRACE_SCAN_PAGES || page > UINT64_MAX >> page_shift())
			break;
		frame = run.entry & TRACE_PRESENT ? run.entry & TRACE_FRAME : 0;
		if (frame)
			dropped += give(addresses, event, page, frame, run.pages);
		page += run.pages;
	}
	return dropped;
}

size_t addresses_take(struct addresses *addresses, const struct trace_event *event)
{
	/* A page that is released in part stays in use. */
	uint64_t first = event->args[0] + page_size() - 1;

	switch (event->kind) {
	case TRACE_LOOKUP:
		return take_lookup(addresses, event);
	case TRACE_RELEASE:
		return drop(addresses, event->pid, first >> page_shift(),
			    (first + event->args[1]) >> page_shift(), event->time);
	case TRACE_START:
		return drop(addresses, event->pid, 0, UINT64_MAX, event->time);
	default:
		return 0;
	}
}

/* ---- looking ---- */

static int open_pagemap(int32_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* Notes that two looks in a row found another page there, or that the right one is back. */
static void follow(struct addresses *addresses, struct address *address, bool lost, uint64_t now)
{
	if (lost == address->lost)
		return;
	address->lost = lost;
	if (lost && !address->track)
		address->track = begin_track(addresses, address, TRACKS_MOST);
	if (lost)
		track_lost(&addresses->tracks, address->track, addresses->looked);
	else
		track_found(&addresses->tracks, address->track, now);
}

/*
 * An address has moved if two looks in a row find another page there. One look does
 * not suffice, as the event of a release can come late.
 */
static void judge(struct addresses *addresses, struct address *address, uint64_t frame,
		  uint64_t now)
{
	if (!address->seen) {
		address->seen = true;
		addresses->seen++;
	}
	if (frame != address->frame && address->suspect && !address->moved) {
		address->moved = true;
		addresses->moved++;
	}
	follow(addresses, address, frame != address->frame && address->suspect, now);
	address->suspect = frame != address->frame;
}

static void look_at(struct addresses *addresses, struct address *address, int pagemap, uint64_t now)
{
	uint64_t entry;

	if (pread(pagemap, &entry, sizeof(entry), (off_t)(address->page * sizeof(entry))) ==
		    sizeof(entry) &&
	    entry & TRACE_PRESENT && entry & TRACE_FRAME)
		judge(addresses, address, entry & TRACE_FRAME, now);
}

void addresses_look(struct addresses *addresses, uint64_t now)
{
	int32_t pid = 0;
	int pagemap = -1;

	for (size_t i = 0; i < addresses->count; i++) {
		struct address *address = &addresses->list[i];

		if (address->pid != pid) {
			if (pagemap >= 0)
				close(pagemap);
			pid = address->pid;
			pagemap = open_pagemap(pid);
		}
		if (pagemap >= 0)
			look_at(addresses, address, pagemap, now);
	}
	if (pagemap >= 0)
		close(pagemap);
	addresses->looked = now;
}

void addresses_free(struct addresses *addresses)
{
	free(addresses->list);
	addresses->list = NULL;
	addresses->count = addresses->room = 0;
}
