#include "ewsd/core/client.h"

#include <stdlib.h>

#include "ewsd/core/core_priv.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/str.h"

struct client *
client_new(struct core *core, const struct door *door, void *conn,
    const struct outq_config *out, const char *address)
{
	struct client *c = mem_alloc(sizeof *c);

	c->core = core;
	c->id = ++core->last_client;
	c->state = CLIENT_OPEN;
	c->door = door;
	c->conn = conn;
	c->slow_code = CLOSE_LATER;
	str_copy(c->address, sizeof c->address, address);
	outq_init(&c->out, out, c);
	HASH_ADD(hh, core->clients, id, sizeof c->id, c);
	core->stats.connections = HASH_COUNT(core->clients);
	return c;
}

struct client *
client_find(struct core *core, uint64_t id)
{
	struct client *c;

	HASH_FIND(hh, core->clients, &id, sizeof id, c);
	return c;
}

bool
client_send(
    struct client *c, struct frame *f, enum outq_lane lane, uint64_t tag)
{
	if (c->state == CLIENT_CLOSING)
		return false;
	if (!outq_put(&c->out, f, lane, tag)) {
		c->core->stats.slow_readers++;
		client_close(c, c->slow_code, "reads too slowly");
		return false;
	}
	c->door->want_write(c->conn);
	return true;
}

void
client_close(struct client *c, int code, const char *why)
{
	if (c->state == CLIENT_CLOSING)
		return;
	c->state = CLIENT_CLOSING;
	log_debug(
	    "%s %s: closing (%d %s)", c->door->name, c->address, code, why);
	c->door->want_close(c->conn, code, why);
}

void
client_gone(struct client *c)
{
	c->state = CLIENT_CLOSING; /* nothing more goes in */
	HASH_DELETE(hh, c->core->clients, c);
	c->core->stats.connections = HASH_COUNT(c->core->clients);
	outq_fini(&c->out);
	free(c);
}

unsigned
client_count(const struct core *core)
{
	return HASH_COUNT(core->clients);
}
