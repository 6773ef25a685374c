/*
 * listen_spec - what --listen says: "HOST:PORT[,dialect=NAME][,tls]"
 *
 * HOST is a name, an address, or "[address]" for IPv6; a bare PORT is on
 * 127.0.0.1, port 0 takes any.
 */
#ifndef EWS_EWSD_LISTEN_SPEC_H
#define EWS_EWSD_LISTEN_SPEC_H

#include <stdbool.h>

#include "lib/conf.h"
#include "lib/err.h"

struct listen_spec {
	char text[512]; /* what the pointers point into */
	char *host, *dialect; /* dialect: NULL if none was named */
	int port;
	bool tls;
};

/* False with err (EXIT_CONFIG): also when it asks for TLS and the settings
 * name no certificate and key. */
bool listen_spec_read(
    struct listen_spec *, const char *spec, const struct conf *, struct err *);
bool listen_spec_loopback(const struct listen_spec *);
/* Sets err to "listen SPEC: WHY"; false, to be returned. */
bool listen_spec_bad(const char *spec, const char *why, struct err *);

#endif
