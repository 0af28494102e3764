# The first event after a lap does not know the one before.
# file: shm/ring_write.c
# fails: ring_test
/^find_targets(/,/^}/s/^		t->prev_id = link.id;$/		t->prev_id = result == RING_LAPPED ? w->lost_id : link.id;/
