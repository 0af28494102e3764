/*
 * master.c: what concerns the master as a whole: made part by part, reloaded, drained, taken down
 * in reverse.
 */
#include "master/master.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "master/accept.h"
#include "master/admin.h"
#include "master/api.h"
#include "master/handoff.h"
#include "master/listener.h"
#include "master/orders.h"
#include "master/publish.h"
#include "master/refuse.h"
#include "master/signals.h"
#include "master/supervise.h"
#include "shm/board.h"
#include "shm/ring_write.h"

#define MASTER_DRAIN_NS (10000 * LOOP_NS_PER_MS)
#define MASTER_DRAIN_CHECK_NS (20 * LOOP_NS_PER_MS)

/* ---- making and taking down ------------------------------------------------------------------ */

/*
 * Descriptor names of systemd: "publish" is the publish socket, every other one a public listener.
 */
static int
master_take_passed(struct master *m)
{
	struct listener_passed passed;
	char message[256];

	if (listener_take_passed(&passed, message, sizeof message) == -1) {
		log_say(&m->log, LOG_LEVEL_ERROR, message);
		return -1;
	}
	for (size_t i = 0; i < passed.count; i++) {
		bool publish = strcmp(passed.of[i].name, "publish") == 0;

		/* A second one must not be taken for a listener for clients. */
		if (publish ? m->passed_publish != -1 : m->passed_count == CONFIG_LISTEN_MAX) {
			log_with(&m->log, LOG_LEVEL_ERROR,
			    "too many sockets were passed by systemd",
			    log_text("name", passed.of[i].name),
			    log_number("max", publish ? 1 : CONFIG_LISTEN_MAX));
			return -1;
		}
		if (publish)
			m->passed_publish = passed.of[i].fd;
		else
			m->passed[m->passed_count++] = passed.of[i].fd;
	}
	return 0;
}

static int
master_open_ring(struct master *m)
{
	int error = ring_write_create(&m->ring, m->config->ring_bytes, m->started_unix_ms);
	char size[32];

	if (error == 0)
		return 0;
	snprintf(size, sizeof size, "%llu", (unsigned long long)m->config->ring_bytes);
	log_with(&m->log, LOG_LEVEL_ERROR, "cannot make the ring", log_text("ring_bytes", size),
	    log_text("because", segment_error_text(error)),
	    log_text("error", error == SEGMENT_SYSTEM ? strerror(errno) : ""));
	return -1;
}

static void
master_each_turn(void *context)
{
	publish_turn(context);
}

int
master_open(struct master *m)
{
	m->loop = loop_new();
	if (m->loop == NULL) {
		log_errno(&m->log, LOG_LEVEL_ERROR, "cannot make the event loop",
		    log_number("pid", (uint64_t)getpid()));
		return -1;
	}
	m->started_unix_ms = loop_unix_ms(m->loop);
	m->started_ns = loop_now_ns(m->loop);
	m->passed_publish = -1;
	notify_open(&m->notify);
	if (refuse_new(m) == -1 || signals_open(m) == -1 || master_take_passed(m) == -1 ||
	    accept_open(m) == -1 || master_open_ring(m) == -1 || api_start(m) == -1 ||
	    publish_start(m, m->passed_publish) == -1 || admin_start(m) == -1 ||
	    supervise_start(m) == -1 || accept_start(m) == -1)
		return -1;
	loop_each_turn(m->loop, master_each_turn, m);
	m->state = MASTER_SERVING;
	return 0;
}

void
master_close(struct master *m)
{
	if (m->loop == NULL)
		return;
	accept_close(m);
	if (m->handoff != NULL)
		handoff_shed(m);
	refuse_free(m);
	admin_stop(m);
	publish_stop(m);
	supervise_stop(m);
	api_stop(m);
	if (m->ring != NULL)
		ring_write_close(m->ring);
	loop_timer_clear(m->loop, &m->drain_check);
	signals_close(m);
	loop_free(m->loop);
	m->loop = NULL;
}

/* ---- serving, draining ----------------------------------------------------------------------- */

void
master_worker_ready(struct master *m)
{
	unsigned serving = 0;
	char text[128];

	if (m->told_ready)
		return;
	m->told_ready = true;
	for (unsigned i = 0; i < m->worker_count; i++)
		serving += master_worker_serves(m, i);
	snprintf(text, sizeof text, "READY=1\nMAINPID=%ld\nSTATUS=serving with %u workers",
	    (long)getpid(), m->worker_count);
	notify_send(&m->notify, text);
	log_with(&m->log, LOG_LEVEL_INFO, "ready", log_number("serving", serving),
	    log_number("of", m->worker_count));
}

/* Workers are gone; publishers get what they are owed if they read it in time. */
static void
master_check_drained(void *context)
{
	struct master *m = context;

	if (publish_session_count(m) == 0 || loop_now_ns(m->loop) >= m->drain_end_ns ||
	    loop_timer_set(
		m->loop, &m->drain_check, MASTER_DRAIN_CHECK_NS, master_check_drained, m) == -1)
		loop_stop(m->loop);
}

void
master_workers_gone(struct master *m)
{
	if (m->state == MASTER_DRAINING) {
		master_check_drained(m);
		return;
	}
	log_say(&m->log, LOG_LEVEL_ERROR,
	    "no worker is left: each said, by exit code 2, that another start "
	    "would not help; see its own lines");
	m->exit_code = 1;
	loop_stop(m->loop);
}

void
master_drain(struct master *m)
{
	bool again = m->state == MASTER_DRAINING;

	m->drain_end_ns = loop_now_ns(m->loop) + (again ? 0 : MASTER_DRAIN_NS);
	if (!again) {
		m->state = MASTER_DRAINING;
		notify_send(&m->notify, "STOPPING=1\nSTATUS=draining");
		accept_close(m);
		handoff_shed(m);
		publish_drain(m);
	}
	supervise_drain(m);
}

/* ---- reloading ------------------------------------------------------------------------------- */

static void
master_log_mistakes(struct master *m, const struct config_mistakes *mistakes)
{
	for (size_t i = 0; i < mistakes->count && i < CONFIG_MISTAKES_MAX; i++)
		log_with(&m->log, LOG_LEVEL_ERROR, "mistake in the configuration",
		    log_text("file", m->config->path),
		    log_text("mistake", config_mistake(mistakes, i)));
	log_with(&m->log, LOG_LEVEL_ERROR, "nothing was reloaded",
	    log_text("file", m->config->path), log_number("mistakes", mistakes->count));
}

static void
master_swap_config(struct master *m, struct config *config)
{
	config_free(m->config);
	m->config = config;
	m->log.level = config->log_level;
	m->counters.reloads++;
	for (unsigned i = 0; i < m->worker_count; i++)
		orders_send_settings(m, i);
}

void
master_reload(struct master *m)
{
	struct config_mistakes mistakes = {0};
	char held[256] = "";
	struct config *config;

	if (m->state == MASTER_DRAINING)
		return;
	if (m->config->path == NULL) {
		log_say(&m->log, LOG_LEVEL_NOTICE, "there is no configuration file to reload");
		return;
	}
	notify_reloading(&m->notify);
	config = config_reload(m->config, m->overrides, &mistakes, held, sizeof held);
	if (config == NULL) {
		m->counters.reloads_failed++;
		master_log_mistakes(m, &mistakes);
	} else if (orders_reserve(m, config->max_event_bytes) == -1) {
		m->counters.reloads_failed++;
		log_say(&m->log, LOG_LEVEL_ERROR,
		    "nothing was reloaded: no memory for events of that size");
		config_free(config);
	} else {
		master_swap_config(m, config);
		if (held[0] != '\0')
			log_with(&m->log, LOG_LEVEL_WARNING, "some changes wait for the next start",
			    log_text("keys", held));
		log_with(&m->log, LOG_LEVEL_INFO, "reloaded", log_text("file", m->config->path));
	}
	config_mistakes_clear(&mistakes);
	notify_send(&m->notify, "READY=1");
}

/* ---- figures --------------------------------------------------------------------------------- */

uint64_t
master_connections(const struct master *m)
{
	return m->handoff == NULL ? 0 : handoff_total(m);
}

uint64_t
master_connections_waiting(const struct master *m)
{
	return m->handoff == NULL ? 0 : handoff_waiting(m);
}

struct board *
master_board(const struct master *m, unsigned worker)
{
	assert(worker < m->worker_count);
	return &m->seats[worker].board;
}

uint64_t
master_board_sum(const struct master *m, unsigned worker, unsigned board_counter)
{
	const struct seat *seat = &m->seats[worker];

	assert(worker < m->worker_count && board_counter < BOARD_COUNTERS);
	return seat->past[board_counter] +
	       board_get(&seat->board, (enum board_counter)board_counter);
}

const struct doorbell_sleeper *
master_sleepers(const struct master *m, size_t *count)
{
	*count = m->worker_count;
	return m->sleepers;
}

bool
master_worker_serves(const struct master *m, unsigned worker)
{
	return worker < m->worker_count && m->seats[worker].state == SEAT_SERVING;
}

pid_t
master_worker_pid(const struct master *m, unsigned worker)
{
	return worker < m->worker_count ? m->seats[worker].pid : 0;
}

uint32_t
master_worker_incarnation(const struct master *m, unsigned worker)
{
	return worker < m->worker_count ? m->seats[worker].incarnation : 0;
}
