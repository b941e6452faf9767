/* SPDX-License-Identifier: MIT */
/* Single addresses over time, to be drawn. */
#ifndef CLI_TRACK_H
#define CLI_TRACK_H

#include <stddef.h>
#include <stdint.h>

#define TRACK_GAPS 8

/* All times are CLOCK_MONOTONIC in ns; after tracks_finish(), ns since the start of the run. */
struct track_gap {
	uint64_t from, to; /* to is 0: for ever */
};

struct track {
	int32_t pid;
	uint64_t page, frame;
	uint64_t since, until; /* until is 0: to the end */

	/* When another page was there. The last one may stand for several. */
	struct track_gap gaps[TRACK_GAPS];
	size_t gap_count;
};

/* The first addresses have a track, and the first that moved. */
#define TRACKS_FIRST 128
#define TRACKS_MOST  512

struct tracks {
	struct track list[TRACKS_MOST];
	size_t count;
};

/* Returns the number of a new track, or 0 if there are as many as most already. */
uint16_t track_begin(struct tracks *tracks, const struct track *track, size_t most);

/* These do nothing for 0, which is no track. */
void track_end(struct tracks *tracks, uint16_t number, uint64_t time);
void track_lost(struct tracks *tracks, uint16_t number, uint64_t time);
void track_found(struct tracks *tracks, uint16_t number, uint64_t time);

/* Makes all times relative to begin, for a run that took this long. */
void tracks_finish(struct tracks *tracks, uint64_t begin, uint64_t took);

#endif
