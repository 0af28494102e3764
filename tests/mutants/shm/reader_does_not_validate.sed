# What was overwritten meanwhile is believed, or called damage.
# file: shm/ring_read.c
# fails: ring_oracle_test ring_stress
/^ring_read_kept(/,/^}/s/^	return .*$/	return position != 0 || intent != 0;/
