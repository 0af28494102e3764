# The writer may come after the look and before the copy.
# file: shm/ring_read.c
# fails: ring_adopt ring_stress
/^copy_rest(/,/^}/{
/^	if (!ring_read_kept/,/^		return RING_LAPPED;$/d
s/^	memcpy(buffer, header, sizeof \*header);$/	if (!ring_read_kept(r, header->position))\n		return RING_LAPPED;\n&/
}
