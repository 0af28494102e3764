/*
 * config_test.c: what a configuration may say, and the exact words for what it may not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "master/config.h"
#include "master/log.h"

static struct config *
parse(const char *text)
{
	struct config_mistakes mistakes = {0};
	struct config *config = config_parse(slice_text(text), "test.json", NULL, &mistakes);

	for (size_t i = 0; i < mistakes.count; i++)
		print_error("%s: %s\n", text, mistakes.lines[i]);
	assert_non_null(config);
	return config;
}

/* The mistakes of a text, a line each. */
static void
mistakes_of(const char *text, const struct config_overrides *overrides, char *lines, size_t size)
{
	struct config_mistakes mistakes = {0};
	struct config *config = config_parse(slice_text(text), "test.json", overrides, &mistakes);
	size_t len = 0;

	lines[0] = '\0';
	for (size_t i = 0; i < mistakes.count && i < CONFIG_MISTAKES_MAX && len < size; i++)
		len += (size_t)snprintf(
		    lines + len, size - len, "%s%s", i == 0 ? "" : "\n", mistakes.lines[i]);
	assert_true((config == NULL) == (mistakes.count > 0));
	config_free(config);
	config_mistakes_clear(&mistakes);
}

static const struct {
	const char *text;
	const char *mistakes;
} bad[] = {
    {"[]", "must be an object, not an array"},
    {"\"x\"", "must be an object, not a string"},
    {"{\"listen\": 5}", "listen: must be an address like \"127.0.0.1:8080\", not a number"},
    {"{\"listen\": []}", "listen: must name at least one address"},
    {"{\"listen\": [5]}", "listen[0]: must be an address like \"127.0.0.1:8080\", not a number"},
    {"{\"listen\": [\"8080\"]}",
	"listen[0]: must be ADDRESS:PORT, :PORT or unix:/path, not \"8080\""},
    {"{\"listen\": [\"127.0.0.1:http\"]}", "listen[0]: the port must be 0 to 65535, not \"http\""},
    {"{\"listen\": [\"127.0.0.1:65536\"]}",
	"listen[0]: the port must be 0 to 65535, not \"65536\""},
    {"{\"listen\": [\"127.0.0.1:-1\"]}", "listen[0]: the port must be 0 to 65535, not \"-1\""},
    {"{\"listen\": [\"localhost:8080\"]}",
	"listen[0]: \"localhost\" is not an IP address (names are not resolved; \":8080\" is every address)"},
    {"{\"listen\": [\"::1:8080\"]}",
	"listen[0]: an IPv6 address stands in brackets: \"[::1]:8080\""},
    {"{\"listen\": [\"[::1:8080\"]}",
	"listen[0]: \"[::1\" is not an IP address (names are not resolved; \":8080\" is every address)"},
    {"{\"listen\": [\"[127.0.0.1]:8080\"]}",
	"listen[0]: \"127.0.0.1\" is not an IP address (names are not resolved; \":8080\" is every address)"},
    {"{\"listen\": [\"127.0.0.1:1\", \"127.0.0.1:2\", \"127.0.0.1:1\"]}",
	"listen[2]: \"127.0.0.1:1\" is listed before, as \"127.0.0.1:1\""},
    {"{\"listen\": [\":80\", \"[::]:80\"]}", "listen[1]: \"[::]:80\" is listed before, as \":80\""},
    {"{\"listen\": [\"unix:run/x\"]}",
	"listen[0]: must be an absolute path after \"unix:\", not \"run/x\""},
    {"{\"listen\": [\"unix:/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"]}",
	"listen[0]: the path is 120 bytes long; a Unix socket's has at most 107"},
    {"{\"listen\": null}", "listen: must be an address like \"127.0.0.1:8080\", not null"},
    {"{\"admin_listen\": \"9100\"}",
	"admin_listen: must be ADDRESS:PORT, :PORT or unix:/path, not \"9100\""},
    {"{\"socket\": 1}", "socket: must be the path of the publish socket, not a number"},
    {"{\"socket\": \"\"}", "socket: must not be empty"},
    {"{\"publish_mode\": 660}",
	"publish_mode: must be a mode in octal like \"0660\", not a number"},
    {"{\"publish_mode\": \"0999\"}",
	"publish_mode: must be a mode in octal like \"0660\", not \"0999\""},
    {"{\"publish_mode\": \"rw\"}",
	"publish_mode: must be a mode in octal like \"0660\", not \"rw\""},
    {"{\"publish_mode\": \"7777\"}",
	"publish_mode: must be a mode in octal like \"0660\", not \"7777\""},
    {"{\"publish_group\": \"no-such-group-here\"}",
	"publish_group: there is no group \"no-such-group-here\" on this machine"},
    {"{\"publish_uids\": [1000, -1]}", "publish_uids[1]: must be 0 to 4294967294, not -1"},
    {"{\"publish_uids\": [\"www\"]}", "publish_uids[0]: must be a whole number, not a string"},
    {"{\"publish_uids\": 33}", "publish_uids: must be an array of user ids, not a number"},
    {"{\"workers\": 0}", "workers: must be 1 to 256, not 0"},
    {"{\"workers\": 257}", "workers: must be 1 to 256, not 257"},
    {"{\"workers\": \"all\"}", "workers: must be \"auto\" or 1 to 256, not \"all\""},
    {"{\"workers\": 1.5}", "workers: must be a whole number, not a number with a fraction"},
    {"{\"workers\": \"4\"}", "workers: must be \"auto\" or 1 to 256, not \"4\""},
    {"{\"ring_bytes\": \"100MiB\"}",
	"ring_bytes: must be a power of two; the next one is \"128MiB\""},
    {"{\"ring_bytes\": \"1KiB\"}", "ring_bytes: must be 64KiB to 16GiB, not 1KiB"},
    {"{\"ring_bytes\": \"64MB\"}",
	"ring_bytes: must be a number of bytes or a string like \"64MiB\" (KiB, MiB, GiB), not \"64MB\""},
    {"{\"ring_bytes\": \"64 MiB\"}",
	"ring_bytes: must be a number of bytes or a string like \"64MiB\" (KiB, MiB, GiB), not \"64 MiB\""},
    {"{\"ring_bytes\": \"1.5GiB\"}",
	"ring_bytes: must be a number of bytes or a string like \"64MiB\" (KiB, MiB, GiB), not \"1.5GiB\""},
    {"{\"ring_bytes\": -1}",
	"ring_bytes: must be a number of bytes or a string like \"64MiB\" (KiB, MiB, GiB), not a negative number"},
    {"{\"ring_bytes\": true}",
	"ring_bytes: must be a number of bytes or a string like \"64MiB\" (KiB, MiB, GiB), not true"},
    {"{\"ring_bytes\": \"99999999999999999999GiB\"}",
	"ring_bytes: must be a number of bytes or a string like \"64MiB\" (KiB, MiB, GiB), not \"99999999999999999999GiB\""},
    {"{\"max_event_bytes\": \"32MiB\"}",
	"max_event_bytes: 32MiB is more than a quarter of ring_bytes (16MiB)"},
    {"{\"max_event_bytes\": \"1GiB\"}", "max_event_bytes: must be 64 to 64MiB, not 1GiB"},
    {"{\"ring_bytes\": \"1MiB\", \"max_publish_bytes\": \"8MiB\"}",
	"max_publish_bytes: 8MiB is more than a quarter of ring_bytes (256KiB)"},
    {"{\"max_connections\": 0}", "max_connections: must be 1 to 4294967295, not 0"},
    {"{\"max_connections_per_address\": \"10\"}",
	"max_connections_per_address: must be a whole number, not a string"},
    {"{\"max_channels_per_connection\": 1025}",
	"max_channels_per_connection: must be 1 to 1024, not 1025"},
    {"{\"header_timeout_s\": 0}", "header_timeout_s: must be 1 to 3600, not 0"},
    {"{\"body_timeout_s\": 30.5}",
	"body_timeout_s: must be a whole number, not a number with a fraction"},
    {"{\"idle_timeout_s\": \"75\"}", "idle_timeout_s: must be a whole number, not a string"},
    {"{\"max_header_bytes\": 100}", "max_header_bytes: must be 1KiB to 1MiB, not 100"},
    {"{\"beat_s\": 30}", "beat_s: must be an object, not a number"},
    {"{\"beat_s\": {\"ws\": 0, \"sse\": 9999}}", "beat_s.ws: must be 1 to 3600, not 0\n"
						 "beat_s.sse: must be 1 to 3600, not 9999"},
    {"{\"beat_s\": {\"sso\": 5}}", "beat_s.sso: no such key; did you mean \"sse\"?"},
    {"{\"retry_ms\": 1}", "retry_ms: must be 10 to 3600000, not 1"},
    {"{\"max_wait_s\": []}", "max_wait_s: must be a whole number, not an array"},
    {"{\"zero_copy_bytes\": \"1B\"}",
	"zero_copy_bytes: must be a number of bytes or a string like \"64MiB\" (KiB, MiB, GiB), not \"1B\""},
    {"{\"compression\": \"on\"}", "compression: must be false or an object, not a string"},
    {"{\"compression\": {\"level\": 0, \"min_bytes\": -1, \"takeover_bytes\": \"2GiB\", \"poll\": 1}}",
	"compression.min_bytes: must be a number of bytes or a string like \"64MiB\" (KiB, MiB, GiB), not a negative number\n"
	"compression.level: must be 1 to 9, not 0\n"
	"compression.takeover_bytes: must be 0 to 1GiB, not 2GiB\n"
	"compression.poll: must be true or false, not a number"},
    {"{\"compression\": {\"levl\": 1}}", "compression.levl: no such key; did you mean \"level\"?"},
    {"{\"channels\": {}}", "channels: must be an array of rules, not an object"},
    {"{\"channels\": [\"news\"]}", "channels[0]: must be an object, not a string"},
    {"{\"channels\": [{\"match\": 5}]}",
	"channels[0].match: must be a channel name, or the beginning of one and a final \"*\", not a number"},
    {"{\"channels\": [{\"match\": \"\"}]}", "channels[0].match: \"\" is empty"},
    {"{\"channels\": [{\"match\": \"a*b\"}]}", "channels[0].match: \"a*b\" has a * before its end"},
    {"{\"channels\": [{\"match\": \"$x\"}]}",
	"channels[0].match: \"$x\" begins with $, which is reserved"},
    {"{\"channels\": [{\"match\": \"x\"}, {\"subscribe\": \"everyone\"}]}",
	"channels[1].subscribe: must be \"anyone\", \"token\" or \"nobody\", not \"everyone\""},
    {"{\"channels\": [{\"publish\": true}]}",
	"channels[0].publish: must be \"anyone\", \"token\" or \"nobody\", not true"},
    {"{\"channels\": [{\"lag\": \"drop\", \"math\": \"x\"}]}",
	"channels[0].math: no such key; did you mean \"match\"?\n"
	"channels[0].lag: must be \"gap\", \"close\" or \"latest\", not \"drop\""},
    {"{\"channels\": [{\"lags\": \"gap\"}]}",
	"channels[0].lags: no such key; did you mean \"lag\"?"},
    {"{\"origins\": \"https://example.org\"}",
	"origins: must be an array of origins, not a string"},
    {"{\"origins\": [\"example.org\"]}",
	"origins[0]: must be scheme://host or scheme://host:port, without a path, not \"example.org\""},
    {"{\"origins\": [\"https://example.org/\"]}",
	"origins[0]: must be scheme://host or scheme://host:port, without a path, not \"https://example.org/\""},
    {"{\"origins\": [\"*\", \"https://example.org\"]}",
	"origins[0]: \"*\" allows every origin, so it stands alone"},
    {"{\"origins\": [1]}",
	"origins[0]: must be an origin like \"https://example.org\", not a number"},
    {"{\"trusted_proxies\": [\"10.0.0.0/33\"]}",
	"trusted_proxies[0]: must be an address, a range like \"10.0.0.0/8\", or \"unix\", not \"10.0.0.0/33\""},
    {"{\"trusted_proxies\": [\"proxy.local\"]}",
	"trusted_proxies[0]: must be an address, a range like \"10.0.0.0/8\", or \"unix\", not \"proxy.local\""},
    {"{\"trusted_proxies\": [10]}",
	"trusted_proxies[0]: must be an address, a range like \"10.0.0.0/8\", or \"unix\", not a number"},
    {"{\"path_prefix\": \"push\"}",
	"path_prefix: must begin with \"/\", not end with it, and have no empty part, not \"push\""},
    {"{\"path_prefix\": \"/push/\"}",
	"path_prefix: must begin with \"/\", not end with it, and have no empty part, not \"/push/\""},
    {"{\"path_prefix\": \"/a//b\"}",
	"path_prefix: must begin with \"/\", not end with it, and have no empty part, not \"/a//b\""},
    {"{\"path_prefix\": \"/a b\"}", "path_prefix: \"/a b\" has characters that a path must escape"},
    {"{\"path_prefix\": 1}", "path_prefix: must be a path like \"/push\", not a number"},
    {"{\"console\": \"yes\"}", "console: must be true or false, not a string"},
    {"{\"io\": \"kqueue\"}", "io: must be \"auto\", \"io_uring\" or \"epoll\", not \"kqueue\""},
    {"{\"log\": \"verbose\"}",
	"log: must be \"error\", \"warning\", \"info\" or \"debug\", not \"verbose\""},
    {"{\"log\": 7}", "log: must be \"error\", \"warning\", \"info\" or \"debug\", not a number"},
    {"{\"workerz\": 2}", "workerz: no such key; did you mean \"workers\"?"},
    {"{\"ring\": \"64MiB\"}", "ring: no such key; did you mean \"ring_bytes\"?"},
    {"{\"max_conections\": 5}", "max_conections: no such key; did you mean \"max_connections\"?"},
    {"{\"telemetry\": true}", "telemetry: no such key"},
    {"{\"sokcet\": \"/x\"}", "sokcet: no such key; did you mean \"socket\"?"},
    {"{\"workers\": 2", "line 1, column 13: '}' expected near end of file"},
    {"{\"workers\": 2,}", "line 1, column 15: string or '}' expected near '}'"},
    {"{\"workers\": 2, \"workers\": 3}",
	"line 1, column 24: duplicate object key near '\"workers\"'"},
    {"{\"log\": \"info\" \"console\": true}", "line 1, column 24: '}' expected near '\"console\"'"},
    {"", "line 1, column 0: unexpected token near end of file"},
    {"{\"workers\": 0, \"ring_bytes\": \"x\", \"colour\": 1, \"channels\": [{\"lag\": 1}]}",
	"colour: no such key\n"
	"workers: must be 1 to 256, not 0\n"
	"ring_bytes: must be a number of bytes or a string like \"64MiB\" (KiB, MiB, GiB), not \"x\"\n"
	"channels[0].lag: must be \"gap\", \"close\" or \"latest\", not a number"},
    {"{\"listen\": [\"127.0.0.1:80801\", \"x\"], \"beat_s\": {\"ws\": \"30\"}}",
	"listen[0]: the port must be 0 to 65535, not \"80801\"\n"
	"listen[1]: must be ADDRESS:PORT, :PORT or unix:/path, not \"x\"\n"
	"beat_s.ws: must be a whole number, not a string"},
    {"{\"listen\": [\"0.0.0.0:80\", \":80\"]}",
	"listen[1]: \":80\" is listed before, as \"0.0.0.0:80\""},
    {"{\"log\\n\\u001b[31m\": 1}", "log??[31m: no such key; did you mean \"log\"?"},
    {"{\"channels\": [{\"match\": \"x\\ny\"}]}",
	"channels[0].match: \"x?y\" has a control character in it"},
    {"{\"max_connections\": \"many\"}", "max_connections: must be a whole number, not a string"},
    {"{\"max_connections_per_address\": null, \"max_connections\": null, \"retry_ms\": null}",
	"retry_ms: must be a whole number, not null"},
    {"{\"beat_s\": {\"ws\": 30, \"sse\": 25, \"poll\": 3}}", "beat_s.poll: no such key"},
    {"{\"trusted_proxies\": \"unix\"}",
	"trusted_proxies: must be an array of addresses, not a string"},
    {"{\"publish_uids\": [4294967295]}",
	"publish_uids[0]: must be 0 to 4294967294, not 4294967295"},
};

static void
config_names_every_mistake_with_its_path(void **state)
{
	char lines[4096];

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		mistakes_of(bad[i].text, NULL, lines, sizeof lines);
		assert_string_equal(lines, bad[i].mistakes);
	}
}

static void
config_has_the_contracts_defaults(void **state)
{
	struct config *c = parse("{}");

	(void)state;
	assert_int_equal(c->listen_count, 1);
	assert_string_equal(c->listen[0].text, "127.0.0.1:8080");
	assert_int_equal(c->admin_listen_count, 0);
	assert_null(c->socket);
	assert_int_equal(c->publish_mode, 0660);
	assert_null(c->publish_group);
	assert_true(c->publish_gid == (gid_t)-1);
	assert_int_equal(c->publish_uid_count, 0);
	assert_int_equal(c->workers, 0);
	assert_int_equal(c->ring_bytes, LIMIT_MIB(64));
	assert_int_equal(c->max_event_bytes, LIMIT_KIB(256));
	assert_int_equal(c->max_publish_bytes, LIMIT_MIB(8));
	assert_int_equal(c->max_connections, 0);
	assert_int_equal(c->max_connections_per_address, 0);
	assert_int_equal(c->max_channels_per_connection, 128);
	assert_int_equal(c->header_timeout_s, 10);
	assert_int_equal(c->body_timeout_s, 30);
	assert_int_equal(c->idle_timeout_s, 75);
	assert_int_equal(c->max_header_bytes, LIMIT_KIB(16));
	assert_int_equal(c->beat_ws_s, 30);
	assert_int_equal(c->beat_sse_s, 25);
	assert_int_equal(c->retry_ms, 2000);
	assert_int_equal(c->max_wait_s, 45);
	assert_int_equal(c->zero_copy_bytes, LIMIT_KIB(32));
	assert_true(c->compression);
	assert_false(c->compression_poll);
	assert_int_equal(c->compression_min_bytes, 256);
	assert_int_equal(c->compression_level, 1);
	assert_int_equal(c->compression_takeover_bytes, 0);
	assert_int_equal(c->rule_count, 1);
	assert_true(slice_equal(c->rules[0].match, SLICE_LITERAL("*")));
	assert_int_equal(c->rules[0].subscribe, RULE_ANYONE);
	assert_int_equal(c->rules[0].publish, RULE_NOBODY);
	assert_int_equal(c->rules[0].lag, RULE_GAP);
	assert_int_equal(c->origin_count, 0);
	assert_false(c->any_origin);
	assert_int_equal(c->proxy_count, 0);
	assert_false(c->trust_unix);
	assert_int_equal(c->path_prefix.len, 0);
	assert_false(c->console);
	assert_int_equal(c->io, ORDER_IO_AUTO);
	assert_int_equal(c->log_level, LOG_LEVEL_INFO);
	config_free(c);
}

static void
config_turns_compression_off_whole(void **state)
{
	struct config *c = parse("{\"compression\": false}");
	struct order_settings settings;

	(void)state;
	config_settings(c, &settings);
	assert_true(settings.compression == 0 && settings.compression_poll == 0);
	config_free(c);
}

static void
config_reads_every_key(void **state)
{
	struct config *c = parse(
	    "{\"listen\": [\"127.0.0.1:80\", \"[::1]:81\", \"unix:/tmp/x\", \":82\"],"
	    "\"admin_listen\": [\"127.0.0.1:9100\"], \"socket\": \"/tmp/publish\", \"publish_mode\": \"0600\","
	    "\"publish_group\": \"root\", \"publish_uids\": [0, 33], \"workers\": 3, \"ring_bytes\": 1048576,"
	    "\"max_event_bytes\": \"64KiB\", \"max_publish_bytes\": \"256KiB\", \"max_connections\": 1000,"
	    "\"max_connections_per_address\": 10, \"max_channels_per_connection\": 7, \"header_timeout_s\": 1,"
	    "\"body_timeout_s\": 2, \"idle_timeout_s\": 3, \"max_header_bytes\": \"8KiB\","
	    "\"beat_s\": {\"ws\": 4, \"sse\": 5}, \"retry_ms\": 600, \"max_wait_s\": 7, \"zero_copy_bytes\": \"1MiB\","
	    "\"compression\": {\"min_bytes\": 100, \"level\": 6, \"takeover_bytes\": \"1MiB\", \"poll\": true},"
	    "\"channels\": [{\"match\": \"a*\", \"subscribe\": \"token\", \"publish\": \"anyone\", \"lag\": \"close\"}],"
	    "\"origins\": [\"https://a.example\", \"null\"], \"trusted_proxies\": [\"10.0.0.0/8\", \"::1\", \"unix\"],"
	    "\"path_prefix\": \"/push\", \"console\": true, \"io\": \"io_uring\", \"log\": \"debug\"}");
	struct order_settings settings;

	(void)state;
	assert_int_equal(c->listen_count, 5);
	assert_int_equal(c->listen[0].of.any.sa_family, AF_INET);
	assert_int_equal(c->listen[1].of.any.sa_family, AF_INET6);
	assert_string_equal(c->listen[2].of.local.sun_path, "/tmp/x");
	assert_int_equal(c->listen[3].of.any.sa_family, AF_INET6);
	assert_true(c->listen[3].optional);
	assert_int_equal(c->listen[4].of.any.sa_family, AF_INET);
	assert_int_equal(c->listen[4].of.v4.sin_addr.s_addr, 0);
	assert_int_equal(ntohs(c->listen[4].of.v4.sin_port), 82);
	assert_int_equal(c->admin_listen_count, 1);
	assert_string_equal(c->socket, "/tmp/publish");
	assert_int_equal(c->publish_mode, 0600);
	assert_int_equal(c->publish_gid, 0);
	assert_int_equal(c->publish_uids[1], 33);
	assert_int_equal(c->workers, 3);
	assert_int_equal(c->ring_bytes, LIMIT_MIB(1));
	assert_int_equal(c->max_connections, 1000);
	assert_int_equal(c->max_connections_per_address, 10);
	assert_int_equal(c->io, ORDER_IO_URING);
	assert_int_equal(c->log_level, LOG_LEVEL_DEBUG);
	config_settings(c, &settings);
	assert_int_equal(settings.max_channels_per_connection, 7);
	assert_int_equal(settings.max_event_bytes, 65536);
	assert_int_equal(settings.max_header_bytes, 8192);
	assert_int_equal(settings.header_timeout_s, 1);
	assert_int_equal(settings.body_timeout_s, 2);
	assert_int_equal(settings.idle_timeout_s, 3);
	assert_int_equal(settings.beat_ws_s, 4);
	assert_int_equal(settings.beat_sse_s, 5);
	assert_int_equal(settings.retry_ms, 600);
	assert_int_equal(settings.max_wait_s, 7);
	assert_int_equal(settings.zero_copy_bytes, LIMIT_MIB(1));
	assert_true(settings.compression == 1 && settings.compression_poll == 1);
	assert_int_equal(settings.compression_min_bytes, 100);
	assert_int_equal(settings.compression_level, 6);
	assert_int_equal(settings.compression_takeover_bytes, LIMIT_MIB(1));
	assert_int_equal(settings.rules[0].subscribe, RULE_TOKEN);
	assert_int_equal(settings.rules[0].publish, RULE_ANYONE);
	assert_int_equal(settings.rules[0].lag, RULE_CLOSE);
	assert_int_equal(settings.origin_count, 2);
	assert_true(slice_equal(settings.origins[1], SLICE_LITERAL("null")));
	assert_int_equal(settings.proxy_count, 2);
	assert_int_equal(settings.proxies[0].prefix, 104);
	assert_int_equal(settings.trust_unix, 1);
	assert_int_equal(settings.any_origin, 0);
	assert_true(slice_equal(settings.path_prefix, SLICE_LITERAL("/push")));
	assert_int_equal(settings.console, 1);
	assert_int_equal(settings.log_level, 7);
	config_free(c);
}

static void
config_shrinks_sizes_that_were_not_given_with_the_ring(void **state)
{
	struct config *c = parse("{\"ring_bytes\": \"512KiB\"}");

	(void)state;
	assert_int_equal(c->max_event_bytes, LIMIT_KIB(128));
	assert_int_equal(c->max_publish_bytes, LIMIT_KIB(128));
	config_free(c);
}

/* Workers are told in one packet; what does not fit is a mistake, not a crash. */
static void
config_refuses_settings_that_do_not_fit_a_packet(void **state)
{
	char *text = malloc(200000), lines[1024];
	size_t len = (size_t)sprintf(text, "{\"channels\": [");

	(void)state;
	for (int i = 0; i < ORDER_RULES_MAX; i++)
		len += (size_t)sprintf(
		    text + len, "%s{\"match\": \"%03d%0252d\"}", i == 0 ? "" : ",", i, 0);
	sprintf(text + len, "]}");
	mistakes_of(text, NULL, lines, sizeof lines);
	assert_string_equal(lines,
	    "channels, origins and trusted_proxies take 33615 bytes together; at most 32768 fit");
	len = (size_t)sprintf(text, "{\"origins\": [");
	for (int i = 0; i <= ORDER_ORIGINS_MAX; i++)
		len += (size_t)sprintf(text + len, "%s\"http://h%d\"", i == 0 ? "" : ",", i);
	sprintf(text + len, "]}");
	mistakes_of(text, NULL, lines, sizeof lines);
	assert_string_equal(lines, "origins: at most 128 entries, not 129");
	free(text);
}

static void
config_counts_more_mistakes_than_it_keeps(void **state)
{
	char *text = malloc(20000);
	size_t len = (size_t)sprintf(text, "{\"channels\": [1");
	struct config_mistakes mistakes = {0};

	(void)state;
	for (int i = 1; i < 120; i++)
		len += (size_t)sprintf(text + len, ",1");
	sprintf(text + len, "]}");
	assert_null(config_parse(slice_text(text), NULL, NULL, &mistakes));
	assert_int_equal(mistakes.count, 120);
	assert_string_equal(mistakes.lines[99], "channels[99]: must be an object, not a number");
	config_mistakes_clear(&mistakes);
	free(text);
}

static void
config_lets_the_command_line_win(void **state)
{
	const struct config_overrides overrides = {2, {"127.0.0.1:1", ":2"}, "/tmp/s", "5", true};
	const struct config_overrides wrong = {1, {"x"}, "", "many", false};
	struct config_mistakes mistakes = {0};
	struct config *c = config_parse(
	    SLICE_LITERAL(
		"{\"listen\": [\"127.0.0.1:9\"], \"socket\": \"/x\", \"workers\": 1, \"retry_ms\": 50}"),
	    NULL, &overrides, &mistakes);
	char lines[512];

	(void)state;
	assert_non_null(c);
	assert_int_equal(c->listen_count, 3);
	assert_string_equal(c->listen[0].text, "127.0.0.1:1");
	assert_string_equal(c->socket, "/tmp/s");
	assert_int_equal(c->workers, 5);
	assert_true(c->console);
	assert_int_equal(c->retry_ms, 50);
	config_free(c);
	mistakes_of("{\"retry_ms\": 1}", &wrong, lines, sizeof lines);
	assert_string_equal(lines,
	    "--listen[0]: must be ADDRESS:PORT, :PORT or unix:/path, not \"x\"\n"
	    "--socket: must not be empty\n"
	    "--workers: must be \"auto\" or 1 to 256, not \"many\"\n"
	    "retry_ms: must be 10 to 3600000, not 1");
}

static void
write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void
config_reload_takes_what_it_can_and_holds_the_rest(void **state)
{
	char path[] = "/tmp/ringcast-config-XXXXXX", held[128];
	struct config_mistakes mistakes = {0};
	struct config *before, *now;
	int fd = mkstemp(path);

	(void)state;
	close(fd);
	write_file(
	    path, "{\"ring_bytes\": \"1MiB\", \"retry_ms\": 100, \"listen\": [\"127.0.0.1:1\"]}");
	before = config_load(path, NULL, &mistakes);
	assert_non_null(before);
	write_file(path,
	    "{\"ring_bytes\": \"2MiB\", \"retry_ms\": 200, \"workers\": 7, \"log\": \"debug\"}");
	now = config_reload(before, NULL, &mistakes, held, sizeof held);
	assert_non_null(now);
	config_free(before);
	assert_string_equal(held, "listen, workers, ring_bytes");
	assert_int_equal(now->ring_bytes, LIMIT_MIB(1));
	assert_int_equal(now->workers, 0);
	assert_string_equal(now->listen[0].text, "127.0.0.1:1");
	assert_int_equal(now->retry_ms, 200);
	assert_int_equal(now->log_level, LOG_LEVEL_DEBUG);
	/* An event limit that the new file's ring would allow, but the running one does not. */
	write_file(path, "{\"ring_bytes\": \"4MiB\", \"max_event_bytes\": \"1MiB\"}");
	assert_null(config_reload(now, NULL, &mistakes, held, sizeof held));
	assert_int_equal(mistakes.count, 1);
	assert_string_equal(mistakes.lines[0],
	    "max_event_bytes: 1MiB is more than a quarter of ring_bytes (256KiB)");
	config_mistakes_clear(&mistakes);
	write_file(path, "{\"retry_ms\": -1");
	assert_null(config_reload(now, NULL, &mistakes, held, sizeof held));
	assert_int_equal(mistakes.count, 1);
	config_mistakes_clear(&mistakes);
	config_free(now);
	unlink(path);
}

static void
config_says_why_a_file_cannot_be_read(void **state)
{
	struct config_mistakes mistakes = {0};
	char path[] = "/tmp/ringcast-config-XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_null(config_load("/nowhere/ringcast.json", NULL, &mistakes));
	assert_string_equal(mistakes.lines[0], "cannot be opened: No such file or directory");
	config_mistakes_clear(&mistakes);
	assert_null(config_load("/tmp", NULL, &mistakes));
	assert_string_equal(mistakes.lines[0], "cannot be read: Is a directory");
	config_mistakes_clear(&mistakes);
	assert_int_equal(ftruncate(fd, 2 << 20), 0);
	close(fd);
	assert_null(config_load(path, NULL, &mistakes));
	assert_string_equal(mistakes.lines[0], "is larger than 1MiB");
	config_mistakes_clear(&mistakes);
	unlink(path);
}

static void
config_accepts_the_sample_file(void **state)
{
	struct config_mistakes mistakes = {0};
	struct config *c = config_load("systemd/ringcast.json", NULL, &mistakes);

	(void)state;
	if (c == NULL && access("systemd/ringcast.json", R_OK) == -1)
		skip();
	assert_int_equal(mistakes.count, 0);
	assert_non_null(c);
	config_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(config_names_every_mistake_with_its_path),
	    cmocka_unit_test(config_has_the_contracts_defaults),
	    cmocka_unit_test(config_reads_every_key),
	    cmocka_unit_test(config_turns_compression_off_whole),
	    cmocka_unit_test(config_shrinks_sizes_that_were_not_given_with_the_ring),
	    cmocka_unit_test(config_refuses_settings_that_do_not_fit_a_packet),
	    cmocka_unit_test(config_counts_more_mistakes_than_it_keeps),
	    cmocka_unit_test(config_lets_the_command_line_win),
	    cmocka_unit_test(config_reload_takes_what_it_can_and_holds_the_rest),
	    cmocka_unit_test(config_says_why_a_file_cannot_be_read),
	    cmocka_unit_test(config_accepts_the_sample_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
