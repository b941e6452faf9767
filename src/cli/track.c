/* SPDX-License-Identifier: MIT */
#include "cli/track.h"

uint16_t track_begin(struct tracks *tracks, const struct track *track, size_t most)
{
	if (tracks->count >= most)
		return 0;
	tracks->list[tracks->count++] = *track;
	return (uint16_t)tracks->count;
}

void track_end(struct tracks *tracks, uint16_t number, uint64_t time)
{
	if (number)
		tracks->list[number - 1].until = time;
}

void track_lost(struct tracks *tracks, uint16_t number, uint64_t time)
{
	struct track *track;

	if (!number)
		return;
	track = &tracks->list[number - 1];
	if (track->gap_count < TRACK_GAPS)
		track->gaps[track->gap_count++].from = time;
	track->gaps[track->gap_count - 1].to = 0;
}

void track_found(struct tracks *tracks, uint16_t number, uint64_t time)
{
	struct track *track;

	if (!number)
		return;
	track = &tracks->list[number - 1];
	if (track->gap_count)
		track->gaps[track->gap_count - 1].to = time;
}

/* Makes time relative to begin, within the run: a program may report a wrong time. */
static uint64_t within(uint64_t time, uint64_t begin, uint64_t took)
{
	if (time <= begin)
		return 0;
	return time - begin < took ? time - begin : took;
}

void tracks_finish(struct tracks *tracks, uint64_t begin, uint64_t took)
{
	for (size_t i = 0; i < tracks->count; i++) {
		struct track *track = &tracks->list[i];

		track->since = within(track->since, begin, took);
		track->until = track->until ? within(track->until, begin, took) : took;
		for (size_t gap = 0; gap < track->gap_count; gap++) {
			uint64_t to = track->gaps[gap].to;

			track->gaps[gap].from = within(track->gaps[gap].from, begin, took);
			track->gaps[gap].to = to ? within(to, begin, took) : track->until;
		}
	}
}
