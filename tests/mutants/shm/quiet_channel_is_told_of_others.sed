# A channel that was merely quiet is told of what was lost of others.
# file: shm/index.c
# fails: ring_test
/^examine(/,/^}/s/^		found->lost_id = newest_event(.*$/		found->lost_id = ring_lost_id(r);/
