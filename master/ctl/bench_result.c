/*
 * bench_result.c: see bench_result.h.
 */
#include "master/ctl/bench_result.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
bench_result_figure(
    struct bench_result *r, const char *key, const char *title, enum bench_unit unit, double value)
{
	if (r->figure_count < BENCH_RESULT_FIGURES_MAX)
		r->figures[r->figure_count++] =
		    (struct bench_figure){key, title, unit, value, false};
}

void
bench_result_zero(struct bench_result *r, const char *key, const char *title, double value)
{
	bench_result_figure(r, key, title, BENCH_COUNT, value);
	r->figures[r->figure_count - 1].zero = true;
	r->failed = r->failed || value != 0;
}

bool
bench_result_is_bad(const struct bench_figure *figure)
{
	return figure->zero && figure->value != 0;
}

void
bench_result_times(struct bench_result *r, const char *const keys[4], const char *const titles[4],
    const char *curve, const char *curve_title, const struct bench_histogram *times)
{
	static const double shares[] = {0.5, 0.99, 0.999, 1};

	for (unsigned i = 0; i < 4; i++)
		if (keys[i] != NULL)
			bench_result_figure(r, keys[i], titles[i], BENCH_NS,
			    (double)bench_histogram_at(times, shares[i]));
	if (r->curve_count < BENCH_RESULT_CURVES_MAX && times->count != 0)
		r->curves[r->curve_count++] = (struct bench_curve){curve, curve_title, *times};
}

void
bench_result_remark(struct bench_result *r, const char *format, ...)
{
	va_list arguments;

	if (r->remark_count == BENCH_RESULT_REMARKS_MAX)
		return;
	va_start(arguments, format);
	vsnprintf(r->remarks[r->remark_count++], sizeof r->remarks[0], format, arguments);
	va_end(arguments);
}

void
bench_result_sample(struct bench_result *r, const struct bench_sample *sample)
{
	if (r->sample_count == r->sample_cap) {
		const unsigned cap = r->sample_cap == 0 ? 256 : r->sample_cap * 2;
		struct bench_sample *grown;

		if (r->sample_count >= BENCH_RESULT_SAMPLES_MAX)
			return;
		grown = realloc(r->samples, cap * sizeof *grown);
		if (grown == NULL)
			return;
		r->samples = grown;
		r->sample_cap = cap;
	}
	r->samples[r->sample_count++] = *sample;
}

void
bench_result_free(struct bench_result *r)
{
	free(r->samples);
	*r = (struct bench_result){.figure_count = 0};
}

/* Digits in groups of three. */
static void
group(double value, char text[static 32])
{
	char digits[24];
	const int len = snprintf(digits, sizeof digits, "%.0f", value);
	int to = 0;

	for (int i = 0; i < len && to < 30; i++) {
		if (i > 0 && (len - i) % 3 == 0 && digits[i - 1] != '-')
			text[to++] = ',';
		text[to++] = digits[i];
	}
	text[to] = '\0';
}

/* The value in the first unit that it is below the next of. */
static void
scale(double value, double step, const char *const units[], unsigned count, char text[static 32])
{
	unsigned i = 0;

	while (i + 1 < count && fabs(value) >= step) {
		value /= step;
		i++;
	}
	snprintf(text, 32,
	    fabs(value) < 10 && i > 0    ? "%.2f %s"
	    : fabs(value) < 100 && i > 0 ? "%.1f %s"
					 : "%.0f %s",
	    value, units[i]);
}

const char *
bench_result_text(enum bench_unit unit, double value, char text[static 32])
{
	static const char *const times[] = {"ns", "us", "ms", "s"};
	static const char *const sizes[] = {"B", "KiB", "MiB", "GiB", "TiB"};

	switch (unit) {
	case BENCH_COUNT:
		group(value, text);
		break;
	case BENCH_NS:
		scale(value, 1000, times, 4, text);
		break;
	case BENCH_BYTES:
		scale(value, 1024, sizes, 5, text);
		break;
	case BENCH_PER_S:
		group(value, text);
		snprintf(text + strnlen(text, 28), 4, "/s");
		break;
	case BENCH_RATIO:
		snprintf(text, 32, "%.3f", value);
		break;
	case BENCH_PERCENT:
		snprintf(text, 32, "%.1f %%", value);
		break;
	}
	return text;
}
