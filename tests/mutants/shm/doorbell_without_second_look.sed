# News that came on the way to sleep is slept through.
# file: shm/doorbell.c
# fails: board_test doorbell_stress
/^doorbell_sleep(/,/^}/s/ == position)$/ != 0)/
