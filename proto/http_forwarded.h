/*
 * http_forwarded.h: who the client is when a proxy that we trust speaks for it (X-Forwarded-For,
 * X-Forwarded-Proto).
 *
 * The caller asks only when the peer itself is trusted (address_in_any, or the configuration's
 * "unix"); else these fields are the client's own invention and must not be looked at.
 */
#ifndef PROTO_HTTP_FORWARDED_H
#define PROTO_HTTP_FORWARDED_H

#include "proto/address.h"
#include "proto/http_request.h"

/*
 * Walks X-Forwarded-For from right to left while the addresses are trusted, and gives the first
 * that is not (or the leftmost, if all are). What lies left of a malformed element was not written
 * by a trusted proxy and is not looked at. False if nothing usable is there: the client is then
 * the peer. "address:port" and "[address]:port" are understood.
 */
bool http_forwarded_client(const struct http_request *request, const struct address_range *trusted,
    size_t count, struct address *client);

/*
 * The scheme that X-Forwarded-Proto names (http, ws; https, wss); unknown if absent or something
 * else, or if its elements differ.
 */
enum http_scheme http_forwarded_scheme(const struct http_request *request);

#endif
