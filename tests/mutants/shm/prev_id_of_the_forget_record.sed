# A false alarm for those who had everything that was deleted.
# file: shm/ring_write.c
# fails: ring_test
/^find_targets(/,/^}/s/^		if (link.flags & RECORD_FORGET)$/		if (false)/
