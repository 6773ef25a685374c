/*
 * later_text - schedules, dead commands, tags and "why", for people
 */
#ifndef EWS_EWSCTL_LATER_TEXT_H
#define EWS_EWSCTL_LATER_TEXT_H

#include <jansson.h>

void text_schedules(const json_t *);
void text_planned(const json_t *);
void text_dead(const json_t *);
void text_requeued(const json_t *);
void text_dropped(const json_t *);
void text_tagged(const json_t *);
void text_waited(const json_t *);
void text_why(const json_t *);

/* A stranger's text, which may not drive the terminal: "-" if there is
 * none; good for seven more calls. */
const char *text_cell(const json_t *object, const char *key);

#endif
