# An event that came during the search is passed over.
# file: shm/ring_seek.c
# fails: ring_adopt ring_stress
/^begin(/,/^}/{
s/^	s->settled = ring_last_id(s->ring);$//
s/^	if (result == RING_CORRUPT)$/	s->settled = ring_last_id(s->ring);\n&/
}
