/* SPDX-License-Identifier: MIT */
#include "cli/report.h"

#include <config.h>
#include <inttypes.h>
#include <string.h>

#include "base/page.h"
#include "cli/about.h"
#include "cli/chart.h"
#include "cli/cli.h"
#include "cli/html.h"

/* More rows of a kind would make the page too long to read. */
#define MOST 500

/* The number of differences that are open when the page is loaded. */
#define OPEN 5

struct page {
	FILE *to;
	const struct comparison *comparison;
	size_t count; /* of rows in the list */
};

static const char *title_of(const struct comparison *comparison, int run)
{
	const struct side *sides = comparison->sides;

	if (sides[0].way != sides[1].way)
		return html(sides[run].way->title);
	return html(text("%s %s", run ? "second" : "first", sides[run].way->title));
}

static void put_heads(FILE *to, const struct comparison *comparison, const char *first)
{
	fprintf(to, "<thead><tr><th scope=\"col\">%s</th>", first);
	for (int i = 0; i < 2; i++)
		fprintf(to, "<th scope=\"col\" class=\"%s\">%s</th>", chart_class(i),
			title_of(comparison, i));
	fputs("</tr></thead>\n<tbody>\n", to);
}

/* ---- the verdict ---- */

/* state: "good", "bad" or "note"; words are HTML. */
static void put_finding(FILE *to, const char *state, const char *pill, const char *words)
{
	fprintf(to, "<li><span class=\"pill %s\">%s</span> <span>%s</span></li>\n", state, pill,
		words);
}

struct first_difference {
	const struct comparison *comparison;
	const char *words;
};

static void note_first(const char *question, const struct operation *const operations[2], void *arg)
{
	struct first_difference *first = arg;
	const struct comparison *comparison = first->comparison;

	if (first->words)
		return;
	first->words =
		text("<code>%s</code>: %s: <code>%s</code>, %s: <code>%s</code>", html(question),
		     title_of(comparison, 0), html(comparison_answers(operations[0])),
		     title_of(comparison, 1), html(comparison_answers(operations[1])));
}

static void put_operations_finding(FILE *to, const struct comparison *comparison)
{
	struct first_difference first = {comparison, NULL};

	if (!comparison->different) {
		put_finding(to, "good", "Same answers",
			    text("%zu operations had the same answers.", comparison->asked));
		return;
	}
	comparison_each(comparison, note_first, &first);
	put_finding(to, "bad", "Answers differ",
		    text("%zu of %zu operations. %s%s", comparison->different, comparison->asked,
			 first.words,
			 comparison->different > 1
				 ? "; <a href=\"#differences\">all that differed</a>"
				 : ""));
}

static void put_status_finding(FILE *to, const struct comparison *comparison)
{
	const struct side *sides = comparison->sides;
	bool same = comparison_same_status(comparison);

	put_finding(to, same ? "good" : "bad", same ? "Same status" : "Status differs",
		    text("%s: %d, %s: %d.%s", title_of(comparison, 0), sides[0].status,
			 title_of(comparison, 1), sides[1].status,
			 sides[0].killed || sides[1].killed
				 ? " It did not end after SIGINT, and was killed."
				 : ""));
}

static void put_address_finding(FILE *to, const struct comparison *comparison, int run)
{
	const struct side *side = &comparison->sides[run];
	const struct addresses *addresses = &side->addresses;
	const char *title = title_of(comparison, run);

	if (!addresses->given)
		put_finding(to, "note", "No address", text("%s: none was handed out.", title));
	else if (addresses->moved)
		put_finding(to, side->way->needs_group ? "note" : "bad", "Moved",
			    text("%s: %zu of %zu addresses moved while in use%s.", title,
				 addresses->moved, addresses->given,
				 side->way->needs_group
					 ? ": nothing holds them there, and a device would have "
					   "reached other memory"
					 : ", although the library promises that they stay"));
	else if (addresses->seen)
		put_finding(to, "good", "None moved",
			    text("%s: %zu addresses handed out, %zu of them seen in memory.", title,
				 addresses->given, addresses->seen));
	else
		put_finding(to, "note", "Not seen",
			    text("%s: %zu addresses handed out. The command could not see where "
				 "they are; this needs CAP_SYS_ADMIN.",
				 title, addresses->given));
}

static void put_lost_finding(FILE *to, const struct comparison *comparison)
{
	const struct side *sides = comparison->sides;

	if (comparison_lost(comparison))
		put_finding(to, "bad", "Events lost",
			    text("%s: %" PRIu64 ", %s: %" PRIu64
				 ". What was in them is not compared.",
				 title_of(comparison, 0), sides[0].lost, title_of(comparison, 1),
				 sides[1].lost));
}

static void put_verdict(FILE *to, const struct comparison *comparison)
{
	bool same = comparison_same(comparison);

	fprintf(to,
		"<section class=\"verdict %s\" aria-labelledby=\"verdict\">\n"
		"<h2 id=\"verdict\">Verdict: %s</h2>\n<p class=\"sentence\">%s</p>\n"
		"<ul class=\"findings\">\n",
		same ? "good" : "bad", same ? "the same" : "not the same",
		html(comparison->verdict));
	put_lost_finding(to, comparison);
	put_operations_finding(to, comparison);
	put_status_finding(to, comparison);
	for (int i = 0; i < 2; i++)
		put_address_finding(to, comparison, i);
	fputs("</ul>\n</section>\n", to);
}

static void put_header(FILE *to, const struct comparison *comparison)
{
	const struct side *sides = comparison->sides;
	const json_t *program = json_object_get(sides[1].about, "program");
	const char *name = json_string_value(json_array_get(program, 0));

	fprintf(to,
		"<body>\n<a class=\"skip\" href=\"#main\">To the content</a>\n<header>\n"
		"<p class=\"soft\">noiommu-shim compare</p>\n<h1>%s</h1>\n",
		name ? html(name) : "A program");
	for (int i = 0; i < 2; i++)
		fprintf(to,
			"<p class=\"soft\"><span class=\"%s\">%s</span>: %s%s, Linux %s, %s</p>\n",
			chart_class(i), title_of(comparison, i),
			sides[i].recorded ? "recorded on " : "",
			html(about_text(sides[i].about, "host", "")),
			html(about_release(sides[i].about)),
			html(about_text(sides[i].about, "time", "")));
	fputs("</header>\n", to);
}

static void put_contents(FILE *to)
{
	fputs("<nav aria-label=\"Contents\"><ul>\n"
	      "<li><a href=\"#numbers\">Side by side</a></li>\n"
	      "<li><a href=\"#addresses\">Addresses over time</a></li>\n"
	      "<li><a href=\"#lookups\">Lookups</a></li>\n"
	      "<li><a href=\"#differences\">Operations that differed</a></li>\n"
	      "<li><a href=\"#machine\">Machine and program</a></li>\n"
	      "<li><a href=\"#reading\">How to read this</a></li>\n</ul></nav>\n",
	      to);
}

/* ---- side by side ---- */

static void put_cell(FILE *to, const struct cell *cell, double whole, int run)
{
	double part = whole > 0 ? cell->value / whole : 0;

	fprintf(to, "<td>%s", html(cell->text));
	if (part > 0)
		fprintf(to,
			"<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"bar %s\" "
			"viewBox=\"0 0 100 6\" preserveAspectRatio=\"none\" "
			"aria-hidden=\"true\"><rect class=\"mark\" width=\"%.1f\" height=\"6\"/>"
			"</svg>",
			chart_class(run),
			part < 0.01 ? 1
			: part < 1  ? part * 100
				    : 100);
	fputs("</td>", to);
}

static void put_row(const struct row *row, void *arg)
{
	const struct page *page = arg;
	bool is_part = *row->label == ' ';

	fprintf(page->to, "<tr><th scope=\"row\"%s>%s</th>", is_part ? " class=\"part\"" : "",
		html(row->label + strspn(row->label, " ")));
	for (int i = 0; i < 2; i++)
		put_cell(page->to, &row->cells[i], row->whole, i);
	fputs("</tr>\n", page->to);
}

static void put_numbers(struct page *page)
{
	fputs("<h2 id=\"numbers\">Side by side</h2>\n<table class=\"both\">\n"
	      "<caption>The results of both runs. The longer bar is the greater number.</caption>\n",
	      page->to);
	put_heads(page->to, page->comparison, "");
	comparison_rows(page->comparison, put_row, page);
	fputs("</tbody>\n</table>\n", page->to);
}

/* ---- addresses and lookups ---- */

static void put_track(FILE *to, const struct track *track)
{
	fprintf(to,
		"<tr><th scope=\"row\" class=\"mono\">0x%" PRIx64 "</th>"
		"<td class=\"mono\">0x%" PRIx64 "</td><td>%s</td><td>%s</td><td>",
		track->page << page_shift(), track->frame << page_shift(), duration(track->since),
		duration(track->until));
	for (size_t i = 0; i < track->gap_count; i++)
		fprintf(to, "%s%s to %s", i ? ", " : "", duration(track->gaps[i].from),
			duration(track->gaps[i].to));
	fprintf(to, "%s</td></tr>\n", track->gap_count ? "" : "no");
}

static void put_tracks(FILE *to, const struct comparison *comparison, int run)
{
	const struct tracks *tracks = &comparison->sides[run].addresses.tracks;

	fprintf(to,
		"<details class=\"more\"><summary>As a table: %s</summary>\n"
		"<div class=\"wide\" tabindex=\"0\" role=\"region\" "
		"aria-label=\"Addresses, %s\">\n<table>\n"
		"<caption>Times are since the start of the run.</caption>\n<thead><tr>"
		"<th scope=\"col\">Virtual</th><th scope=\"col\">Physical</th>"
		"<th scope=\"col\">In use from</th><th scope=\"col\">to</th>"
		"<th scope=\"col\">Elsewhere</th></tr></thead>\n<tbody>\n",
		title_of(comparison, run), title_of(comparison, run));
	for (size_t i = 0; i < tracks->count && i < MOST; i++)
		put_track(to, &tracks->list[i]);
	fputs("</tbody>\n</table>\n</div>\n</details>\n", to);
}

static void put_addresses(FILE *to, const struct comparison *comparison)
{
	fputs("<h2 id=\"addresses\">Addresses over time</h2>\n"
	      "<p>Each line is a page whose physical address the program looked up, from the "
	      "lookup until the program freed the memory. Where the line breaks, at a cross, the "
	      "page moved. Until the line goes on, the address is that of other memory.</p>\n",
	      to);
	for (int i = 0; i < 2; i++) {
		fprintf(to, "<h3 class=\"%s\">%s</h3>\n", chart_class(i), title_of(comparison, i));
		if (!comparison->sides[i].addresses.tracks.count) {
			fputs("<p>No address was handed out.</p>\n", to);
			continue;
		}
		fputs("<figure>\n", to);
		chart_addresses(to, comparison, i);
		fputs("</figure>\n", to);
		put_tracks(to, comparison, i);
	}
}

static void put_lookups(FILE *to, const struct comparison *comparison)
{
	static const unsigned int percents[] = {10, 25, 50, 75, 90, 99, 100};

	fputs("<h2 id=\"lookups\">Lookups</h2>\n"
	      "<p>How long the program waited for a physical address. Each bar is the share of "
	      "lookups that took about this long. Five bars are a factor of ten.</p>\n",
	      to);
	for (int i = 0; i < 2; i++) {
		fprintf(to, "<h3 class=\"%s\">%s</h3>\n<figure>\n", chart_class(i),
			title_of(comparison, i));
		chart_lookups(to, comparison, i);
		fputs("</figure>\n", to);
	}
	fputs("<table class=\"both\">\n"
	      "<caption>How many of 100 lookups took no longer than the time in the row.</caption>\n",
	      to);
	put_heads(to, comparison, "Lookups");
	for (size_t i = 0; i < sizeof(percents) / sizeof(percents[0]); i++) {
		fprintf(to, "<tr><th scope=\"row\">%u</th>", percents[i]);
		for (int run = 0; run < 2; run++) {
			const struct side *side = &comparison->sides[run];

			fprintf(to, "<td>%s</td>",
				side->lookups_kept ? duration(side_lookup(side, percents[i]))
						   : "-");
		}
		fputs("</tr>\n", to);
	}
	fputs("</tbody>\n</table>\n", to);
}

/* ---- operations ---- */

static void put_answers(FILE *to, const struct comparison *comparison, int run,
			const struct operation *operation)
{
	fprintf(to, "<tr><th scope=\"row\" class=\"%s\">%s</th><td><code>%s</code></td></tr>\n",
		chart_class(run), title_of(comparison, run), html(comparison_answers(operation)));
}

static void put_difference(const char *question, const struct operation *const operations[2],
			   void *arg)
{
	struct page *page = arg;

	if (page->count++ >= MOST)
		return;
	fprintf(page->to,
		"<details%s><summary><code>%s</code></summary>\n<table>\n"
		"<caption>The answers of both runs.</caption>\n<tbody>\n",
		page->count <= OPEN ? " open=\"open\"" : "", html(question));
	for (int i = 0; i < 2; i++)
		put_answers(page->to, page->comparison, i, operations[i]);
	fputs("</tbody>\n</table>\n</details>\n", page->to);
}

static void put_agreements(struct page *page)
{
	const struct comparison *comparison = page->comparison;
	const struct side *first = &comparison->sides[0];
	size_t count = 0;

	fprintf(page->to,
		"<details class=\"more\"><summary>%zu operations with the same answers</summary>\n<table>\n"
		"<caption>Operations and their answers in both runs.</caption>\n<thead><tr>"
		"<th scope=\"col\">Operation</th><th scope=\"col\">Answers</th></tr></thead>\n"
		"<tbody>\n",
		comparison->asked - comparison->different);
	for (size_t i = 0; i < first->operation_count && count < MOST; i++) {
		const struct operation *one = &first->operations[i];

		if (!comparison_agrees(one, side_find(&comparison->sides[1], one->question)))
			continue;
		count++;
		fprintf(page->to,
			"<tr><th scope=\"row\"><code>%s</code></th><td><code>%s</code></td></tr>\n",
			html(one->question), html(comparison_answers(one)));
	}
	fputs("</tbody>\n</table>\n</details>\n", page->to);
}

static void put_operations(struct page *page)
{
	fputs("<h2 id=\"differences\">Operations that differed</h2>\n", page->to);
	if (!page->comparison->different)
		fputs("<p>None.</p>\n", page->to);
	comparison_each(page->comparison, put_difference, page);
	if (page->count > MOST)
		fprintf(page->to, "<p>And %zu more.</p>\n", page->count - MOST);
	if (page->comparison->asked > page->comparison->different)
		put_agreements(page);
}

/* ---- where, and how to read it ---- */

static void put_machines(FILE *to, const struct comparison *comparison)
{
	fputs("<h2 id=\"machine\">Machine and program</h2>\n<table class=\"machines\">\n"
	      "<caption>What ran, where and when.</caption>\n",
	      to);
	put_heads(to, comparison, "");
	for (const struct about_member *member = about_members; member->name; member++) {
		/* Between strings of an array: that of devices has one for each device. */
		const char *between = strcmp(member->name, "devices") ? " " : "; ";

		fprintf(to, "<tr><th scope=\"row\">%s</th>", html(member->title));
		for (int i = 0; i < 2; i++) {
			char *value = about_text(comparison->sides[i].about, member->name, between);

			fprintf(to, "<td class=\"mono %s\">%s</td>", chart_class(i),
				*value ? html(value) : "-");
		}
		fputs("</tr>\n", to);
	}
	fputs("</tbody>\n</table>\n", to);
}

static const char reading[] =
	"<h2 id=\"reading\">How to read this</h2>\n"
	"<p>Without an IOMMU, a program gives its device physical addresses, and the device reads "
	"and writes whatever memory is there. So two things count: the program gets the same "
	"answers, and its pages stay at the addresses that it looked up.</p>\n<dl>\n";

static const char terms[] =
	"<dt>Moved</dt><dd>The command found another page twice in a row, while the program had "
	"neither looked the address up again nor freed the memory. Memory that the program frees "
	"inside libc and gets again counts as moved. The command looked 20 times a second.</dd>\n"
	"<dt>Operations</dt><dd>The program's calls to containers, groups and devices, by name "
	"and arguments. Equal answers that follow one another count once. Descriptors, addresses "
	"and data that was read from a device are not compared.</dd>\n"
	"<dt>Lookup</dt><dd>A read of /proc/self/pagemap. On all ways but the group path the "
	"first lookup of a page pins it, and takes longer for that.</dd>\n"
	"<dt>Set-up</dt><dd>The time from the first operation to the last device that was "
	"opened.</dd>\n"
	"<dt>Events lost</dt><dd>The program was faster than this command for long. The page does "
	"not show what the program did then.</dd>\n</dl>\n";

static void put_reading(FILE *to, const struct comparison *comparison)
{
	const struct side *sides = comparison->sides;

	fputs(reading, to);
	for (int i = 0; i < 2; i++)
		if (!i || sides[1].way != sides[0].way)
			fprintf(to, "<dt class=\"%s\">%s</dt><dd>%s</dd>\n", chart_class(i),
				html(sides[i].way->title), html(sides[i].way->meaning));
	fputs(terms, to);
}

void report_write(const struct comparison *comparison, FILE *to)
{
	struct page page = {.to = to, .comparison = comparison};

	html_begin(to, text("%s: noiommu-shim compare",
			    about_text(comparison->sides[1].about, "program", " ")));
	put_header(to, comparison);
	fputs("<main id=\"main\">\n", to);
	put_verdict(to, comparison);
	put_contents(to);
	put_numbers(&page);
	put_addresses(to, comparison);
	put_lookups(to, comparison);
	put_operations(&page);
	put_machines(to, comparison);
	put_reading(to, comparison);
	fprintf(to,
		"</main>\n<footer><p>Written by noiommu-shim %s. The page needs nothing but "
		"itself.</p></footer>\n</body>\n",
		PACKAGE_VERSION);
	html_end(to);
}
