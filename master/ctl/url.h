/*
 * url.h: the address of a server, as --url and RINGCAST_URL take it.
 *
 *	http://host[:port][/prefix]    ws:// is the same; "[::1]" for IPv6
 *	unix:/path[:/prefix]           a listener of the server on a Unix socket; its path holds no ":/"
 */
#ifndef MASTER_CTL_URL_H
#define MASTER_CTL_URL_H

#define URL_HOST_BYTES 256
#define URL_PATH_BYTES 1024

struct url {
	char host[URL_HOST_BYTES]; /* without brackets; empty for a Unix socket */
	char port[8];
	char authority[URL_HOST_BYTES + 8]; /* for the Host field */
	char file[URL_PATH_BYTES];          /* of a Unix socket; otherwise empty */
	char path[URL_PATH_BYTES];          /* the prefix, without a final slash */
};

/* NULL, or what is wrong with it and what to write instead. */
const char *url_parse(const char *text, struct url *url);

#endif
