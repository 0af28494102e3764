# A false alarm for those who had everything that was deleted.
# file: shm/ring_write.c
# fails: ring_test
/^find_targets(/,/^}/s/^		t->prev_id = .*$/		t->prev_id = link.id;/
