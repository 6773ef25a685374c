/*
 * edge_ack - acknowledgements in all their forms, made one (PROTOCOL 2.6)
 *
 * A pure function over JSON; the strings of the result are lent by it.
 */
#ifndef EWS_EWSD_EDGE_ACK_H
#define EWS_EWSD_EDGE_ACK_H

#include <jansson.h>
#include <stdbool.h>

#include "ewsd/core/command.h"

struct edge_ack {
	struct command_ack ack;
	char *detail; /* ours: what ack.detail points to */
	struct store_kept kept; /* what ack.kept points to */
	char *bytes[2]; /* ours: decoded, or NULL */
};

/* Where the fields of a message stand: under "data", under "payload", or
 * beside "type". Lent. */
const json_t *edge_fields(const json_t *message);

/* 'ours': exit codes, reasons and the tail count, too. False if there is no
 * usable command_id; else edge_ack_fini is due. A status word that nobody
 * knows makes a note. */
bool edge_ack_read(struct edge_ack *, const json_t *fields, bool ours);
void edge_ack_fini(struct edge_ack *);

/* RFC 3339 text, or Unix seconds or milliseconds; 0 if it is neither. */
int64_t edge_time(const json_t *);

#endif
