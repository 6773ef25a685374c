/*
 * line - cuts a stream of bytes into lines
 *
 * A line over the limit is an error, never a shortened line, so that a
 * hostile writer can make us neither grow nor guess.
 */
#ifndef EWS_LIB_LINE_H
#define EWS_LIB_LINE_H

#include <stdbool.h>
#include <stddef.h>

struct line;

/* 'text' is one line without its newline, lent for this call only.
 * Return false to stop; the callback may then have freed the line. */
typedef bool line_fn(void *arg, char *text, size_t len);

struct line *line_new(size_t max, line_fn *, void *arg);
void line_free(struct line *);

/* False if a line passed 'max' or the callback stopped: the stream is
 * over, and the caller closes it. */
bool line_feed(struct line *, const char *bytes, size_t len);
size_t line_pending(const struct line *); /* bytes of an unended line */

#endif
