# An id counts as published before its event is.
# file: shm/ring_write.c
# fails: ring_adopt
/^ring_write_commit(/,/^}/s/^	atomic_store_explicit(&words->issued_id, w->last_id, memory_order_release);$/&\n	atomic_store_explicit(\&words->settled_id, w->last_id, memory_order_release);/
