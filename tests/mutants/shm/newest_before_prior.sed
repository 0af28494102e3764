# For a moment both are unpublished, or one is stale.
# file: shm/index.c
# fails: ring_adopt ring_stress
/^index_advance(/,/^}/{
/^	if (newest != 0/i\	atomic_store_explicit(&entry->newest, position, memory_order_release);
/^	atomic_store_explicit(&entry->newest, position/d
}
