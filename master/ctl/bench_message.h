/*
 * bench_message.h: what `ringcast bench` and its load processes say to each other, over a SOCK_SEQPACKET pair: one struct a packet, native layout,
 * since both are the same program.
 *
 *     bench --order--> load      load --answer--> bench
 */
#ifndef MASTER_CTL_BENCH_MESSAGE_H
#define MASTER_CTL_BENCH_MESSAGE_H

#include "master/ctl/bench_histogram.h"

enum bench_order_kind {
	BENCH_ORDER_OPEN, /* connect everybody, `value` a second (thousandths; 0: as fast as it goes) */
	BENCH_ORDER_BEGIN, /* events are published from here on: who is open must get the first of its channel */
	BENCH_ORDER_MEASURE, /* start times anew; `value`: the first event number of interest */
	BENCH_ORDER_EXPECT,  /* answer at once when so many deliveries have come, `value` */
	BENCH_ORDER_TELL,    /* answer with all histograms and reaches, then DONE */
	BENCH_ORDER_STALL,   /* stop reading */
	BENCH_ORDER_READ,    /* go on */
	BENCH_ORDER_PART,    /* close all connections, keep cursors */
};

struct bench_order {
	uint32_t kind;
	uint32_t padding;
	uint64_t value;
};

enum bench_answer_kind {
	BENCH_ANSWER_TALLY,
	BENCH_ANSWER_LATENCY, /* histogram: published to received */
	BENCH_ANSWER_CONNECT, /* histogram: connect(2) to established */
	BENCH_ANSWER_REACH,   /* for each event how many have it, and when the last got it */
	BENCH_ANSWER_DONE,
};

/* Counts since the process began, but for `open`. */
struct bench_tally {
	uint64_t received;  /* events, each once */
	uint64_t open;      /* clients established now */
	uint64_t connects;  /* times one was */
	uint64_t lost;      /* events jumped over, without a word, and not seen since */
	uint64_t declared;  /* events jumped over, behind a gap that was told */
	uint64_t late;      /* events that came after a later one */
	uint64_t twice;     /* events that came again */
	uint64_t damaged;   /* events whose bytes are not what was published */
	uint64_t foreign;   /* events of a channel that was not asked for */
	uint64_t gaps;      /* gaps told */
	uint64_t refused;   /* answers other than a stream */
	uint64_t cut;       /* connections ended by the server after they were established */
	uint64_t failed;    /* connects that failed */
	uint64_t malformed; /* connections given up, because what came is not of the protocol */
	uint64_t bytes;     /* received */
	uint64_t cpu_ns;    /* of this process */
	uint64_t last_ns;   /* when the last event came */
	uint64_t opened_ns; /* when the last client was established */
	uint32_t status;    /* of the last refusal */
	uint32_t error;     /* errno of the last failure */
};

#define BENCH_REACH_ENTRIES 1024

struct bench_reach {
	uint32_t count; /* clients that have the event */
	uint32_t padding;
	uint64_t last_ns; /* when the last of them got it */
};

struct bench_answer {
	uint32_t kind;
	uint32_t count; /* REACH: entries */
	uint32_t first; /* REACH: number of the first event */
	uint32_t padding;
	union {
		struct bench_tally tally;
		struct bench_histogram histogram;
		struct bench_reach reach[BENCH_REACH_ENTRIES];
	};
};

#endif
