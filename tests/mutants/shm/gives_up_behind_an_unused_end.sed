# The first record of a lap is given up together with the unused end before it.
# file: shm/ring_write.c
# fails: ring_test
/^give_up_oldest(/,/^}/s/^	if (position >= floor) {$/	if (position >= floor \&\& false) {/
