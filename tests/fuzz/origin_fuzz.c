/*
 * origin_fuzz.c: no origin is let in that the rules do not name, judged by a plain second reading;
 * addresses read as the C library reads them.
 *
 * Input: lines: origin, host, sec-fetch-site, one listed origin.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <strings.h>

#include "proto/address.h"
#include "proto/origin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition) ((condition) ? (void)0 : abort())

enum { LINES = 4, LINE_MAX_BYTES = 256 };

static bool
starts_with(const char *text, const char *prefix)
{
	return strncasecmp(text, prefix, strlen(prefix)) == 0;
}

/*
 * What allows without a list: the origin's host[:port] is the Host, letter by letter (but for a
 * default port, or another writing of an address), or both begin like loopback names or end in
 * one.
 */
static void
check_allowed(const char *origin, const char *host, const char *site, enum origin_verdict verdict)
{
	bool plain =
	    strpbrk(host, "[]:") == NULL && strpbrk(strstr(origin, "://") + 3, "[]:") == NULL;

	CHECK(starts_with(origin, "http://") || starts_with(origin, "https://") ||
	      strcasecmp(site, "same-origin") == 0);
	if (strcasecmp(site, "same-origin") == 0 || !plain)
		return;
	if (verdict == ORIGIN_SAME) {
		CHECK(strcasecmp(strstr(origin, "://") + 3, host) == 0);
	} else {
		size_t len = strlen(host);

		CHECK(verdict == ORIGIN_LOOPBACK);
		CHECK(starts_with(host, "127.") ||
		      (len >= 9 && strcasecmp(host + len - 9, "localhost") == 0));
	}
}

static void
check_address(const char *text)
{
	char written[ADDRESS_TEXT_MAX];
	struct out out = out_to(written, sizeof written);
	struct address address, want;
	struct address_range range;
	uint8_t four[4];
	bool good = address_parse(&address, slice_text(text));

	if (inet_pton(AF_INET, text, four) == 1) {
		want = address_of_ipv4(four);
		CHECK(good && address_equal(&address, &want));
	} else if (inet_pton(AF_INET6, text, want.bytes) == 1) {
		CHECK(good && address_equal(&address, &want));
	} else {
		CHECK(!good);
	}
	if (good) {
		address_format(&out, &address);
		CHECK(!out_cut(&out) && address_parse(&want, slice_of(written, out.len)));
		CHECK(address_equal(&address, &want));
	}
	if (address_range_parse(&range, slice_text(text)))
		CHECK(range.prefix <= 128 && address_in(&range.address, &range));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char lines[LINES][LINE_MAX_BYTES];
	size_t line = 0, len = 0;

	for (size_t i = 0; i < size && line < LINES; i++) {
		if (data[i] == '\n') {
			lines[line++][len] = '\0';
			len = 0;
		} else if (data[i] == '\0' || len == LINE_MAX_BYTES - 1) {
			return 0;
		} else {
			lines[line][len++] = (char)data[i];
		}
	}
	if (line < LINES)
		lines[line++][len] = '\0';
	while (line < LINES)
		lines[line++][0] = '\0';

	struct slice listed = slice_text(lines[3]);
	const struct origin_rules none = {.listed_count = 0}, one = {&listed, 1, false};
	struct origin_request request = {
	    .origin = slice_text(lines[0]),
	    .host = slice_text(lines[1]),
	    .sec_fetch_site = slice_text(lines[2]),
	};
	enum origin_verdict verdict = origin_check(&none, &request);

	if (origin_is_allowed(verdict))
		check_allowed(lines[0], lines[1], lines[2], verdict);
	CHECK(!origin_has_credentials(verdict));

	/* A list adds, and takes nothing away; an origin that is an origin finds itself. */
	enum origin_verdict with_one = origin_check(&one, &request);
	bool found = with_one == ORIGIN_LISTED || with_one == ORIGIN_NULL;

	CHECK(found || with_one == verdict);
	if (strcmp(lines[0], lines[3]) == 0)
		CHECK(found == origin_is_valid(listed));

	/* To know the scheme can only take away. */
	request.scheme = HTTP_SCHEME_HTTPS;
	if (!origin_is_allowed(verdict))
		CHECK(!origin_is_allowed(origin_check(&none, &request)));
	for (size_t i = 0; i < LINES; i++)
		check_address(lines[i]);
	return 0;
}
