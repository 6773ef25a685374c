/*
 * output - how answers are shown: text for people, or JSON lines
 *
 * Every function writes to stdout and flushes; the JSON objects are the
 * results of the operations (ews-protocol(7)), lent.
 */
#ifndef EWS_EWSCTL_OUTPUT_H
#define EWS_EWSCTL_OUTPUT_H

#include <jansson.h>

struct output {
	void (*receipt)(const json_t *); /* of send */
	void (*ended)(const json_t *); /* of run */
	void (*record)(const json_t *); /* a step or a piece of output */
	void (*agents)(const json_t *);
	void (*agent)(const json_t *);
	void (*commands)(const json_t *);
	void (*command)(const json_t *);
	void (*cancel)(const json_t *);
	void (*config)(const json_t *);
	void (*object)(const json_t *); /* stats, status, ping */
	void (*failed)(const json_t *); /* one line of many failed */
	void (*jobs)(const json_t *); /* and their runs */
	void (*schedules)(const json_t *);
	void (*schedule)(const json_t *);
	void (*planned)(const json_t *); /* one was changed: "answer" */
	void (*dead)(const json_t *);
	void (*requeued)(const json_t *);
	void (*dropped)(const json_t *);
	void (*tagged)(const json_t *); /* the agent */
	void (*waited)(const json_t *); /* an agent or a command */
	void (*why)(const json_t *); /* why.h */
};

extern const struct output output_text, output_json;

/* Puts `jq EXPR` behind our stdout. False with err. */
#include "lib/err.h"
bool jq_start(const char *expr, struct err *);
/* Ends the output and waits for jq; the exit status, 'status' if jq had
 * nothing against it. */
int jq_end(int status);

#endif
