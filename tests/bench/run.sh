#!/bin/sh
# Fan-out of one channel for SSE and WebSocket, each N beside the floor in the same run. See README.md here.
#
#   RINGCAST_BIN=build/release sh tests/bench/run.sh [N...]        default 1000 10000 100000
#
# SIZE, ROUNDS, SECONDS_LOAD and TRANSPORTS in the environment change the rest; BESIDE=epoll adds a second server whose
# workers use epoll, in the same rounds. The tables go to standard output, the
# JSON lines to $RINGCAST_BIN/bench.jsonl.
set -eu
bin=${RINGCAST_BIN:-build/release}
size=${SIZE:-128}
rounds=${ROUNDS:-15}
seconds=${SECONDS_LOAD:-10}
lines=$bin/bench.jsonl
: >"$lines"
[ $# -gt 0 ] || set -- 1000 10000 100000
for clients; do
	# About 20,000 deliveries a second: well below saturation, so that latency is not queueing.
	rate=$(awk "BEGIN { print 20000 / $clients }")
	duration=$seconds
	if [ "$clients" -gt 50000 ]; then
		duration=$((seconds * 3))
	fi
	for transport in ${TRANSPORTS:-sse ws}; do
		RINGCAST_BIN=$bin "$bin/tests/bench/fanout" --transport "$transport" --clients "$clients" \
			--size "$size" --rate "$rate" --seconds "$duration" --rounds "$rounds" \
			${BESIDE:+--io io_uring --beside "$BESIDE"} >"$lines.part" || {
			cat "$lines.part"
			rm -f "$lines.part"
			exit 1
		}
		grep '^{' "$lines.part" >>"$lines" || true
		grep -v -e '^{' -e '^ok' "$lines.part" || true
		rm -f "$lines.part"
	done
done
