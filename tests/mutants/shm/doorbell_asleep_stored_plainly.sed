# The second look overtakes the flag in the store buffer.
# file: shm/doorbell.c
# fails: doorbell_stress
s/^	atomic_exchange_explicit(&b->shared->asleep, 1, memory_order_seq_cst);$/	atomic_store_explicit(\&b->shared->asleep, 1, memory_order_release);/
