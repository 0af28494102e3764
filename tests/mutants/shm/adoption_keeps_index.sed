# An entry leads to a record that never was published.
# file: shm/ring_adopt.c
# fails: ring_adopt
/^repair_tables(/,/^}/s/^		index_repair(.*$/		(void)entries;/
