/*
 * console.h: the page at "/", embedded: worker/console.html as an array of bytes that the makefile generates.
 */
#ifndef WORKER_CONSOLE_H
#define WORKER_CONSOLE_H

#include <stddef.h>

extern const unsigned char console_page[];
extern const size_t console_page_len;

#endif
