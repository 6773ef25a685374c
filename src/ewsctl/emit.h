/*
 * emit - bytes to stdout and stderr, without being deaf meanwhile
 *
 * A reader that stands still, such as a pager, may hold a write up for
 * hours: a signal is told at once all the same.
 */
#ifndef EWS_EWSCTL_EMIT_H
#define EWS_EWSCTL_EMIT_H

#include <stdbool.h>
#include <stddef.h>

/* A signal came (signals_next has it). False: give the write up. */
typedef bool emit_signal_fn(void *arg);
void emit_watch(emit_signal_fn *, void *arg);

/* Waits until the descriptor takes PIPE_BUF bytes, at most 'ms' between two
 * signals (-1: for ever). False: it does not, or a signal said so. */
bool emit_room(int fd, int ms);
/* All of it, behind what stdio still holds. A reader that has left is no
 * failure; others are kept for emit_failed. */
void emit(int fd, const void *bytes, size_t len);
/* The errno of a write to stdout that failed, or 0. */
int emit_failed(void);

#endif
