/*
 * config_address.c: addresses to listen at, from text: "127.0.0.1:8080", "[::1]:8080", ":8080",
 * "unix:/path".
 *
 * Numbers only: resolving names would make what we listen at depend on another machine, and differ
 * at the next start.
 */
#include "master/config_check.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool
config_address_unix(struct config_reader *r, const char *path, struct config_address *address)
{
	if (path[0] != '/') {
		config_check_mistake(
		    r, "must be an absolute path after \"unix:\", not \"%s\"", path);
		return false;
	}
	if (strlen(path) >= sizeof address->of.local.sun_path) {
		config_check_mistake(r,
		    "the path is %zu bytes long; a Unix socket's has at most %zu", strlen(path),
		    sizeof address->of.local.sun_path - 1);
		return false;
	}
	address->of.local.sun_family = AF_UNIX;
	memcpy(address->of.local.sun_path, path, strlen(path) + 1);
	address->len = sizeof address->of.local;
	return true;
}

static bool
config_address_port(struct config_reader *r, const char *text, in_port_t *port)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end != '\0' || n > UINT16_MAX) {
		config_check_mistake(r, "the port must be 0 to 65535, not \"%s\"", text);
		return false;
	}
	*port = htons((uint16_t)n);
	return true;
}

/* The text between "[" and "]", or before the last ":". */
static bool
config_address_host(
    struct config_reader *r, const char *text, const char *colon, char *host, size_t size)
{
	bool bracketed = text[0] == '[' && colon > text && colon[-1] == ']';
	const char *from = bracketed ? text + 1 : text, *to = bracketed ? colon - 1 : colon;

	if (to < from || (size_t)(to - from) >= size) {
		config_check_mistake(r, "no address before the port in \"%s\"", text);
		return false;
	}
	memcpy(host, from, (size_t)(to - from));
	host[to - from] = '\0';
	return true;
}

static bool
config_address_inet(struct config_reader *r, const char *text, struct config_address *address)
{
	const char *colon = strrchr(text, ':');
	char host[INET6_ADDRSTRLEN + 16];
	in_port_t port;

	if (colon == NULL) {
		config_check_mistake(
		    r, "must be ADDRESS:PORT, :PORT or unix:/path, not \"%s\"", text);
		return false;
	}
	if (!config_address_port(r, colon + 1, &port))
		return false;
	if (colon == text) {
		address->of.v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port};
		address->len = sizeof address->of.v6;
		address->optional = true;
		return true;
	}
	if (!config_address_host(r, text, colon, host, sizeof host))
		return false;
	if (text[0] != '[' && inet_pton(AF_INET, host, &address->of.v4.sin_addr) == 1) {
		address->of.v4.sin_family = AF_INET;
		address->of.v4.sin_port = port;
		address->len = sizeof address->of.v4;
		return true;
	}
	if (text[0] == '[' && inet_pton(AF_INET6, host, &address->of.v6.sin6_addr) == 1) {
		address->of.v6.sin6_family = AF_INET6;
		address->of.v6.sin6_port = port;
		address->len = sizeof address->of.v6;
		return true;
	}
	if (text[0] != '[' && inet_pton(AF_INET6, host, &(struct in6_addr){{{0}}}) == 1)
		config_check_mistake(
		    r, "an IPv6 address stands in brackets: \"[%s]:%s\"", host, colon + 1);
	else
		config_check_mistake(r,
		    "\"%s\" is not an IP address (names are not resolved; \":%s\" is every address)",
		    host, colon + 1);
	return false;
}

bool
config_address_parse(struct config_reader *r, const char *text, struct config_address *address)
{
	*address = (struct config_address){.text = text};
	if (strncmp(text, "unix:", 5) == 0)
		return config_address_unix(r, text + 5, address);
	return config_address_inet(r, text, address);
}

void
config_address_any_v4(const struct config_address *any_v6, struct config_address *address)
{
	*address = (struct config_address){.text = any_v6->text, .len = sizeof address->of.v4};
	address->of.v4.sin_family = AF_INET;
	address->of.v4.sin_port = any_v6->of.v6.sin6_port;
}

bool
config_address_equal(const struct config_address *a, const struct config_address *b)
{
	return a->len == b->len && memcmp(&a->of, &b->of, a->len) == 0;
}
