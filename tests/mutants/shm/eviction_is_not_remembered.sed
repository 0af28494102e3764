# An evicted channel's loss is silent.
# file: shm/ring_write.c
# fails: ring_test
/^take_entry(/,/^}/s/^	if (gone_id > w->evicted_id) {$/	if (false) {/
