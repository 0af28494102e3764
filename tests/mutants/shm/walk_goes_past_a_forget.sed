# Deleted history is delivered.
# file: shm/ring_seek.c
# fails: ring_oracle_test ring_test
/^walk(/,/^}/{
s/ || s->back <= s->floor)$/)/
s/^	if (result == RING_LAPPED || .*$/	if (result == RING_LAPPED)/
}
