# A batch laps its own unpublished records.
# file: shm/ring_write.c
# fails: ring_oracle_test ring_test
/^append(/,/^}/s/ > w->ring.size \/ 2)$/ > w->ring.size)/
