# A deletion that was lapped is told as a lost event.
# file: shm/ring_write.c
# fails: ring_test
/^advance_index(/,/^}/s/(h->flags & RECORD_FORGET) ? t->prev_id : h->id/h->id/
