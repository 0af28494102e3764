# Links to a record that this very append overwrites.
# file: shm/ring_write.c
# fails: ring_oracle_test
/^write_record(/,/^}/{
s/^	raise_intent(w, h->position + h->length);$/	find_targets(w, e, targets);/
t
s/^	find_targets(w, e, targets);$/	raise_intent(w, h->position + h->length);/
}
