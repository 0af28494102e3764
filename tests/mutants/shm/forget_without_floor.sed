# Whoever stands on a forgotten record reads on.
# file: shm/ring_write.c
# fails: ring_oracle_test ring_test
/^ring_write_forget(/,/^}/s/^		index_forget(entry.*$/		;/
