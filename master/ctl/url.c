/*
 * url.c: see url.h.
 */
#include "master/ctl/url.h"

#include <stdio.h>
#include <string.h>

#include "master/ctl/ctl.h"
#include "proto/http.h"

static const char *
parse_prefix(const char *path, struct url *url)
{
	size_t len = strlen(path);

	if (strpbrk(path, "?# ") != NULL)
		return "it goes no further than a path: the channels are arguments";
	while (len > 0 && path[len - 1] == '/')
		len--;
	if (len >= sizeof url->path)
		return "the path is too long";
	memcpy(url->path, path, len);
	return NULL;
}

/* The part behind the scheme: /file[:/prefix]. */
static const char *
parse_unix(const char *rest, struct url *url)
{
	const char *end = strstr(rest, ":/");
	size_t len = end == NULL ? strlen(rest) : (size_t)(end - rest);

	if (rest[0] != '/')
		return "after unix: comes an absolute path";
	if (len >= sizeof url->file)
		return "the path is too long";
	memcpy(url->file, rest, len);
	strcpy(url->authority, "localhost");
	return end == NULL ? NULL : parse_prefix(end + 1, url);
}

/* The part behind the scheme: host[:port][/prefix]. */
static const char *
parse_rest(const char *rest, struct url *url)
{
	struct slice authority = slice_of(rest, strcspn(rest, "/?#")), host;
	const char *wrong;
	int port;

	if (memchr(authority.bytes, '@', authority.len) != NULL)
		return "a user in the URL is not understood";
	wrong = parse_prefix(rest + authority.len, url);
	if (wrong != NULL)
		return wrong;
	if (!http_host_split(authority, &host, &port) || host.len == 0 ||
	    authority.len >= sizeof url->authority)
		return "the host is missing or malformed: such as http://127.0.0.1:8080";
	memcpy(url->authority, authority.bytes, authority.len);
	if (host.bytes[0] == '[')
		host = slice_of(host.bytes + 1, host.len - 2);
	if (host.len >= sizeof url->host)
		return "the host is too long";
	memcpy(url->host, host.bytes, host.len);
	snprintf(url->port, sizeof url->port, "%d", port == -1 ? 80 : port);
	return NULL;
}

const char *
url_parse(const char *text, struct url *url)
{
	static const struct {
		const char *scheme;
		bool is_known;
	} schemes[] = {{"http://", true}, {"ws://", true}, {"https://", false}, {"wss://", false}};

	memset(url, 0, sizeof *url);
	if (strncmp(text, "unix:", 5) == 0)
		return parse_unix(text + 5, url);
	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
		size_t len = strlen(schemes[i].scheme);

		if (strncmp(text, schemes[i].scheme, len) != 0)
			continue;
		return schemes[i].is_known
			   ? parse_rest(text + len, url)
			   : "TLS is not in this version: use http://, on the server itself or through a tunnel";
	}
	return "it begins with http:// (or unix:/path, unix:/path:/prefix)";
}
