/*
 * seam.h: included before the writer's sources when they are compiled for ring_adopt.c: calls the test after each store.
 */
#ifndef TESTS_SEAM_H
#define TESTS_SEAM_H

#include <stdatomic.h>

void seam_stored(void);

#undef atomic_store_explicit
#define atomic_store_explicit(object, value, order)                                                \
	((void)atomic_exchange_explicit(object, value, order), seam_stored())

#endif
