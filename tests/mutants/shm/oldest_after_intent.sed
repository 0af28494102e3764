# The successor would begin its scan among overwritten records.
# file: shm/ring_write.c
# fails: ring_adopt
/^give_up_below(/,/^}/s/^	atomic_store_explicit(&words->oldest, w->oldest, memory_order_release);$//
/^raise_intent(/,/^}/s/^	atomic_store_explicit(&w->ring.words->intent, end, memory_order_release);$/&\n	atomic_store_explicit(\&w->ring.words->oldest, w->oldest, memory_order_release);/
