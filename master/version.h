/*
 * version.h: the version that all programs of this tree report.
 */
#ifndef MASTER_VERSION_H
#define MASTER_VERSION_H

#define VERSION_TEXT "0.1.0"

#endif
