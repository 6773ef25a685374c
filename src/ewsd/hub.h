/*
 * hub - assembles loop, store, core and doors; starts, reloads, stops
 */
#ifndef EWS_EWSD_HUB_H
#define EWS_EWSD_HUB_H

#include <stdbool.h>

#include "lib/conf.h"
#include "lib/err.h"

struct hub;

/* Opens the store, then listens: serving once hub_run is called. NULL with
 * err. 'conf' is lent for the life of the hub. */
struct hub *hub_new(const struct conf *, struct err *);
/* Until SIGTERM or SIGINT, and then until all is said (DESIGN 11.7). */
void hub_run(struct hub *);
void hub_free(struct hub *);

/* The same judgement of settings and files without starting anything. */
bool hub_check(const struct conf *, struct err *);

#endif
