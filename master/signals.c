/*
 * signals.c: see signals.h. The signals are blocked and read from a signalfd; workers start with
 * none blocked.
 */
#include "master/signals.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "master/master.h"

struct signals {
	struct master *master;
	int fd;
	struct loop_source source;
};

static void
signals_drain(struct master *m)
{
	log_say(&m->log, LOG_LEVEL_NOTICE,
	    m->state == MASTER_DRAINING ? "asked to stop again: stopping at once"
					: "asked to stop: draining");
	master_drain(m);
}

static void
signals_ignore(struct master *m)
{
	log_say(&m->log, LOG_LEVEL_NOTICE, "USR1 and USR2 have no meaning here: ignored");
}

static const struct {
	int signal;
	void (*act)(struct master *m);
} signals_actions[] = {
    {SIGTERM, signals_drain},
    {SIGINT, signals_drain},
    {SIGHUP, master_reload},
    {SIGUSR1, signals_ignore},
    {SIGUSR2, signals_ignore},
};
#define SIGNALS_ACTIONS (sizeof signals_actions / sizeof signals_actions[0])

/* One a turn; more come in the next. */
static void
signals_on_ready(void *context, uint32_t events)
{
	struct signals *signals = context;
	struct signalfd_siginfo info;

	(void)events;
	if (read(signals->fd, &info, sizeof info) != (ssize_t)sizeof info)
		return;
	for (size_t i = 0; i < SIGNALS_ACTIONS; i++)
		if ((int)info.ssi_signo == signals_actions[i].signal)
			signals_actions[i].act(signals->master);
}

int
signals_open(struct master *m)
{
	struct signals *signals = calloc(1, sizeof *signals);
	struct sigaction ignore = {.sa_handler = SIG_IGN}, usual = {.sa_handler = SIG_DFL};
	sigset_t set;

	if (signals == NULL)
		goto fail;
	sigemptyset(&set);
	for (size_t i = 0; i < SIGNALS_ACTIONS; i++)
		sigaddset(&set, signals_actions[i].signal);
	signals->master = m;
	signals->fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	/*
	 * Whoever started us may have ignored SIGCHLD, which would reap our workers behind our
	 * back.
	 */
	if (signals->fd == -1 || sigprocmask(SIG_SETMASK, &set, NULL) == -1 ||
	    sigaction(SIGPIPE, &ignore, NULL) == -1 || sigaction(SIGCHLD, &usual, NULL) == -1 ||
	    loop_add(m->loop, &signals->source, signals->fd, EPOLLIN, signals_on_ready, signals) ==
		-1)
		goto fail;
	m->signals = signals;
	return 0;
fail:
	log_errno(&m->log, LOG_LEVEL_ERROR, "cannot receive signals",
	    log_number("pid", (uint64_t)getpid()));
	if (signals != NULL && signals->fd > 0)
		close(signals->fd);
	free(signals);
	return -1;
}

void
signals_close(struct master *m)
{
	struct signals *signals = m->signals;

	if (signals == NULL)
		return;
	loop_del(m->loop, &signals->source);
	close(signals->fd);
	free(signals);
	m->signals = NULL;
}
