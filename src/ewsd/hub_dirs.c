/*
 * hub_dirs - where the hub keeps its things
 */
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ewsd/hub_priv.h"
#include "ewsd/settings.h"
#include "lib/buf.h"
#include "lib/exit.h"
#include "lib/str.h"

static bool
copy_path(char out[PATH_SIZE], const char *from, struct err *err)
{
	if (str_copy(out, PATH_SIZE, from))
		return true;
	err_set(err, EXIT_CONFIG, "config", "path too long: %.60s...", from);
	return false;
}

static bool
find_state(struct hub *h, struct err *err)
{
	const char *set = conf_str(h->conf, SET_state_dir);

	if (set != NULL ? !copy_path(h->state_dir, set, err)
			: !path_state(h->state_dir, "ewsd", err))
		return false;
	return path_private_dir(h->state_dir, err);
}

static bool
find_runtime(struct hub *h, struct err *err)
{
	const char *set = conf_str(h->conf, SET_runtime_dir);

	if (set == NULL)
		return path_runtime(h->runtime_dir, h->state_dir, true, err);
	return copy_path(h->runtime_dir, set, err) &&
	       path_private_dir(h->runtime_dir, err);
}

bool
hub_find_dirs(struct hub *h, struct err *err)
{
	const char *set = conf_str(h->conf, SET_socket);

	if (!find_state(h, err) || !find_runtime(h, err))
		return false;
	if (set != NULL
		? !copy_path(h->socket, set, err)
		: !path_join(h->socket, h->runtime_dir, "ewsd.sock", err))
		return false;
	return path_join(h->port_file, h->runtime_dir, "ewsd.port", err);
}

bool
hub_control_group(const struct conf *conf, gid_t *gid, struct err *err)
{
	const char *name = conf_str(conf, SET_socket_group);
	const struct group *g;
	uint64_t number;

	*gid = (gid_t)-1;
	if (name == NULL)
		return true;
	g = getgrnam(name);
	if (g != NULL) {
		*gid = g->gr_gid;
		return true;
	}
	if (str_u64(name, 0, INT32_MAX, &number)) {
		*gid = (gid_t)number;
		return true;
	}
	err_set(err, EXIT_CONFIG, "config", "socket-group: no group %s", name);
	return false;
}

bool
hub_write_ports(struct hub *h, struct err *err)
{
	json_t *names = door_net_names(h->net), *name;
	struct buf b;
	size_t i;
	bool ok;

	buf_init(&b, 64 * 1024);
	json_array_foreach(names, i, name)
	    buf_printf(&b, "%s\n", json_string_value(name));
	json_decref(names);
	ok = path_write(
	    h->port_file, b.len > 0 ? b.bytes : "", b.len, 0644, err);
	h->port_written = ok;
	buf_fini(&b);
	return ok;
}

void
hub_remove_ports(struct hub *h)
{
	if (h->port_written)
		unlink(h->port_file);
	h->port_written = false;
}
