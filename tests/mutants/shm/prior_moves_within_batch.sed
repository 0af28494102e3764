# Within a batch readers lose what was published before it.
# file: shm/index.c
# fails: ring_oracle_test
/^index_advance(/,/^}/s/^	if (newest != 0 && newest < published) {$/	(void)published;\n	if (newest != 0) {/
