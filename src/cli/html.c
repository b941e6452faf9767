/* SPDX-License-Identifier: MIT */
#include "cli/html.h"

#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/plain.h"

const char *html(const char *string)
{
	char *words = plain(string, strlen(string));
	char *escaped = malloc(6 * strlen(words) + 1), *to = escaped;

	if (!escaped)
		give_up("out of memory");
	*to = '\0';
	for (const char *c = words; *c; c++) {
		switch (*c) {
		case '&':
			to = stpcpy(to, "&amp;");
			break;
		case '<':
			to = stpcpy(to, "&lt;");
			break;
		case '>':
			to = stpcpy(to, "&gt;");
			break;
		case '"':
			to = stpcpy(to, "&quot;");
			break;
		case '\'':
			to = stpcpy(to, "&#39;");
			break;
		default:
			*to++ = *c;
			*to = '\0';
		}
	}
	free(words);
	return escaped;
}

/* For light and dark screens and paper. Without "<" and "&", which XML forbids here. */
static const char style[] =
	":root{color-scheme:light dark;--page:#fff;--text:#1a1d21;--soft:#545b64;--line:#d5d9de;"
	"--card:#f5f6f8;--one:#a84300;--other:#0b57c4;--good:#116a2e;--bad:#b3141f}\n"
	"@media (prefers-color-scheme:dark){:root{--page:#14171a;--text:#e8eaed;--soft:#a9b1ba;"
	"--line:#3a4149;--card:#1e2328;--one:#ffa057;--other:#79b2ff;--good:#5fcf83;"
	"--bad:#ff8a85}}\n"
	"*{box-sizing:border-box}\n"
	"body{margin:0 auto;padding:1.25rem;max-width:60rem;background:var(--page);"
	"color:var(--text);font:1rem/1.5 system-ui,-apple-system,'Segoe UI','DejaVu Sans',"
	"sans-serif}\n"
	"h1{font-size:1.5rem;line-height:1.25;margin:.1rem 0 .3rem;overflow-wrap:anywhere}\n"
	"h2{font-size:1.2rem;margin:2.2rem 0 .6rem;padding-top:.6rem;"
	"border-top:1px solid var(--line)}\n"
	"h3{font-size:1rem;margin:1.2rem 0 .3rem}\n"
	"p{margin:.4rem 0;max-width:44rem}\n"
	"a{color:var(--other)}\n"
	":focus-visible{outline:3px solid var(--other);outline-offset:2px}\n"
	".skip{position:absolute;left:-99rem}.skip:focus{position:static}\n"
	".soft,figcaption,caption{color:var(--soft)}\n"
	"header p{margin:0;max-width:none;overflow-wrap:anywhere}\n"
	".verdict{margin:1rem 0;padding:.8rem 1rem 1rem;background:var(--card);"
	"border-left:.5rem solid var(--good);border-radius:.3rem}\n"
	".verdict.bad{border-color:var(--bad)}\n"
	".verdict h2{margin:0;padding:0;border:0;font-size:1rem;color:var(--soft)}\n"
	".sentence{font-size:1.25rem;line-height:1.35;font-weight:600;max-width:none;margin:.1rem 0 .7rem}\n"
	".findings{list-style:none;margin:0;padding:0;display:grid;gap:.5rem}\n"
	".findings li{display:grid;grid-template-columns:9.5rem 1fr;gap:0 .8rem}\n"
	".pill{justify-self:start;align-self:start;padding:.05rem .6rem;border-radius:1rem;"
	"border:2px solid var(--good);color:var(--good);font-weight:600;font-size:.875rem;"
	"white-space:nowrap}\n"
	".pill.bad{border-color:var(--bad);background:var(--bad);color:var(--page)}\n"
	".pill.note{border-color:var(--soft);color:var(--soft)}\n"
	"nav ul{display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;margin:1rem 0 0;padding:0;"
	"list-style:none}\n"
	".wide{overflow-x:auto}\n"
	"table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}\n"
	"caption{text-align:left;padding:.2rem 0}\n"
	"th,td{padding:.3rem .6rem .3rem 0;text-align:left;vertical-align:top;"
	"border-bottom:1px solid var(--line)}\n"
	"thead th{border-bottom:2px solid var(--line)}\n"
	"tbody th{font-weight:400}th.part{padding-left:1.2rem;color:var(--soft)}\n"
	".machines tbody th{white-space:nowrap;padding-right:1rem}\n"
	".both td{width:33%}.one{color:var(--one)}.other{color:var(--other)}\n"
	".both tbody td,.machines td{color:var(--text)}\n"
	"code,.mono{font-family:ui-monospace,'DejaVu Sans Mono',monospace;font-size:.875em;"
	"overflow-wrap:anywhere}\n"
	".bar{display:block;width:100%;height:.4rem}\n"
	"figure{margin:.8rem 0}\n"
	"svg.chart{display:block;width:100%;height:auto}\n"
	".one .mark{fill:var(--one)}.other .mark{fill:var(--other)}\n"
	".one .held{stroke:var(--one)}.other .held{stroke:var(--other)}\n"
	".held{stroke-width:4}.gone{stroke:var(--bad);stroke-width:1;stroke-dasharray:1 3}\n"
	".break{stroke:var(--bad);stroke-width:2;fill:none}\n"
	".grid{stroke:var(--line);stroke-width:1}.rank{stroke:var(--text);stroke-width:1;"
	"stroke-dasharray:4 3}\n"
	".chart text{fill:var(--soft);font:11px ui-monospace,'DejaVu Sans Mono',monospace}\n"
	".chart text.rank-text{fill:var(--text);stroke:var(--page);stroke-width:3;"
	"paint-order:stroke}\n"
	"details{border:1px solid var(--line);border-radius:.3rem;margin:.5rem 0;"
	"padding:.3rem .7rem}\n"
	"summary{cursor:pointer;overflow-wrap:anywhere}\n"
	"dt{font-weight:600}dd{margin:0 0 .6rem;max-width:44rem}\n"
	"footer{margin-top:2rem;color:var(--soft);font-size:.875rem}\n"
	"@media (max-width:36rem){body{padding:.8rem}"
	".findings li{grid-template-columns:1fr;gap:.1rem}.machines tr{display:block}"
	".machines th,.machines td{display:block;border:0;padding:.1rem 0}"
	".machines tbody th{font-weight:600}.machines td{border-left:.25rem solid;"
	"padding-left:.5rem;margin-bottom:.2rem}"
	".machines td.one{border-color:var(--one)}.machines td.other{border-color:var(--other)}"
	/* The names of pages are in the table, too. */
	".chart .name{display:none}.chart text,.chart text.rank-text{font-size:20px}"
	".break{stroke-width:5}}\n"
	"@page{size:A4;margin:15mm}\n"
	"@media print{:root{color-scheme:light;--page:#fff;--text:#000;--soft:#444;--line:#bbb;"
	"--card:#f5f6f8;--one:#a84300;--other:#0b57c4;--good:#116a2e;--bad:#b3141f}"
	"body{max-width:none;padding:0;font-size:10pt}h2{margin-top:1.2rem}nav,.skip{display:none}"
	".wide{overflow:visible}.more:not([open]){display:none}"
	/* The addresses of both runs fit one page. */
	".chart{max-height:90mm}.chart text{font-size:12px}"
	"th,td{padding-top:.15rem;padding-bottom:.15rem}dl{columns:2;column-gap:8mm}"
	"figure,tr,.verdict,details,dd,h2,h3{break-inside:avoid}h2,h3,dt{break-after:avoid}"
	"*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}\n";

void html_begin(FILE *to, const char *title)
{
	fprintf(to,
		"<!DOCTYPE html>\n"
		"<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\" xml:lang=\"en\">\n"
		"<head>\n<meta charset=\"utf-8\"/>\n"
		/* If markup in a text got through, nothing would be executed or loaded. */
		"<meta http-equiv=\"Content-Security-Policy\" "
		"content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\n"
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
		"<title>%s</title>\n<style>\n%s</style>\n</head>\n",
		html(title), style);
}

void html_end(FILE *to)
{
	fputs("</html>\n", to);
}
