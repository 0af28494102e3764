# A retried publish enters twice.
# file: shm/ring_adopt.c
# fails: ring_adopt
/^scan(/,/^}/s/^		if (!remember_key(w, &record))$/		if (false \&\& !remember_key(w, \&record))/
