# The writer overwrites first and says so later: a reader believes torn bytes.
# file: shm/ring_write.c
# fails: ring_adopt ring_stress
/^raise_intent(/,/^}/s/^	atomic_store_explicit(&w->ring.words->intent, end, memory_order_release);$//
/^write_record(/,/^}/s/^	store_words(w, h->position, w->scratch, h->length \/ 8);$/&\n	atomic_store_explicit(\&w->ring.words->intent, w->intent, memory_order_release);/
