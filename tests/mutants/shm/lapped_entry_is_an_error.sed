# A channel that was merely quiet takes the worker down.
# file: shm/index.c
# fails: ring_oracle_test
/^examine(/,/^}/s/^	if (result == RING_LAPPED) {$/	if (result == RING_LAPPED)\n		return RING_CORRUPT;\n	if (result == RING_MORE) {/
