# A writer that dies between the two leaves a loss that nobody will be told of.
# file: shm/ring_write.c
# fails: ring_adopt
/^give_up_below(/,/^}/s/^	atomic_store_explicit(&words->lost_id, w->lost_id, memory_order_release);$//
/^raise_intent(/,/^}/s/^	atomic_store_explicit(&w->ring.words->intent, end, memory_order_release);$/&\n	atomic_store_explicit(\&w->ring.words->lost_id, w->lost_id, memory_order_release);/
