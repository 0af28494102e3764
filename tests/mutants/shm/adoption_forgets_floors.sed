# Deleted history is read on after a crash.
# file: shm/ring_adopt.c
# fails: ring_adopt
/^scan(/,/^}/s/^			restore_floor(w, &record);$/			(void)restore_floor;/
