/*
 * door_unix - the control socket of the hub
 */
#ifndef EWS_EWSD_DOOR_UNIX_H
#define EWS_EWSD_DOOR_UNIX_H

#include <stddef.h>
#include <sys/types.h>

#include "ewsd/core/core.h"
#include "ewsd/dialect/ctl.h"
#include "lib/err.h"
#include "net/loop.h"

struct door_unix;

struct door_unix_config {
	struct loop *loop;
	struct core *core;
	struct ctl_dialect *ctl; /* all lent for the life of the door */
	const char *path;
	gid_t group; /* that may connect, too; (gid_t)-1: none */
	size_t max_line, queue_bytes;
	unsigned max_conns, max_requests;
};

/* Listens. NULL with err. */
struct door_unix *door_unix_new(const struct door_unix_config *, struct err *);
void door_unix_stop_listening(struct door_unix *);
/* Connections end once what is queued has been read, within a second. */
void door_unix_goodbye(struct door_unix *);
unsigned door_unix_live(const struct door_unix *);
/* Closes what is left; run the loop once afterwards. Before core_free. */
void door_unix_free(struct door_unix *);

#endif
