# Ids go back with the clock.
# file: shm/ring_write.c
# fails: ring_test
/^next_id(/,/^}/s/^	return .*$/	(void)w;\n	return by_time;/
