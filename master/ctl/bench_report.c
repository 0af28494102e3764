/*
 * bench_report.c: see bench_report.h.
 */
#include "master/ctl/bench_report.h"

#include <errno.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "master/version.h"

#define TITLE_COLUMNS 58

/* What must be 0 in one line; nobody reads a list of noughts. */
static void
put_zeros(FILE *to, const struct bench_result *result)
{
	const char *before = "  ";

	for (unsigned i = 0; i < result->figure_count; i++) {
		const struct bench_figure *f = &result->figures[i];
		const char *mark = bench_result_is_bad(f) ? "**" : "";

		if (!f->zero)
			continue;
		fprintf(to, "%s%s%.0f %s%s", before, mark, f->value, f->title, mark);
		before = ", ";
	}
	fputc('\n', to);
}

void
bench_report_text(FILE *to, const struct bench_plan *plan, const struct bench_result *result)
{
	char text[32];

	fprintf(to, "%s, %s: %u clients, %u bytes of data an event\n",
	    bench_plan_scenario(plan->scenario), bench_plan_transport(plan->transport),
	    plan->clients, plan->size);
	for (unsigned i = 0; i < result->figure_count; i++) {
		const struct bench_figure *f = &result->figures[i];

		if (!f->zero)
			fprintf(to, "  %-*s %14s\n", TITLE_COLUMNS, f->title,
			    bench_result_text(f->unit, f->value, text));
	}
	put_zeros(to, result);
	for (unsigned i = 0; i < result->remark_count; i++)
		fprintf(to, "  note: %s\n", result->remarks[i]);
}

/* ---- JSON ---------------------------------------------------------------------------------------- */

/* The texts in here are our own or names: only what JSON must have escaped is. */
static void
put_string(FILE *to, const char *text)
{
	fputc('"', to);
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', to);
		if ((unsigned char)*text >= ' ')
			fputc(*text, to);
	}
	fputc('"', to);
}

static void
put_plan(FILE *to, const struct bench_plan *plan)
{
	struct utsname host = {.release = ""};

	uname(&host);
	fprintf(to, "\"ringcast\":\"%s\",\"kernel\":", VERSION_TEXT);
	put_string(to, host.release);
	fprintf(to, ",\"cores\":%ld,\"unix_s\":%lld,\"scenario\":\"%s\",\"transport\":\"%s\",",
	    sysconf(_SC_NPROCESSORS_ONLN), (long long)time(NULL),
	    bench_plan_scenario(plan->scenario), bench_plan_transport(plan->transport));
	fprintf(to,
	    "\"clients\":%u,\"channels\":%u,\"size_bytes\":%u,\"rate_per_s\":%g,\"seconds\":%u,\"burst\":%u,\"server\":",
	    plan->clients, plan->channels, plan->size, plan->rate, plan->seconds, plan->burst);
	put_string(to, plan->url.host[0] != '\0' ? plan->url.authority : plan->url.file);
}

static void
put_curve(FILE *to, const struct bench_curve *curve)
{
	uint64_t seen = 0;
	bool first = true;

	fprintf(to, "\"%s\":[", curve->key);
	for (unsigned i = 0; i < BENCH_HISTOGRAM_BUCKETS; i++) {
		if (curve->times.buckets[i] == 0)
			continue;
		seen += curve->times.buckets[i];
		fprintf(to, "%s[%llu,%.6f]", first ? "" : ",",
		    (unsigned long long)bench_histogram_top(i),
		    (double)seen / (double)curve->times.count);
		first = false;
	}
	fputc(']', to);
}

void
bench_report_json(FILE *to, const struct bench_plan *plan, const struct bench_result *result)
{
	fputc('{', to);
	put_plan(to, plan);
	fputs(",\"figures\":{", to);
	for (unsigned i = 0; i < result->figure_count; i++)
		fprintf(to, "%s\"%s\":%.10g", i == 0 ? "" : ",", result->figures[i].key,
		    result->figures[i].value);
	fputs("},\"curves\":{", to);
	for (unsigned i = 0; i < result->curve_count; i++) {
		if (i != 0)
			fputc(',', to);
		put_curve(to, &result->curves[i]);
	}
	fputs("},\"remarks\":[", to);
	for (unsigned i = 0; i < result->remark_count; i++) {
		if (i != 0)
			fputc(',', to);
		put_string(to, result->remarks[i]);
	}
	fprintf(to, "],\"good\":%s}\n", result->failed ? "false" : "true");
}

bool
bench_report_file(const char *path, FILE *standard, const struct bench_plan *plan,
    const struct bench_result *result,
    void (*write)(FILE *, const struct bench_plan *, const struct bench_result *))
{
	FILE *file;
	bool written;

	if (path[0] == '-' && path[1] == '\0') {
		write(standard, plan, result);
		return true;
	}
	file = fopen(path, "we");
	if (file == NULL)
		return false;
	write(file, plan, result);
	written = ferror(file) == 0;
	return fclose(file) == 0 && written;
}
