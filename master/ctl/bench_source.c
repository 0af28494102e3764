/*
 * bench_source.c: see bench_source.h.
 */
#include "master/ctl/bench_source.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#define LOOPBACK_ADDRESSES 200

bool
bench_source_parse(const char *list, uint32_t i, struct sockaddr_storage *address, socklen_t *len)
{
	struct sockaddr_in *four = (struct sockaddr_in *)address;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)address;
	char text[INET6_ADDRSTRLEN + 1] = {0};
	size_t n;

	for (; i > 0 && list != NULL; i--) {
		list = strchr(list, ',');
		list = list == NULL ? NULL : list + 1;
	}
	if (list == NULL || (n = strcspn(list, ",")) >= sizeof text)
		return false;
	memcpy(text, list, n);
	memset(address, 0, sizeof *address);
	if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		*len = sizeof *four;
		return true;
	}
	six->sin6_family = AF_INET6;
	*len = sizeof *six;
	return inet_pton(AF_INET6, text, &six->sin6_addr) == 1;
}

uint32_t
bench_source_count(const char *list)
{
	struct sockaddr_storage address;
	socklen_t len;
	uint32_t count = 1;

	for (const char *at = list; (at = strchr(at, ',')) != NULL; at++)
		count++;
	for (uint32_t i = 0; i < count; i++)
		if (!bench_source_parse(list, i, &address, &len))
			return 0;
	return count;
}

/* Binds without taking a port yet: connect(2) finds one that is free for this server. */
static bool
bind_source(int fd, const struct bench_plan *plan, uint32_t ordinal)
{
	const struct sockaddr_in *server = (const struct sockaddr_in *)&plan->address;
	struct sockaddr_storage address = {0};
	socklen_t len = sizeof(struct sockaddr_in);

	if (plan->address.ss_family == AF_UNIX)
		return true;
	if (plan->sources != NULL) {
		if (!bench_source_parse(
			plan->sources, ordinal % bench_source_count(plan->sources), &address, &len))
			return false;
	} else if (plan->address.ss_family == AF_INET &&
		   ntohl(server->sin_addr.s_addr) >> 24 == 127) {
		struct sockaddr_in *source = (struct sockaddr_in *)&address;

		source->sin_family = AF_INET;
		source->sin_addr.s_addr = htonl(INADDR_LOOPBACK + ordinal % LOOPBACK_ADDRESSES);
	} else {
		return true;
	}
	return setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){1}, sizeof(int)) == 0 &&
	       bind(fd, (struct sockaddr *)&address, len) == 0;
}

int
bench_source_connect(const struct bench_plan *plan, uint32_t ordinal)
{
	const int fd =
	    socket(plan->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int error;

	if (fd == -1)
		return -1;
	if (bind_source(fd, plan, ordinal) &&
	    (connect(fd, (const struct sockaddr *)&plan->address, plan->address_len) == 0 ||
		errno == EINPROGRESS)) {
		if (plan->address.ss_family != AF_UNIX)
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
		return fd;
	}
	error = errno;
	close(fd);
	errno = error;
	return -1;
}
