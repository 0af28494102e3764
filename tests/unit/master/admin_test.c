/*
 * admin_test.c: admin_listen tells and does nothing else; its connections are bounded in number and in time.
 */
#include "tests/unit/master/publish_fixture.h"

#include "master/admin.h"

struct monitored {
	struct fixture f;
	char path[112];
	char text[144];
};

static void
monitored_start(struct monitored *m)
{
	struct config_mistakes mistakes = {0};
	struct config *config;

	fixture_start(&m->f);
	snprintf(m->path, sizeof m->path, "%s/admin.sock", m->f.directory);
	snprintf(m->text, sizeof m->text, "{\"admin_listen\": \"unix:%s\"}", m->path);
	config = config_parse(slice_text(m->text), "test", NULL, &mistakes);
	assert_non_null(config);
	assert_int_equal(config->admin_listen_count, 1);
	m->f.m.config->admin_listen[0] = config->admin_listen[0];
	m->f.m.config->admin_listen[0].text = m->path;
	m->f.m.config->admin_listen_count = 1;
	config_free(config);
	assert_int_equal(admin_start(&m->f.m), 0);
}

static void
monitored_stop(struct monitored *m)
{
	admin_stop(&m->f.m);
	assert_int_equal(access(m->path, F_OK), -1);
	fixture_stop(&m->f);
}

static int
monitored_connect(const struct monitored *m)
{
	int fd = publish_path_connect(m->path);

	assert_true(fd >= 0);
	return fd;
}

/* ":9090" stands for two addresses, of which a machine without IPv6 has one. */
static void
a_family_that_the_machine_lacks_is_done_without(void **state)
{
	struct monitored m;
	struct config_address *lacking;

	(void)state;
	monitored_start(&m);
	admin_stop(&m.f.m);
	lacking = &m.f.m.config->admin_listen[1];
	*lacking = (struct config_address){.text = ":9090", .len = sizeof lacking->of};
	lacking->of.any.sa_family = AF_DECnet; /* no kernel has it any more */
	m.f.m.config->admin_listen_count = 2;
	assert_int_equal(admin_start(&m.f.m), -1);
	lacking->optional = true;
	assert_int_equal(admin_start(&m.f.m), 0);
	close(monitored_connect(&m));
	monitored_stop(&m);
}

static void
only_what_tells_is_answered(void **state)
{
	static const struct {
		const char *request;
		unsigned status;
		const char *says;
	} table[] = {
	    {"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 200, "ringcast_publish_events_total 0\n"},
	    {"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 200, "ok\n"},
	    {"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n", 503, "\"overloaded\""},
	    {"GET /stats HTTP/1.1\r\nHost: x\r\n\r\n", 404, "\"not_found\""},
	    {"GET /channels HTTP/1.1\r\nHost: x\r\n\r\n", 404, "\"not_found\""},
	    {"DELETE /channels/a HTTP/1.1\r\nHost: x\r\n\r\n", 404, "\"not_found\""},
	    {"POST /publish?channel=a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx", 404,
		"\"not_found\""},
	    {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 404, "here are /metrics, /healthz and /readyz"},
	    {"POST /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 405, "\"method_not_allowed\""},
	};
	struct monitored m;

	(void)state;
	monitored_start(&m);
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		int fd = monitored_connect(&m);
		struct reply reply;

		fixture_say(&m.f, fd, slice_text(table[i].request));
		reply = fixture_hear(&m.f, fd);
		assert_int_equal(reply.status, table[i].status);
		assert_true(slice_has(reply.body, table[i].says));
		fixture_forget(&reply);
		close(fd);
		fixture_turns(&m.f, 3);
	}
	assert_int_equal(fixture_events(&m.f), 0);
	monitored_stop(&m);
}

static void
a_draining_server_is_alive_but_not_ready(void **state)
{
	struct monitored m;
	struct reply reply;
	int fd;

	(void)state;
	monitored_start(&m);
	m.f.m.state = MASTER_DRAINING;
	fd = monitored_connect(&m);
	fixture_say(&m.f, fd, SLICE_LITERAL("GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"));
	reply = fixture_hear(&m.f, fd);
	assert_int_equal(reply.status, 503);
	assert_true(slice_has(reply.body, "\"draining\""));
	fixture_forget(&reply);
	close(fd);
	fd = monitored_connect(&m);
	fixture_say(&m.f, fd, SLICE_LITERAL("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"));
	reply = fixture_hear(&m.f, fd);
	assert_int_equal(reply.status, 200);
	fixture_forget(&reply);
	close(fd);
	fixture_turns(&m.f, 3);
	monitored_stop(&m);
}

static void
who_idles_is_closed_and_who_is_too_many_is_told(void **state)
{
	struct monitored m;
	struct publish_session *s;
	struct reply reply;
	int fds[LIMIT_ADMIN_SESSIONS], fd;
	char byte;

	(void)state;
	monitored_start(&m);
	for (int i = 0; i < LIMIT_ADMIN_SESSIONS; i++) {
		fds[i] = monitored_connect(&m);
		fixture_turns(&m.f, 1);
	}
	fd = monitored_connect(&m);
	fixture_say(&m.f, fd, SLICE_LITERAL("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"));
	reply = fixture_hear(&m.f, fd);
	assert_int_equal(reply.status, 503);
	assert_true(reply.closed);
	fixture_forget(&reply);
	close(fd);
	fixture_turns(&m.f, 3);
	for (s = publish_sessions(&m.f.m)->first; s != NULL; s = s->next) {
		assert_true(loop_timer_pending(&s->timer));
		assert_int_equal(loop_timer_set(m.f.m.loop, &s->timer, 0, s->timer.expired, s), 0);
	}
	fixture_turns(&m.f, 10);
	assert_int_equal(publish_sessions(&m.f.m)->count[PUBLISH_SESSION_ADMIN], 0);
	for (int i = 0; i < LIMIT_ADMIN_SESSIONS; i++) {
		assert_int_equal(recv(fds[i], &byte, 1, MSG_DONTWAIT), 0);
		close(fds[i]);
	}
	monitored_stop(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_family_that_the_machine_lacks_is_done_without),
	    cmocka_unit_test(only_what_tells_is_answered),
	    cmocka_unit_test(a_draining_server_is_alive_but_not_ready),
	    cmocka_unit_test(who_idles_is_closed_and_who_is_too_many_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
