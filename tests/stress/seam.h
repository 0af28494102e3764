/*
 * seam.h: included before the ring's sources when they are compiled for ring_adopt.c: calls the
 * test after each atomic store and before each atomic load.
 */
#ifndef TESTS_SEAM_H
#define TESTS_SEAM_H

#include <stdatomic.h>

void seam_stored(void);
void seam_loading(void);

#undef atomic_store_explicit
#define atomic_store_explicit(object, value, order) \
	((void)atomic_exchange_explicit(object, value, order), seam_stored())

#undef atomic_load_explicit
#ifdef __clang__
#define atomic_load_explicit(object, order) (seam_loading(), __c11_atomic_load(object, order))
#else
#define atomic_load_explicit(object, order) (seam_loading(), __atomic_load_n(object, order))
#endif

#endif
