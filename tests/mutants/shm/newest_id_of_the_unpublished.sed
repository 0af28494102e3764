# Within a batch, or an append, the id of what is not published yet is told as lost.
# file: shm/index.c
# fails: ring_test ring_adopt
/^newest_event(/,/^}/s/^	return .*$/	(void)published;\n	return seen->newest_id;/
