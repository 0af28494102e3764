# What was told as lost comes back.
# file: shm/ring_adopt.c
# fails: ring_adopt
/^ring_adopt(/,/^}/s/^	if (w->intent < w->oldest + w->ring.size) {$/	if (false) {/
