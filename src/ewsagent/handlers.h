/*
 * handlers - the programs that commands may run
 *
 * A handler is an executable in the handlers directory, named after the
 * command type. Who could change such a file could run anything as us, so
 * each is judged before each start (ABUSE 64, 71): a regular file, of ours
 * or root's, not writable by group or others, neither set-uid nor set-gid;
 * and the same of the directory. Nothing is followed out of it.
 *
 * NAME.probe tells whether NAME did its work (handlers_conf.h); no command
 * can run it.
 */
#ifndef EWS_EWSAGENT_HANDLERS_H
#define EWS_EWSAGENT_HANDLERS_H

#include <jansson.h>

#include "lib/err.h"
#include "lib/path.h"

#define HANDLERS_PROBE ".probe"

enum handler_verdict {
	HANDLER_OK,
	HANDLER_NONE, /* there is none of that name: no_handler */
	HANDLER_REFUSED, /* there is one, and it may not run: not_allowed */
	HANDLER_LATER /* too few descriptors to tell: ask again */
};

/* The absolute path of the directory, links resolved; one that is absent
 * yet is fine. False with err. */
bool handlers_dir(char out[PATH_SIZE], const char *dir, struct err *);

/* Fills 'path' if HANDLER_OK, else 'err' has the sentence. */
enum handler_verdict handlers_find(
    const char *dir, const char *type, char path[PATH_SIZE], struct err *);

/* The same for its probe. */
enum handler_verdict handlers_find_probe(
    const char *dir, const char *type, char path[PATH_SIZE], struct err *);

/* The names that may run, sorted, probes not among them; gives an array of
 * at most HANDLERS_LIST_MAX strings. */
enum { HANDLERS_LIST_MAX = 1000 };
json_t *handlers_list(const char *dir);

#endif
