/* SPDX-License-Identifier: MIT */
#include "cli/chart.h"

#include <inttypes.h>
#include <string.h>

#include "base/page.h"
#include "cli/cli.h"
#include "cli/html.h"

/*
 * In units of the picture. A letter is about 7 units wide, and up to 12 on a narrow
 * screen, where html.c makes letters larger.
 */
#define WIDTH	  720
#define LEFT	  112
#define RIGHT	  44
#define TOP	  8
#define ROW	  13
#define AXIS	  24
#define HISTOGRAM 120

/* The space above the bars for the labels of the ranks. */
#define RANKS 46

const char *chart_class(int run)
{
	return run ? "other" : "one";
}

static void begin(FILE *to, int run, const char *name, int height, const char *title,
		  const char *description)
{
	fprintf(to,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart %s\" "
		"viewBox=\"0 0 %d %d\" preserveAspectRatio=\"xMinYMin\" role=\"img\" "
		"aria-labelledby=\"%s-title-%d %s-text-%d\">\n"
		"<title id=\"%s-title-%d\">%s</title>\n<desc id=\"%s-text-%d\">%s</desc>\n",
		chart_class(run), WIDTH, height, name, run, name, run, name, run, html(title), name,
		run, html(description));
}

static void end(FILE *to)
{
	fputs("</svg>\n", to);
}

static void put_tick(FILE *to, double x, int bottom, const char *words)
{
	fprintf(to,
		"<line class=\"grid\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/>"
		"<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n",
		x, TOP, x, bottom, x, bottom + 16, html(words));
}

/* ---- addresses over time ---- */

#define ROWS 32

struct time_scale {
	uint64_t whole;
	int y; /* of the row that is drawn */
};

static double at(const struct time_scale *scale, uint64_t time)
{
	double part = scale->whole ? (double)time / (double)scale->whole : 0;

	return LEFT + (part < 1 ? part : 1) * (WIDTH - LEFT - RIGHT);
}

/* About a fifth of the time: 1, 2 or 5 times a power of ten. */
static uint64_t tick_distance(uint64_t whole)
{
	uint64_t distance = 1;

	for (unsigned int n = 0; distance * 6 < whole && n < 54; n++)
		distance = n % 3 == 1 ? distance / 2 * 5 : distance * 2;
	return distance;
}

static void put_times(FILE *to, const struct time_scale *scale, int bottom)
{
	uint64_t distance = tick_distance(scale->whole);

	for (unsigned int n = 0; n <= 6 && n * distance <= scale->whole; n++)
		put_tick(to, at(scale, n * distance), bottom, n ? duration(n * distance) : "0 s");
}

static void put_line(FILE *to, const struct time_scale *scale, const char *class, uint64_t from,
		     uint64_t until)
{
	if (until > from)
		fprintf(to, "<line class=\"%s\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/>",
			class, at(scale, from), scale->y, at(scale, until), scale->y);
}

static void put_break(FILE *to, const struct time_scale *scale, uint64_t time)
{
	fprintf(to, "<path class=\"break\" d=\"M%.1f %dl8 8m0 -8l-8 8\"/>", at(scale, time) - 4,
		scale->y - 4);
}

static void put_track(FILE *to, const struct time_scale *scale, const struct track *track)
{
	uint64_t from = track->since;

	fprintf(to,
		"<g><title>0x%" PRIx64 " has the physical address 0x%" PRIx64 "</title>"
		"<text class=\"name\" x=\"%d\" y=\"%d\" text-anchor=\"end\">0x%" PRIx64 "</text>",
		track->page << page_shift(), track->frame << page_shift(), LEFT - 8, scale->y + 4,
		track->page << page_shift());
	for (size_t i = 0; i < track->gap_count; i++) {
		const struct track_gap *gap = &track->gaps[i];

		put_line(to, scale, "held", from, gap->from);
		put_line(to, scale, "gone", gap->from, gap->to);
		put_break(to, scale, gap->from);
		from = gap->to;
	}
	put_line(to, scale, "held", from, track->until);
	fputs("</g>\n", to);
}

/* Chooses first the tracks that moved, then others, each in order. Returns how many. */
static size_t choose(const struct tracks *tracks, bool chosen[TRACKS_MOST])
{
	size_t count = 0;

	for (int moved = 1; moved >= 0; moved--)
		for (size_t i = 0; i < tracks->count && count < ROWS; i++)
			if (moved == (tracks->list[i].gap_count > 0)) {
				chosen[i] = true;
				count++;
			}
	return count;
}

void chart_addresses(FILE *to, const struct comparison *comparison, int run)
{
	const struct side *side = &comparison->sides[run];
	const struct tracks *tracks = &side->addresses.tracks;
	const uint64_t times[] = {comparison->sides[0].took, comparison->sides[1].took};
	struct time_scale scale = {.whole = times[0] > times[1] ? times[0] : times[1]};
	bool chosen[TRACKS_MOST] = {false};
	size_t count = choose(tracks, chosen);
	int bottom = TOP + (int)count * ROW;
	char *description = text("%zu of %zu addresses are drawn, first of all those that moved. "
				 "%zu moved while in use.",
				 count, side->addresses.given, side->addresses.moved);

	begin(to, run, "addresses", bottom + AXIS,
	      text("Addresses over time, %s", side->way->title), description);
	put_times(to, &scale, bottom);
	scale.y = TOP + ROW / 2;
	for (size_t i = 0; i < tracks->count; i++)
		if (chosen[i]) {
			put_track(to, &scale, &tracks->list[i]);
			scale.y += ROW;
		}
	end(to);
	fprintf(to, "<figcaption>%s</figcaption>\n", html(description));
}

/* ---- how long lookups take ---- */

/* Five bins for each power of ten. */
#define BINS 60
static const double bin_starts[] = {1, 1.585, 2.512, 3.981, 6.31, 10};

/* The bin of a time, from 1 ns on. The fraction says where in the bin it is. */
static double place(uint64_t ns)
{
	double value = (double)(ns ? ns : 1);
	unsigned int bin = 0, step = 0;

	for (; value >= 10 && bin + 5 < BINS; bin += 5)
		value /= 10;
	while (step < 4 && value >= bin_starts[step + 1])
		step++;
	value = (value - bin_starts[step]) / (bin_starts[step + 1] - bin_starts[step]);
	return bin + step + (value < 1 ? value : 0.99);
}

struct bins {
	size_t counts[BINS];
	size_t greatest;
	size_t first, end; /* the bins that are drawn */
};

static double across(const struct bins *bins, double place)
{
	return LEFT + (place - (double)bins->first) / (double)(bins->end - bins->first) *
			      (WIDTH - LEFT - RIGHT);
}

/* One scale for both runs: at least two powers of ten, with room at both ends. */
static void choose_bins(const struct comparison *comparison, struct bins *bins)
{
	bins->first = BINS;
	for (int i = 0; i < 2; i++) {
		const struct side *side = &comparison->sides[i];
		size_t least, most;

		if (!side->lookups_kept)
			continue;
		least = (size_t)place(side->lookups[0]);
		most = (size_t)place(side->lookups[side->lookups_kept - 1]) + 2;
		if (least < bins->first)
			bins->first = least;
		if (most > bins->end)
			bins->end = most;
	}
	bins->first -= bins->first > 0;
	if (bins->end < bins->first + 10)
		bins->end = bins->first + 10;
}

static void fill_bins(const struct side *side, struct bins *bins)
{
	for (size_t i = 0; i < side->lookups_kept; i++) {
		size_t *count = &bins->counts[(size_t)place(side->lookups[i])];

		if (++*count > bins->greatest)
			bins->greatest = *count;
	}
}

static void put_bars(FILE *to, const struct bins *bins, int bottom)
{
	for (size_t bin = bins->first; bin < bins->end && bin < BINS; bin++) {
		double height = (double)bins->counts[bin] / (double)bins->greatest * HISTOGRAM;
		double left = across(bins, (double)bin), right = across(bins, (double)bin + 1);

		/* A bar for one of many lookups must be visible, too. */
		if (bins->counts[bin])
			fprintf(to,
				"<rect class=\"mark\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
				"height=\"%.1f\"/>\n",
				left + 1, bottom - (height > 1 ? height : 1), right - left - 2,
				height > 1 ? height : 1);
	}
}

static void put_rank(FILE *to, const struct bins *bins, const struct side *side,
		     unsigned int percent, int bottom)
{
	uint64_t time = side_lookup(side, percent);
	double x = across(bins, place(time));
	bool left = x > WIDTH / 2;
	int y = TOP + (percent == 50 ? 14 : 37);

	fprintf(to,
		"<line class=\"rank\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/>"
		"<text class=\"rank-text\" x=\"%.1f\" y=\"%d\" text-anchor=\"%s\">%s %s</text>\n",
		x, y - 10, x, bottom, left ? x - 5 : x + 5, y, left ? "end" : "start",
		percent == 50 ? "median" : "99th percentile", duration(time));
}

static void put_powers(FILE *to, const struct bins *bins, int bottom)
{
	static const char *const powers[] = {"1 ns", "10 ns", "100 ns", "1 us", "10 us", "100 us",
					     "1 ms", "10 ms", "100 ms", "1 s",	"10 s",	 "100 s"};

	for (size_t bin = (bins->first + 4) / 5 * 5; bin <= bins->end && bin < BINS; bin += 5)
		put_tick(to, across(bins, (double)bin), bottom, powers[bin / 5]);
}

void chart_lookups(FILE *to, const struct comparison *comparison, int run)
{
	const struct side *side = &comparison->sides[run];
	const int bottom = TOP + RANKS + HISTOGRAM;
	struct bins bins = {.first = 0};

	if (!side->lookups_kept) {
		fputs("<p>No address was looked up.</p>\n", to);
		return;
	}
	choose_bins(comparison, &bins);
	fill_bins(side, &bins);
	begin(to, run, "lookups", bottom + AXIS,
	      text("How long lookups took, %s", side->way->title),
	      text("%zu lookups; half of them took no longer than %s, 99 in 100 no longer than %s.",
		   side->lookup_count, duration(side_lookup(side, 50)),
		   duration(side_lookup(side, 99))));
	put_powers(to, &bins, bottom);
	fprintf(to, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%zu %%</text>\n", LEFT - 8,
		TOP + RANKS + 8,
		(bins.greatest * 100 + side->lookups_kept / 2) / side->lookups_kept);
	put_bars(to, &bins, bottom);
	put_rank(to, &bins, side, 50, bottom);
	put_rank(to, &bins, side, 99, bottom);
	end(to);
}
