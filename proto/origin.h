/*
 * origin.h: may a page of this origin talk to us? (the contract's "Origins"; RFC 6454)
 *
 * The defence against cross-site WebSocket hijacking and cross-site reading. Origins are compared
 * whole, never by suffix and never merely mirrored.
 */
#ifndef PROTO_ORIGIN_H
#define PROTO_ORIGIN_H

#include "proto/http.h"

/* The configuration's `origins`. */
struct origin_rules {
	const struct slice *listed; /* each passes origin_is_valid, or is "null" */
	size_t listed_count;
	bool any; /* the list is ["*"] */
};

/* What the request says; bytes NULL where a field is absent. */
struct origin_request {
	struct slice origin;
	struct slice host; /* http_request.host */
	struct slice sec_fetch_site;
	/* How the client reached us, if known: TLS of our own, or a trusted X-Forwarded-Proto. */
	enum http_scheme scheme;
};

enum origin_verdict {
	ORIGIN_ABSENT,   /* no Origin: not a page, or a same-origin GET. Allowed */
	ORIGIN_LISTED,   /* exactly listed: allowed, with credentials */
	ORIGIN_NULL,     /* "null", listed: without credentials, as any page can be it in a frame */
	ORIGIN_SAME,     /* the page came from here */
	ORIGIN_LOOPBACK, /* page and server both on loopback names */
	ORIGIN_ANY,      /* "*" is configured */
	ORIGIN_FORBIDDEN, /* 403 origin_forbidden */
};

enum origin_verdict origin_check(
    const struct origin_rules *rules, const struct origin_request *request);

static inline bool
origin_is_allowed(enum origin_verdict verdict)
{
	return verdict != ORIGIN_FORBIDDEN;
}

/* Access-Control-Allow-Credentials: only for origins listed exactly. */
static inline bool
origin_has_credentials(enum origin_verdict verdict)
{
	return verdict == ORIGIN_LISTED;
}

/* Access-Control-Allow-Origin for a verdict: the origin, "*", or empty (leave the field out). */
struct slice origin_allow(enum origin_verdict verdict, struct slice origin);

/* True if a configured text is an origin, scheme://host[:port] without path, or "null". */
bool origin_is_valid(struct slice text);

/*
 * True for localhost, names under it, 127.0.0.0/8 and [::1]. host: without port, IPv6 in brackets.
 */
bool origin_is_loopback(struct slice host);

#endif
