# A lapped channel whose entry is given away loses silently.
# file: shm/ring_write.c
# fails: ring_test
/^take_entry(/,/^}/s/^	if (gone_id > w->evicted_id) {$/	if (kept \&\& gone_id > w->evicted_id) {/
