# A record is found before it is published.
# file: shm/index.c
# fails: ring_oracle_test
/^examine(/,/^}/s/^	published = .*$/	published = seen.newest;/
