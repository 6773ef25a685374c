/*
 * utf8 - is it?
 */
#ifndef TOOLS_UTF8_H
#define TOOLS_UTF8_H

#include <stdbool.h>
#include <stddef.h>

bool utf8_ok(const char *, size_t);

#endif
