/*
 * why - one timeline and one sentence about a command, an agent, a schedule
 *
 * The object that both outputs show: what ("command", "agent" or
 * "schedule"), that object, timeline (at, ago_ms, since_ms, step, text), now (sentences), and
 * do (advice), each in the order of time or of weight.
 */
#ifndef EWS_EWSCTL_WHY_H
#define EWS_EWSCTL_WHY_H

#include "ewsctl/ask.h"

/* Take the hub's object; give what is shown. */
json_t *why_command(struct ask *, json_t *command);
json_t *why_agent(json_t *log);
json_t *why_schedule(json_t *schedule);

/* ---- between why_command.c, why_agent.c and why_schedule.c ---- */

enum { WHY_TEXT = 512 };
/* A line of the timeline; 'before' is the time of the one above, 0: none;
 * gives the time of this one. */
int64_t why_line(json_t *timeline, const char *at, const char *step,
    const char *text, int64_t before);
void why_say(json_t *list, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* "4 min", since a time of the hub; "some time" if it is none. */
const char *why_ago(const json_t *object, const char *key);
/* Has it ever been there? An agent that was only sent to has not. */
bool why_seen(const json_t *agent);
int64_t why_ms(const json_t *object, const char *key); /* 0: none */

#endif
