# Passed over once, never rung again.
# file: shm/doorbell.c
# fails: board_test doorbell_stress
/^doorbell_ring(/,/^}/s/^		if (!cares(b, batch, tail, lag_max))$/		if (!cares(b, batch, tail, lag_max) \&\& atomic_exchange_explicit(\&b->shared->asleep, 0, memory_order_seq_cst) < 2)/
