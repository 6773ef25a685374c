/*
 * input - our stdin on its way to a handler's
 *
 * At most INPUT_WINDOW bytes are read ahead of what the handler's pipe has
 * taken: they are what can be sent again when the hub or the agent says
 * that it wants them from an earlier offset on.
 */
#ifndef EWS_EWSCTL_INPUT_H
#define EWS_EWSCTL_INPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/ctl.h"
#include "lib/err.h"

enum { INPUT_WINDOW = 256 * 1024, INPUT_CHUNK = 32 * 1024 };

struct input;

/* 'joins': the command has a life before us, so our first byte stands where
 * the handler is; else at offset 0, and what it has already is skipped. */
struct input *input_new(bool joins);
void input_free(struct input *);

/* A record with "input": what the handler took, and from where it wants
 * more. False with err if that is no longer to be had. */
bool input_told(struct input *, const json_t *record, struct err *);
/* The hub is gone; nothing is sent until the next record. */
void input_pause(struct input *);
/* Nobody reads it any more: that is no error. */
void input_close(struct input *);

/* Has the handler all it will get of us? */
bool input_over(const struct input *);

/* Is there room to read from stdin? */
bool input_wants(const struct input *);
/* It is readable. False with err. */
bool input_read(struct input *, struct err *);
/* Sends what may go. False with err. */
bool
input_send(struct input *, struct ctl *, const char *command_id, struct err *);

#endif
