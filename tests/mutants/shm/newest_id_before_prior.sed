# A reader finds the id of an event that is not published yet, and tells a gap of it.
# file: shm/index.c
# fails: ring_adopt
/^index_advance(/,/^}/{
/^	if (newest != 0/i\	atomic_store_explicit(&entry->newest_id, id, memory_order_release);
/^	atomic_store_explicit(&entry->newest_id, id/d
}
