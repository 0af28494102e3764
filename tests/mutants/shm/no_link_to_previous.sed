# A reader at the record before never learns of this one.
# file: shm/ring_write.c
# fails: ring_oracle_test
/^write_record(/,/^}/s/^		link_previous(w, &targets\[i\], h->position);$/		;/
