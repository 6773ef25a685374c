/*
 * loop - the one libuv loop of a process
 *
 * A turn: libuv polls, callbacks run, then the after-turn hooks run in the
 * order they were added (flush what was queued, close what must close).
 */
#ifndef EWS_NET_LOOP_H
#define EWS_NET_LOOP_H

#include <stdbool.h>
#include <uv.h>

struct loop;

typedef void loop_fn(void *arg);

struct loop *loop_new(void);
/* Runs until every handle is closed, then frees; a handle left open by its
 * owner is an error in the log, and the loop is not freed. */
void loop_free(struct loop *);
uv_loop_t *loop_uv(struct loop *);

/* Until loop_stop. */
void loop_run(struct loop *);
void loop_stop(struct loop *);

/* At the end of every turn. There are few; they live as long as the loop or
 * until dropped. */
void loop_after_turn(struct loop *, loop_fn *, void *arg);
void loop_drop_after_turn(struct loop *, loop_fn *, void *arg);
/* From a hook: makes the next turn come at once, so that all hooks run
 * again. From elsewhere: nothing, they run before the loop sleeps. */
void loop_again(struct loop *);

/* 'fn' runs in the loop soon after loop_wake was called from any thread
 * (or never, if the loop ends). */
struct loop_waker;
struct loop_waker *loop_waker_new(struct loop *, loop_fn *, void *arg);
void loop_wake(struct loop_waker *);
void loop_waker_free(struct loop_waker *);

/* SIGTERM, SIGINT, SIGHUP, ... */
typedef void loop_signal_fn(void *arg, int signal);
void loop_on_signal(struct loop *, int signal, loop_signal_fn *, void *arg);

#endif
