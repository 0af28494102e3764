/*
 * deliver_test.c: the batch of sends over real sockets and the real ring of the kernel: what does not fit is resumed at the
 * byte, who is gone is gone, the order on a socket holds, and a worker that is told nothing believes nothing.
 */
#include "worker/deliver.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "tests/unit/worker/worker_fixture.h"

static int
setup_real(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	assert_non_null(f);
	assert_true(fixture_begin(f, 4 << 20, true));
	*state = f;
	return 0;
}

/* A client over TCP with small buffers on both sides. */
static void
client_tcp(struct client *c, struct fixture *f, int buffer_bytes)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof address;
	int server;

	*c = (struct client){.f = f};
	assert_return_code(listener, errno);
	assert_return_code(
	    setsockopt(listener, SOL_SOCKET, SO_SNDBUF, &buffer_bytes, sizeof buffer_bytes), errno);
	assert_return_code(bind(listener, (struct sockaddr *)&address, len), errno);
	assert_return_code(listen(listener, 1), errno);
	assert_return_code(getsockname(listener, (struct sockaddr *)&address, &len), errno);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_return_code(c->fd, errno);
	assert_return_code(
	    setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof buffer_bytes), errno);
	assert_return_code(connect(c->fd, (struct sockaddr *)&address, len), errno);
	server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_return_code(server, errno);
	close(listener);
	assert_true(conn_accept(f->w, server, 7));
	for (uint32_t slot = 1; slot < f->w->slots.head->touched; slot++)
		if (f->w->slots.table[slot].state != CONN_FREE &&
		    f->w->slots.table[slot].descriptor == server)
			c->slot = slot;
	c->generation = client_slot(c)->generation;
}

/* Reads until all events up to the last are there, however slowly they come. */
static void
client_until(struct client *c, const char *last)
{
	for (int i = 0; i < 3000 && client_count(c, last) == 0 && !c->ended; i++) {
		struct pollfd ready = {.fd = c->fd, .events = POLLIN};

		fixture_turn(c->f);
		poll(&ready, 1, 2);
		client_read(c);
	}
}

static void
deliver_resumes_where_the_socket_was_full(void **state)
{
	static const enum dialect streams[] = {
	    DIALECT_SSE, DIALECT_SSE_JSON, DIALECT_WS, DIALECT_WS_RAW};
	static const char *const fields[] = {[DIALECT_SSE] = "Accept: text/event-stream\r\n",
	    [DIALECT_SSE_JSON] = "Accept: text/event-stream\r\n",
	    [DIALECT_WS] = WS_FIELDS,
	    [DIALECT_WS_RAW] = WS_FIELDS "Sec-WebSocket-Protocol: ringcast.raw\r\n"};
	struct fixture *f = *state;

	for (size_t d = 0; d < sizeof streams / sizeof streams[0]; d++) {
		struct client c;

		client_tcp(&c, f, 4096);
		client_get(&c,
		    streams[d] == DIALECT_SSE_JSON ? "channel=a&format=json" : "channel=a",
		    fields[streams[d]]);
		client_until(&c, "\r\n\r\n");
		for (unsigned n = 0; n < 100; n++) {
			fixture_publish(f, "a", n, 3000 + n);
			fixture_turn(f);
		}
		assert_int_equal(client_slot(&c)->state, CONN_CATCHUP);
		client_until(&c, "#99#");
		client_has(&c, 0, 99);
		fixture_publish(f, "a", 100, 0);
		client_until(&c, "#100#");
		client_has(&c, 0, 100);
		fixture_run(f);
		client_sound(&c, streams[d]);
		client_close(&c);
	}
	assert_true(board_get(&f->w->board, BOARD_SHORT_SENDS) > 50);
	assert_int_equal(board_get(&f->w->board, BOARD_CLOSED_ERROR), 0);
}

static void
deliver_notices_who_is_gone(void **state)
{
	struct fixture *f = *state;
	const struct linger reset = {1, 0};
	struct client c, other;

	client_tcp(&c, f, 4096);
	client_tcp(&other, f, 4096);
	client_get(&c, "channel=a", "Accept: text/event-stream\r\n");
	client_get(&other, "channel=a", "Accept: text/event-stream\r\n");
	client_until(&c, "welcome");
	client_until(&other, "welcome");
	assert_return_code(setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset), errno);
	close(c.fd);
	c.fd = -1;
	fixture_publish(f, "a", 0, 0);
	client_until(&other, "#0#");
	for (int i = 0; i < 100 && client_held(&c); i++)
		fixture_turn(f);
	assert_false(client_held(&c));
	client_has(&other, 0, 0);
	client_close(&c);
	client_close(&other);
}

/* A stalled client holds nothing of what the others get: not a wave, not a tail. */
static void
deliver_holds_nothing_for_who_does_not_read(void **state)
{
	struct fixture *f = *state;
	struct client stalled, reader;

	client_tcp(&stalled, f, 4096);
	client_get(&stalled, "channel=a", "Accept: text/event-stream\r\n");
	client_tcp(&reader, f, 1 << 18);
	client_get(&reader, "channel=a", "Accept: text/event-stream\r\n");
	client_until(&reader, "welcome");
	for (unsigned n = 0; n < 400; n++) {
		fixture_publish(f, "a", n, 4000);
		fixture_turn(f);
		client_read(&reader);
	}
	client_until(&reader, "#399#");
	client_has(&reader, 0, 399);
	fixture_run(f);
	assert_int_equal(f->w->extras.tail_bytes, 0);
	assert_true(f->w->channels.wave_bytes <= REPLAY_WAVES * (128u << 10));
	client_until(&stalled, "#399#");
	client_has(&stalled, 0, 399);
	client_close(&stalled);
	client_close(&reader);
}

/* ---- with a kernel that does as it is told -------------------------------------------------------------- */

static void
deliver_closes_the_connection_of_a_send_that_failed(void **state)
{
	static const int32_t failures[] = {-EPIPE, -ECONNRESET, -EBADF, -EACCES, -ECANCELED};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
		struct client c, other;

		client_stream(&c, f, DIALECT_WS, "channel=a");
		client_stream(&other, f, DIALECT_WS, "channel=b");
		fixture_run(f);
		f->fake->fail_at = 1;
		f->fake->fail_with = failures[i];
		fixture_publish(f, "a", 0, 0);
		fixture_publish(f, "b", 0, 0);
		fixture_run(f);
		assert_false(client_held(&c));
		client_run(&other);
		client_has(&other, 0, 0);
		client_close(&c);
		client_close(&other);
	}
}

/* Every send in turn fails for want of kernel memory, or is refused by a full socket: nothing is lost. */
static void
deliver_tries_again_when_the_kernel_could_not(void **state)
{
	static const int32_t failures[] = {-ENOBUFS, -ENOMEM, -EINTR, -EAGAIN};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++)
		for (uint64_t at = 1; at < 15; at++) {
			struct client c;
			unsigned n = 0;

			f->fake->fail_at = at;
			f->fake->fail_with = failures[i];
			client_stream(&c, f, DIALECT_WS, "channel=a&channel=b&after=-1");
			client_run(&c);
			n = client_count(&c, "#") / 2;
			for (unsigned k = 0; k < 5; k++) {
				fixture_publish(f, k % 2 == 0 ? "a" : "b,a", 1000 + k, 0);
				fixture_run(f);
			}
			client_run(&c);
			assert_int_equal(client_count(&c, "#") / 2, n + 5);
			client_sound(&c, DIALECT_WS);
			client_close(&c);
			fixture_run(f);
			f->fake->fail_at = 0;
		}
}

static void
deliver_puts_control_objects_between_frames(void **state)
{
	struct fixture *f = *state;

	for (size_t chop = 1; chop < 200; chop += 13) {
		struct client c;

		client_stream(&c, f, DIALECT_WS, "channel=a");
		fixture_run(f);
		client_clear(&c);
		f->fake->chop = chop;
		for (unsigned n = 0; n < 20; n++) {
			fixture_publish(f, "a", n, 50);
			client_op(&c, "{\"op\":\"ping\"}");
			fixture_turn(f);
			fixture_turn(f);
		}
		client_run(&c);
		f->fake->chop = 0;
		client_has(&c, 0, 19);
		assert_int_equal(client_count(&c, "\"op\":\"pong\""), 20);
		assert_null(frames_fault(c.bytes, c.len));
		client_close(&c);
		fixture_run(f);
	}
}

/* The master's answer to a publish comes when it comes: also in the middle of a frame. */
static void
deliver_puts_an_answer_behind_a_half_sent_frame(void **state)
{
	struct fixture *f = *state;

	for (int64_t at = 1; at < 60; at++) {
		char packet[ORDER_PACKET_BYTES], answer[256];
		struct order_publish publish = {0};
		struct order_published m = {.id = FIXTURE_MS << 16 | 5};
		struct out o = out_to(answer, sizeof answer);
		struct client c;
		ssize_t n;

		client_stream(&c, f, DIALECT_WS, "channel=a");
		client_op(&c, "{\"op\":\"publish\",\"channel\":\"p\",\"data\":1}");
		fixture_run(f);
		client_clear(&c);
		while ((n = recv(f->master, packet, sizeof packet, MSG_DONTWAIT)) > 0) {
			struct order_piece piece;

			if (order_decode_piece(slice_of(packet, (size_t)n), &piece) == 0) {
				assert_int_equal(order_decode_publish(piece.bytes, &publish), 0);
				break;
			}
		}
		assert_int_equal(publish.event.channel_count, 1);
		f->fake->allowance = at;
		fixture_publish(f, "a", 0, 50);
		while (client_slot(&c)->offset == 0)
			fixture_turn(f);
		f->fake->allowance = 0; /* not yet: the answer overtakes the rest of the frame */
		m.tag = publish.tag;
		order_encode_published(&o, &m);
		assert_int_equal(send(f->master, o.bytes, o.len, 0), o.len);
		client_run(&c);
		client_has(&c, 0, 0);
		assert_int_equal(client_count(&c, "\"op\":\"published\""), 1);
		assert_null(frames_fault(c.bytes, c.len));
		client_close(&c);
		fixture_run(f);
	}
}

/* A beat that is cut is finished before anything else is said; one that finds no room is not missed. */
static void
deliver_finishes_a_beat_that_was_cut(void **state)
{
	struct fixture *f = *state;

	for (int64_t at = 0; at < 60; at++) {
		struct client c;

		client_stream(&c, f, DIALECT_WS, "channel=a");
		fixture_run(f);
		client_clear(&c);
		f->fake->allowance = at;
		fixture_wait_ms(f, 37000);
		f->fake->allowance = -1;
		fixture_publish(f, "a", 0, 0);
		client_run(&c);
		client_has(&c, 0, 0);
		assert_null(frames_fault(c.bytes, c.len));
		client_close(&c);
		fixture_run(f);
	}
}

static void
deliver_believes_nothing_when_completions_were_dropped(void **state)
{
	struct fixture *f = *state;
	struct client c, other;

	client_stream(&c, f, DIALECT_SSE, "channel=a");
	fixture_run(f);
	client_stream(&other, f, DIALECT_SSE, "channel=b");
	fixture_run(f);
	f->fake->dropped = true;
	f->fake->allowance = 5;
	fixture_publish(f, "a", 0, 0);
	fixture_run(f);
	f->fake->dropped = false;
	assert_false(client_held(&c)); /* of whom nothing was heard */
	assert_true(client_held(&other));
	fixture_publish(f, "b", 0, 0);
	client_run(&other);
	client_has(&other, 0, 0);
	client_close(&c);
	client_close(&other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		deliver_resumes_where_the_socket_was_full, setup_real, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		deliver_notices_who_is_gone, setup_real, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		deliver_holds_nothing_for_who_does_not_read, setup_real, fixture_teardown),
	    cmocka_unit_test_setup_teardown(deliver_closes_the_connection_of_a_send_that_failed,
		fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		deliver_tries_again_when_the_kernel_could_not, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		deliver_puts_control_objects_between_frames, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		deliver_finishes_a_beat_that_was_cut, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(deliver_believes_nothing_when_completions_were_dropped,
		fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(
		deliver_puts_an_answer_behind_a_half_sent_frame, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests_name("deliver", tests, NULL, NULL);
}
