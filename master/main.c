/*
 * main.c: the life of ringcastd.
 *
 * Exit codes: 0 after a drain, 1 when something failed at run time, 2 for a mistake on the command
 * line or in the configuration.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "master/master.h"
#include "master/version.h"

static const char main_usage[] =
    "Usage: ringcastd [--config FILE] [--listen ADDRESS:PORT]... [--socket PATH] [--workers N]\n"
    "                 [--console] [--check]\n"
    "\n"
    "Delivers events, published over a Unix socket, to every subscribed client: polling, long\n"
    "polling, Server-Sent Events, WebSocket.\n"
    "\n"
    "  --config FILE          read the configuration from FILE (JSON; every key is optional)\n"
    "  --listen ADDRESS:PORT  listen there for clients; may be repeated. :8080 is every address,\n"
    "                         [::1]:8080 an IPv6 one, unix:/path a Unix socket\n"
    "  --socket PATH          the publish socket\n"
    "  --workers N            worker processes; \"auto\" is one a core\n"
    "  --console              serve the console page at /\n"
    "  --check                check the configuration, report every mistake, and exit\n"
    "  --help, --version\n"
    "\n"
    "What is given here wins over the file. Signals: TERM and INT stop after a drain (again: at\n"
    "once), HUP reads the file again.\n";

struct main_options {
	const char *config;
	struct config_overrides overrides;
	bool check;
};

/* -1: go on. Otherwise the exit code. */
static int
main_parse(int argc, char **argv, struct main_options *options)
{
	static const struct option names[] = {
	    {"config", required_argument, NULL, 'c'},
	    {"listen", required_argument, NULL, 'l'},
	    {"socket", required_argument, NULL, 's'},
	    {"workers", required_argument, NULL, 'w'},
	    {"console", no_argument, NULL, 'C'},
	    {"check", no_argument, NULL, 'k'},
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},
	    {NULL, 0, NULL, 0},
	};
	struct config_overrides *overrides = &options->overrides;
	int option;

	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (option) {
		case 'c':
			options->config = optarg;
			break;
		case 'l':
			if (overrides->listen_count == CONFIG_LISTEN_MAX) {
				fprintf(stderr, "ringcastd: --listen more than %d times\n",
				    CONFIG_LISTEN_MAX);
				return 2;
			}
			overrides->listen[overrides->listen_count++] = optarg;
			break;
		case 's':
			overrides->socket = optarg;
			break;
		case 'w':
			overrides->workers = optarg;
			break;
		case 'C':
			overrides->console = true;
			break;
		case 'k':
			options->check = true;
			break;
		case 'h':
			fputs(main_usage, stdout);
			return 0;
		case 'V':
			puts("ringcastd " VERSION_TEXT);
			return 0;
		default:
			fputs("Try ringcastd --help\n", stderr);
			return 2;
		}
	}
	if (optind == argc)
		return -1;
	fprintf(
	    stderr, "ringcastd: unexpected argument \"%s\"\nTry ringcastd --help\n", argv[optind]);
	return 2;
}

static struct config *
main_load(const struct main_options *options)
{
	struct config_mistakes mistakes = {0};
	struct config *config = config_load(options->config, &options->overrides, &mistakes);

	for (size_t i = 0; i < mistakes.count && i < CONFIG_MISTAKES_MAX; i++)
		fprintf(stderr, "%s: %s\n", options->config == NULL ? "ringcastd" : options->config,
		    config_mistake(&mistakes, i));
	if (mistakes.count > CONFIG_MISTAKES_MAX)
		fprintf(
		    stderr, "... and %zu more mistakes\n", mistakes.count - CONFIG_MISTAKES_MAX);
	config_mistakes_clear(&mistakes);
	return config;
}

/* A connection is a descriptor; workers inherit the limit. */
static void
main_raise_limit(const struct log *log)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		log_with(log, LOG_LEVEL_INFO, "descriptors a process",
		    log_number("limit", limit.rlim_cur));
}

/*
 * What a worker of the same user could learn or change by ptrace or /proc must stay the master's.
 */
static void
main_become_private(const struct log *log)
{
	if (prctl(PR_SET_DUMPABLE, 0) == -1)
		log_errno(log, LOG_LEVEL_WARNING, "cannot become non-dumpable",
		    log_number("pid", (uint64_t)getpid()));
}

static int
main_run(struct master *m)
{
	if (loop_run(m->loop) == 0)
		return 0;
	log_errno(&m->log, LOG_LEVEL_ERROR, "cannot wait for events",
	    log_number("pid", (uint64_t)getpid()));
	return -1;
}

int
main(int argc, char **argv)
{
	struct main_options options = {0};
	struct master m = {
	    .log = log_to(STDERR_FILENO, LOG_LEVEL_INFO), .overrides = &options.overrides};
	int code;

	if (log_reserve() == -1)
		return 1;
	code = main_parse(argc, argv, &options);
	if (code != -1)
		return code;
	m.config = main_load(&options);
	if (m.config == NULL)
		return 2;
	m.log.level = m.config->log_level;
	if (options.check) {
		printf("%s: no mistakes\n", options.config == NULL ? "ringcastd" : options.config);
	} else {
		log_with(&m.log, LOG_LEVEL_INFO, "ringcastd starts",
		    log_text("version", VERSION_TEXT),
		    log_text("config", options.config == NULL ? "none" : options.config));
		main_raise_limit(&m.log);
		main_become_private(&m.log);
		if (master_open(&m) == -1 || main_run(&m) == -1)
			m.exit_code = 1;
		master_close(&m);
		log_with(
		    &m.log, LOG_LEVEL_INFO, "stopped", log_number("exit", (uint64_t)m.exit_code));
	}
	config_free(m.config);
	return m.exit_code;
}
