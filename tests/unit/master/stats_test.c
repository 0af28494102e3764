/*
 * stats_test.c: /stats is JSON, /metrics is what Prometheus reads, both show the same figures.
 */
#include "tests/unit/master/api_fixture.h"

#include "master/stats.h"
#include "proto/json.h"

static void
stats_are_json_with_the_figures_of_every_worker(void **state)
{
	static char text[1 << 20];
	struct fixture f;
	struct crew crew;
	struct out o = out_to(text, sizeof text);
	struct json_value value;
	struct reply reply;
	size_t at;

	(void)state;
	fixture_start(&f);
	reply =
	    fixture_ask(&f, "POST /publish?channel=a HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello");
	fixture_forget(&reply);
	reply =
	    fixture_ask(&f, "POST /publish?channel=$ HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello");
	fixture_forget(&reply);
	crew_start(&f, &crew);
	board_add(&crew.seats[0].board, BOARD_DELIVERIES, 3);
	board_add(&crew.seats[1].board, BOARD_DELIVERIES, 4);
	crew.seats[1].past[BOARD_DELIVERIES] = 100;
	board_add(&crew.seats[1].board, BOARD_CONNECTIONS_WS, 5);
	crew.seats[1].past[BOARD_CONNECTIONS_WS] = 100;
	board_set_io(&crew.seats[1].board, BOARD_IO_EPOLL);
	stats_json(&f.m, &o);
	assert_false(out_cut(&o));
	assert_int_equal(json_whole(slice_of(text, o.len), &value, &at), 1);
	assert_true(
	    slice_has(slice_of(text, o.len), "\"publish\":{\"events\":1,\"data_bytes\":5,"));
	assert_true(slice_has(slice_of(text, o.len), "\"errors\":{\"bad_channel\":1}"));
	assert_true(slice_has(slice_of(text, o.len), "\"total\":{\"connections_poll\":0,"));
	assert_true(slice_has(slice_of(text, o.len), "\"deliveries\":107,"));
	assert_true(slice_has(slice_of(text, o.len), "\"deliveries\":3,"));
	assert_true(slice_has(slice_of(text, o.len), "\"connections_ws\":5,"));
	assert_true(slice_has(
	    slice_of(text, o.len), "\"worker\":1,\"pid\":1001,\"restarts\":1,\"serving\":true"));
	assert_true(slice_has(slice_of(text, o.len), "\"io\":\"unknown\",\"behind_bytes\":"));
	assert_true(slice_has(slice_of(text, o.len), "\"io\":\"epoll\",\"behind_bytes\":"));
	crew_stop(&f, &crew);
	fixture_stop(&f);
}

/* The name of a sample or of a comment's family, up to the first byte that no name has. */
static size_t
name_len(const char *line)
{
	return strspn(line, "abcdefghijklmnopqrstuvwxyz_");
}

static void
metrics_are_the_prometheus_text_format(void **state)
{
	static char text[1 << 20];
	struct fixture f;
	struct crew crew;
	struct out o = out_to(text, sizeof text - 1);
	char family[128] = "", seen[16384] = "";
	unsigned samples = 0, families = 0;

	(void)state;
	fixture_start(&f);
	crew_start(&f, &crew);
	board_add(&crew.seats[1].board, BOARD_CLOSED_PING, 7);
	stats_metrics(&f.m, &o);
	assert_false(out_cut(&o));
	assert_true(text[o.len - 1] == '\n');
	for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
		char *end;

		if (strncmp(line, "# HELP ", 7) == 0) {
			snprintf(
			    family, sizeof family, " %.*s ", (int)name_len(line + 7), line + 7);
			/* Each family comes once. */
			assert_null(strstr(seen, family));
			strcat(seen, family);
			families++;
			assert_true(line[7 + name_len(line + 7)] == ' ');
			continue;
		}
		assert_true(strncmp(line, "ringcast_", 9) == 0 ||
			    strncmp(line, "# TYPE ringcast_", 16) == 0);
		if (line[0] == '#') {
			assert_memory_equal(line + 7, family + 1, strlen(family) - 1);
			assert_true(
			    strstr(line, " counter") != NULL || strstr(line, " gauge") != NULL);
			assert_int_equal(
			    strstr(line, " counter") != NULL, strstr(family, "_total ") != NULL);
			continue;
		}
		samples++;
		/* A sample belongs to the family announced last; its value is a number. */
		assert_memory_equal(line, family + 1, strlen(family) - 2);
		assert_true(line[name_len(line)] == ' ' || line[name_len(line)] == '{');
		strtoull(strrchr(line, ' ') + 1, &end, 10);
		assert_true(*end == '\0');
		if (strstr(line, "cause=\"ping\"") != NULL && strstr(line, "worker=\"1\"") != NULL)
			assert_string_equal(
			    line, "ringcast_closed_total{worker=\"1\",cause=\"ping\"} 7");
	}
	assert_true(families > 40 && samples > 150);
	crew_stop(&f, &crew);
	fixture_stop(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(stats_are_json_with_the_figures_of_every_worker),
	    cmocka_unit_test(metrics_are_the_prometheus_text_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
