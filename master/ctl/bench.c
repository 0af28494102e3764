/*
 * bench.c: `ringcast bench`: opens very many clients, publishes, verifies every delivery, and reports.
 *
 *     bench_plan      what is asked for               bench_scenario  what is played ...
 *     bench_crew      load processes, added up        bench_stage     ... in steps
 *     bench_load      one of them: an epoll loop      bench_publish   the publisher
 *     bench_client    a client: bytes to events       bench_host      the server's CPU and memory
 *     bench_ledger    its books: lost, late, twice    bench_report    text, JSON; bench_html: a page
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "master/ctl/bench_report.h"
#include "master/ctl/bench_scenario.h"

/* Found out before the run, not after it. Leaves no file, and what there is as it is. */
static bool
can_write(struct ctl *c, const char *path)
{
	struct stat file;
	int fd;

	if (path == NULL || strcmp(path, "-") == 0)
		return true;
	if (stat(path, &file) == 0) {
		errno = EISDIR;
		if (!S_ISDIR(file.st_mode) && access(path, W_OK) == 0)
			return true;
	} else if (errno == ENOENT) {
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd != -1) {
			close(fd);
			unlink(path);
			return true;
		}
	}
	ctl_fail(c, "cannot write %s: %s", path, strerror(errno));
	return false;
}

static bool
write_files(struct ctl *c, const struct bench_plan *plan, const struct bench_result *result)
{
	if (plan->json != NULL &&
	    !bench_report_file(plan->json, c->out, plan, result, bench_report_json)) {
		ctl_fail(c, "cannot write %s: %s", plan->json, strerror(errno));
		return false;
	}
	if (plan->html != NULL &&
	    !bench_report_file(plan->html, c->out, plan, result, bench_html_report)) {
		ctl_fail(c, "cannot write %s: %s", plan->html, strerror(errno));
		return false;
	}
	return true;
}

enum ctl_exit
bench_run(struct ctl *c, int argc, char **argv)
{
	struct bench_plan *plan = malloc(sizeof *plan);
	struct bench_result *result = calloc(1, sizeof *result);
	enum ctl_exit code = CTL_FAILED;

	if (plan == NULL || result == NULL) {
		ctl_fail(c, "out of memory");
		goto done;
	}
	code = bench_plan_read(plan, c, argc, argv);
	if (code != CTL_OK)
		goto done;
	code = CTL_FAILED;
	if (!can_write(c, plan->json) || !can_write(c, plan->html) ||
	    !bench_scenario_play(c, plan, result))
		goto done;
	if (plan->json == NULL || strcmp(plan->json, "-") != 0)
		bench_report_text(c->out, plan, result);
	if (write_files(c, plan, result) && !result->failed)
		code = CTL_OK;
done:
	if (result != NULL)
		bench_result_free(result);
	free(result);
	free(plan);
	return code;
}
