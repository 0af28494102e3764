# A false alarm for whoever had the event before.
# file: shm/ring_seek.c
# fails: ring_oracle_test
/^finish_here(/,/^}/s/s->prev_id > s->cursor/s->prev_id >= s->cursor/
