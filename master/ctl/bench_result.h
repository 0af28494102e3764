/*
 * bench_result.h: what a run found: figures with a unit, curves of times, a course over time, and remarks. Filled by the scenarios, printed by
 * bench_report.c and bench_html.c.
 */
#ifndef MASTER_CTL_BENCH_RESULT_H
#define MASTER_CTL_BENCH_RESULT_H

#include <stdbool.h>

#include "master/ctl/bench_histogram.h"

enum bench_unit {
	BENCH_COUNT,
	BENCH_NS,
	BENCH_BYTES,
	BENCH_PER_S,
	BENCH_RATIO,
	BENCH_PERCENT,
};

struct bench_figure {
	const char *key; /* in JSON; its last word is the unit */
	const char *title;
	enum bench_unit unit;
	double value;
	bool zero; /* must be 0 */
};

struct bench_curve {
	const char *key, *title;
	struct bench_histogram times;
};

/* One look at the run, every 100 ms. */
struct bench_sample {
	double at_s;
	double open;         /* clients established */
	double deliveries_s; /* since the sample before */
	double server_cpu;   /* cores, likewise */
	double load_cpu;     /* cores of our own processes, likewise */
};

#define BENCH_RESULT_FIGURES_MAX 64
#define BENCH_RESULT_CURVES_MAX 6
#define BENCH_RESULT_REMARKS_MAX 8
#define BENCH_RESULT_SAMPLES_MAX 36000

struct bench_result {
	struct bench_figure figures[BENCH_RESULT_FIGURES_MAX];
	unsigned figure_count;
	struct bench_curve curves[BENCH_RESULT_CURVES_MAX];
	unsigned curve_count;
	char remarks[BENCH_RESULT_REMARKS_MAX][256];
	unsigned remark_count;
	struct bench_sample *samples;
	unsigned sample_count, sample_cap;
	bool failed; /* something that must be 0 is not */
};

void bench_result_figure(
    struct bench_result *r, const char *key, const char *title, enum bench_unit unit, double value);

/* A figure that must be 0. */
void bench_result_zero(struct bench_result *r, const char *key, const char *title, double value);

/* A figure that must be 0 and is not. */
bool bench_result_is_bad(const struct bench_figure *figure);

/* A curve, and its p50, p99, p99.9 and max as figures: the keys are made of `key`, which is static. */
void bench_result_times(struct bench_result *r, const char *const keys[4],
    const char *const titles[4], const char *curve, const char *curve_title,
    const struct bench_histogram *times);

void bench_result_remark(struct bench_result *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void bench_result_sample(struct bench_result *r, const struct bench_sample *sample);
void bench_result_free(struct bench_result *r);

/* A value for people: "1.25 ms", "84 B", "12,345". Returns text. */
const char *bench_result_text(enum bench_unit unit, double value, char text[static 32]);

#endif
