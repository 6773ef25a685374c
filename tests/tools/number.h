/*
 * number - arguments of a test program; a wrong one ends it with status 2
 */
#ifndef TOOLS_NUMBER_H
#define TOOLS_NUMBER_H

#include "bytes.h"

long number(const char *text, long min, long max);

/* Appends the octets that pairs of hex digits stand for; blanks may separate
 * them. */
void unhex(const char *text, struct bytes *);

#endif
