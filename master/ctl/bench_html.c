/*
 * bench_html.c: the report as a page of its own: tables, the times as curves over a logarithmic axis, the run over time. No script, no
 * file beside it. See bench_report.h.
 */
#include <math.h>

#include "master/ctl/bench_report.h"

#define WIDTH 720.0
#define HEIGHT 260.0
#define LEFT 64.0
#define BOTTOM 34.0
#define TOP 12.0
#define RIGHT 30.0

static const char style[] =
    ":root{--ink:#1b2430;--paper:#fff;--faint:#c9d1da;--soft:#5b6773}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e3e8ee;--paper:#14181d;--faint:#36404b;--soft:#98a4b0}}"
    "body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:760px;margin:2em auto;padding:0 1em}"
    "h1{font-size:1.4em}h2{font-size:1.1em;margin-top:2em}table{border-collapse:collapse;width:100%}"
    "td{padding:.2em .4em;border-bottom:1px solid var(--faint)}td+td{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}"
    ".bad{color:#c62828;font-weight:600}.note{border-left:4px solid #e69f00;padding:.2em .8em}"
    "svg{width:100%;height:auto}svg text{font:11px system-ui,sans-serif;fill:var(--soft)}"
    ".axis{stroke:var(--faint);fill:none}.line{fill:none;stroke-width:2}.key{display:inline-block;width:.8em;height:.8em;margin:0 .4em 0 1em}";

/* Distinguishable for those who do not see red and green (Okabe and Ito). */
static const char *const colors[] = {
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"};

static void
put_text(FILE *to, const char *text)
{
	for (; *text != '\0'; text++)
		switch (*text) {
		case '<':
			fputs("&lt;", to);
			break;
		case '&':
			fputs("&amp;", to);
			break;
		default:
			fputc(*text, to);
		}
}

/* Where a share of an axis lies. */
static double
across(double share)
{
	return LEFT + share * (WIDTH - LEFT - RIGHT);
}

static double
up(double share)
{
	return HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP);
}

static void
open_chart(FILE *to, const char *title)
{
	fprintf(to, "<h2>%s</h2><svg viewBox=\"0 0 %g %g\" role=\"img\" aria-label=\"%s\">", title,
	    WIDTH, HEIGHT, title);
}

static void
mark_x(FILE *to, double share, const char *text)
{
	fprintf(to,
	    "<path class=\"axis\" d=\"M%.1f %.1fV%.1f\"/><text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>",
	    across(share), up(0), up(1), across(share), HEIGHT - BOTTOM + 16, text);
}

static void
mark_y(FILE *to, double share, const char *text)
{
	fprintf(to,
	    "<path class=\"axis\" d=\"M%.1f %.1fH%.1f\"/><text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%s</text>",
	    across(0), up(share), across(1), LEFT - 6, up(share) + 4, text);
}

/* ---- times --------------------------------------------------------------------------------------- */

/* The powers of ten between which all times lie. */
static void
decades(const struct bench_result *r, int *low, int *high)
{
	*low = 12;
	*high = 0;
	for (unsigned c = 0; c < r->curve_count; c++) {
		const struct bench_histogram *h = &r->curves[c].times;
		const int first = (int)floor(log10((double)bench_histogram_at(h, 0) + 1));
		const int last = (int)ceil(log10((double)h->max_ns + 1));

		*low = first < *low ? first : *low;
		*high = last > *high ? last : *high;
	}
	*high = *high > *low ? *high : *low + 1;
}

static void
put_curve(FILE *to, const struct bench_curve *curve, const char *color, int low, int high)
{
	uint64_t seen = 0;
	bool first = true;

	fprintf(to, "<path class=\"line\" stroke=\"%s\" d=\"", color);
	for (unsigned i = 0; i < BENCH_HISTOGRAM_BUCKETS; i++) {
		double x;

		if (curve->times.buckets[i] == 0)
			continue;
		x = (log10((double)bench_histogram_top(i) + 1) - low) / (high - low);
		x = x < 0 ? 0 : x > 1 ? 1 : x;
		if (first)
			fprintf(to, "M%.1f %.1f", across(x), up(0));
		seen += curve->times.buckets[i];
		fprintf(to, "L%.1f %.1f", across(x), up((double)seen / (double)curve->times.count));
		first = false;
	}
	fputs("\"/>", to);
}

static void
put_times(FILE *to, const struct bench_result *r)
{
	char text[32];
	int low, high;

	if (r->curve_count == 0)
		return;
	decades(r, &low, &high);
	open_chart(to, "Times: the share that was not slower");
	for (int d = low; d <= high; d++)
		mark_x(to, (double)(d - low) / (high - low),
		    bench_result_text(BENCH_NS, pow(10, d), text));
	for (int i = 0; i <= 4; i++) {
		snprintf(text, sizeof text, "%d %%", i * 25);
		mark_y(to, i / 4.0, text);
	}
	for (unsigned c = 0; c < r->curve_count; c++)
		put_curve(to, &r->curves[c], colors[c], low, high);
	fputs("</svg><p>", to);
	for (unsigned c = 0; c < r->curve_count; c++)
		fprintf(to, "<span class=\"key\" style=\"background:%s\"></span>%s", colors[c],
		    r->curves[c].title);
	fputs("</p>", to);
}

/* ---- the course ---------------------------------------------------------------------------------- */

enum course { COURSE_OPEN, COURSE_DELIVERIES, COURSE_SERVER, COURSE_LOAD };

static double
sample_value(const struct bench_sample *s, enum course course)
{
	switch (course) {
	case COURSE_OPEN:
		return s->open;
	case COURSE_DELIVERIES:
		return s->deliveries_s;
	case COURSE_SERVER:
		return s->server_cpu;
	case COURSE_LOAD:
		return s->load_cpu;
	}
	return 0;
}

static double
highest(const struct bench_result *r, enum course course)
{
	double most = 0;

	for (unsigned i = 0; i < r->sample_count; i++)
		most = fmax(most, sample_value(&r->samples[i], course));
	return most;
}

static void
put_line(FILE *to, const struct bench_result *r, enum course course, double most, const char *color)
{
	const double end = r->samples[r->sample_count - 1].at_s;

	fprintf(to, "<path class=\"line\" stroke=\"%s\" d=\"", color);
	for (unsigned i = 0; i < r->sample_count; i++)
		fprintf(to, "%c%.1f %.1f", i == 0 ? 'M' : 'L', across(r->samples[i].at_s / end),
		    up(sample_value(&r->samples[i], course) / most));
	fputs("\"/>", to);
}

/* One chart of one or two courses on the same scale. */
static void
put_course(FILE *to, const struct bench_result *r, const char *title, enum bench_unit unit,
    enum course a, const char *a_title, enum course b, const char *b_title)
{
	const double most = fmax(highest(r, a), highest(r, b));
	char text[32];

	if (r->sample_count < 2 || most <= 0)
		return;
	open_chart(to, title);
	for (int i = 0; i <= 4; i++) {
		snprintf(text, sizeof text, "%.1f s", r->samples[r->sample_count - 1].at_s * i / 4);
		mark_x(to, i / 4.0, text);
		mark_y(to, i / 4.0, bench_result_text(unit, most * i / 4, text));
	}
	put_line(to, r, a, most, colors[0]);
	if (b != a)
		put_line(to, r, b, most, colors[1]);
	fprintf(to, "</svg><p><span class=\"key\" style=\"background:%s\"></span>%s", colors[0],
	    a_title);
	if (b != a)
		fprintf(to, "<span class=\"key\" style=\"background:%s\"></span>%s", colors[1],
		    b_title);
	fputs("</p>", to);
}

/* ---- the page ------------------------------------------------------------------------------------ */

void
bench_html_report(FILE *to, const struct bench_plan *plan, const struct bench_result *result)
{
	char text[32];

	fprintf(to,
	    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">"
	    "<title>ringcast bench: %s</title><style>%s</style><h1>ringcast bench: %s</h1><p>%u clients, %s, %u bytes of data an event, server ",
	    bench_plan_scenario(plan->scenario), style, bench_plan_scenario(plan->scenario),
	    plan->clients, bench_plan_transport(plan->transport), plan->size);
	put_text(to, plan->url.host[0] != '\0' ? plan->url.authority : plan->url.file);
	fputs("</p><table>", to);
	for (unsigned i = 0; i < result->figure_count; i++) {
		const struct bench_figure *f = &result->figures[i];

		fprintf(to, "<tr%s><td>%s</td><td>%s</td></tr>",
		    bench_result_is_bad(f) ? " class=\"bad\"" : "", f->title,
		    bench_result_text(f->unit, f->value, text));
	}
	fputs("</table>", to);
	for (unsigned i = 0; i < result->remark_count; i++) {
		fputs("<p class=\"note\">", to);
		put_text(to, result->remarks[i]);
		fputs("</p>", to);
	}
	put_times(to, result);
	put_course(to, result, "Deliveries a second", BENCH_COUNT, COURSE_DELIVERIES, "deliveries",
	    COURSE_DELIVERIES, "");
	put_course(to, result, "Clients", BENCH_COUNT, COURSE_OPEN, "established", COURSE_OPEN, "");
	put_course(
	    to, result, "Cores used", BENCH_RATIO, COURSE_SERVER, "server", COURSE_LOAD, "clients");
	fputs("</html>\n", to);
}
