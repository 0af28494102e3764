/*
 * bench_report.h: a run's results for people (text), for machines (JSON) and for people who like pictures (a page that needs nothing but
 * itself; bench_html.c).
 */
#ifndef MASTER_CTL_BENCH_REPORT_H
#define MASTER_CTL_BENCH_REPORT_H

#include <stdio.h>

#include "master/ctl/bench_plan.h"
#include "master/ctl/bench_result.h"

void bench_report_text(FILE *to, const struct bench_plan *plan, const struct bench_result *result);

/* One object: scenario, plan, figures by key, curves as [ns, share] points, remarks. */
void bench_report_json(FILE *to, const struct bench_plan *plan, const struct bench_result *result);

void bench_html_report(FILE *to, const struct bench_plan *plan, const struct bench_result *result);

/* Writes one of them into a file, "-" for `standard`; false with errno. */
bool bench_report_file(const char *path, FILE *standard, const struct bench_plan *plan,
    const struct bench_result *result,
    void (*write)(FILE *, const struct bench_plan *, const struct bench_result *));

#endif
