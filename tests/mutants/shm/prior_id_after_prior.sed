# For a moment prior has the id of the event before it.
# file: shm/index.c
# fails: ring_adopt
/^index_advance(/,/^}/{
/^		atomic_store_explicit(&entry->prior_id/d
/^		atomic_store_explicit(&entry->prior,/a\		atomic_store_explicit(&entry->prior_id, newest_id, memory_order_release);
}
