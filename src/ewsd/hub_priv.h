/*
 * hub_priv - what the files of the hub share
 */
#ifndef EWS_EWSD_HUB_PRIV_H
#define EWS_EWSD_HUB_PRIV_H

#include "ewsd/core/auth.h"
#include "ewsd/core/core.h"
#include "ewsd/dialect/ctl.h"
#include "ewsd/door/door_net.h"
#include "ewsd/door/door_unix.h"
#include "ewsd/hub.h"
#include "lib/path.h"
#include "net/loop.h"
#include "net/timer.h"

struct hub {
	const struct conf *conf;
	struct loop *loop;
	struct loop_waker *waker; /* the store calls */
	struct timer *tick;
	struct store *store;
	struct auth *auth;
	struct core *core;
	struct core_limits limits;
	struct ctl_dialect *ctl;
	struct door_net *net;
	struct door_unix *control;
	char state_dir[PATH_SIZE], runtime_dir[PATH_SIZE];
	char socket[PATH_SIZE], port_file[PATH_SIZE];
	bool port_written;
	int64_t stop_by; /* monotonic; 0: not stopping */
};

/* hub_dirs.c: finds and makes the directories. */
bool hub_find_dirs(struct hub *, struct err *);
bool hub_control_group(const struct conf *, gid_t *, struct err *);
/* Writes and removes ewsd.port. */
bool hub_write_ports(struct hub *, struct err *);
void hub_remove_ports(struct hub *);
/* hub_talk.c: the first words. */
void hub_announce(const struct hub *);

#endif
