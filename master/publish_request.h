/*
 * publish_request.h: what a request on the publish socket means: routes, methods, and POST /publish in all its forms.
 */
#ifndef MASTER_PUBLISH_REQUEST_H
#define MASTER_PUBLISH_REQUEST_H

#include "proto/http_request.h"

struct publish_session;

enum publish_request_plan {
	PUBLISH_REQUEST_REFUSED, /* answered already: the body, if any, is not wanted */
	PUBLISH_REQUEST_BODY,    /* collect the body, then publish_request_finish */
	PUBLISH_REQUEST_STREAM,  /* publish_stream_begin was called */
};

/* Judges a head. */
enum publish_request_plan publish_request_begin(
    struct publish_session *s, const struct http_request *request);

/* Answers a request whose body is complete (or absent). */
void publish_request_finish(
    struct publish_session *s, const struct http_request *request, struct slice body);

#endif
