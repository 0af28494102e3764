# Readers are let in before the record is there.
# file: shm/ring_write.c
# fails: ring_oracle_test ring_stress
/^write_record(/,/^}/s/^	raise_intent(w, h->position + h->length);$/&\n	atomic_store_explicit(\&w->ring.words->tail, h->position + h->length, memory_order_seq_cst);/
