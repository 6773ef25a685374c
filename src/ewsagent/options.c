#include "ewsagent/options.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ewsagent/handlers.h"
#include "ewsagent/handlers_conf.h"
#include "ewsagent/run.h"
#include "lib/exit.h"
#include "lib/mem.h"
#include "lib/port.h"
#include "lib/str.h"

enum { WINDOW = 256 };

/* Half of what we take: after a lost link the hub does not know what we have
 * already, and gives us as many again. */
static int
window_of(const struct conf *c)
{
	int slots = (int)conf_int(c, SET_concurrency);
	int half = ((int)conf_int(c, SET_queue) + slots) / 2;
	int window = half < WINDOW + slots ? half : WINDOW + slots;

	return window > slots ? window : slots;
}

/* For a user, the directory that ewsd uses, too. */
static bool
base_dir(char out[PATH_SIZE], const struct conf *c, struct err *err)
{
	const char *dir = conf_str(c, SET_state_dir);

	if (dir == NULL)
		return path_state(out, "ews", err);
	if (str_copy(out, PATH_SIZE, dir))
		return true;
	err_set(err, EXIT_CONFIG, "config", "state-dir: the path is too long");
	return false;
}

static bool
is_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* That of the user, if it is there; else that of the machine. */
static bool
find_handlers(char out[PATH_SIZE], const struct conf *c, struct err *err)
{
	const char *set = conf_str(c, SET_handlers);
	const char *xdg = getenv("XDG_CONFIG_HOME");
	const char *home = getenv("HOME");
	char dir[PATH_SIZE] = "";

	if (set != NULL) {
		if (str_copy(out, PATH_SIZE, set))
			return true;
		err_set(err, EXIT_CONFIG, "config",
		    "handlers: the path is too long");
		return false;
	}
	if (xdg != NULL && xdg[0] == '/')
		path_join(dir, xdg, "ews/handlers", NULL);
	else if (home != NULL && home[0] == '/')
		path_join(dir, home, ".config/ews/handlers", NULL);
	return str_copy(
	    out, PATH_SIZE, is_dir(dir) ? dir : "/etc/ews/handlers");
}

/* The one that runs reads it itself; this is for --check-config. */
static bool
check_handlers_conf(const struct options *o, struct err *err)
{
	const char *set = conf_str(o->conf, SET_handlers_conf);
	struct handlers_conf *conf;
	char dir[PATH_SIZE], path[PATH_SIZE];

	if (!handlers_dir(dir, o->handlers, err) ||
	    !path_join(path, dir, "handlers.conf", err))
		return false;
	conf =
	    handlers_conf_load(set != NULL ? set : path, set == NULL, dir, err);
	handlers_conf_free(conf);
	return conf != NULL;
}

static bool
runtime_dir(char out[PATH_SIZE], const struct options *o, struct err *err)
{
	const char *set = conf_str(o->conf, SET_runtime_dir);

	if (set == NULL)
		return path_runtime(out, o->base_dir, true, err);
	if (!str_copy(out, PATH_SIZE, set)) {
		err_set(err, EXIT_CONFIG, "config",
		    "runtime-dir: the path is too long");
		return false;
	}
	return is_dir(out) || path_private_dir(out, err);
}

bool
options_make_dirs(struct options *o, struct err *err)
{
	const char *set = conf_str(o->conf, SET_socket);
	char dir[PATH_SIZE];

	if (!path_private_dir(o->state_dir, err))
		return false;
	if (set == NULL)
		return runtime_dir(dir, o, err) &&
		       path_join(o->socket, dir, "ewsagent.sock", err);
	if (str_copy(o->socket, PATH_SIZE, set))
		return true;
	err_set(err, EXIT_CONFIG, "config", "socket: the path is too long");
	return false;
}

/* A hub on this machine made its secret itself, at its first start. */
static bool
secret_file(char out[PATH_SIZE], const struct options *o, struct err *err)
{
	const char *set = conf_str(o->conf, SET_secret_file);
	char state[PATH_SIZE], other[PATH_SIZE];

	out[0] = '\0';
	if (set != NULL) {
		if (str_copy(out, PATH_SIZE, set))
			return true;
		err_set(err, EXIT_CONFIG, "config",
		    "secret-file: the path is too long");
		return false;
	}
	if (!o->hub.loopback)
		return true;
	if (!path_join(out, o->base_dir, "secret", err))
		return false;
	if (access(out, F_OK) == -1 && path_state(state, "ewsd", NULL) &&
	    path_join(other, state, "secret", NULL) && access(other, F_OK) == 0)
		str_copy(out, PATH_SIZE, other);
	return true;
}

static bool
make_token(struct options *o, struct err *err)
{
	char file[PATH_SIZE];
	struct token_config c = {
		.secret = conf_str(o->conf, SET_secret),
		.hmac = str_eq(conf_str(o->conf, SET_token_form), "hmac"),
		.id = o->self.id,
		.phone = conf_str(o->conf, SET_phone),
		.clock = &clock_system,
	};

	if (c.hmac && (c.phone == NULL || strlen(c.phone) > 32 ||
			  strchr(c.phone, ':') != NULL)) {
		err_set(err, EXIT_CONFIG, "config",
		    "token-form hmac needs --phone NUMBER (or USER_PHONE)");
		return false;
	}
	if (c.secret != NULL && c.secret[0] == '\0')
		c.secret = NULL; /* set and empty is not set */
	if (!secret_file(file, o, err))
		return false;
	c.file = file[0] != '\0' ? file : NULL;
	if (c.file != NULL && conf_str(o->conf, SET_secret_file) == NULL &&
	    c.secret == NULL && access(c.file, F_OK) == -1) {
		err_set(err, EXIT_CONFIG, "config",
		    "no secret: set EDGE_SECRET or --secret-file FILE (a hub"
		    " on this machine would have made %s)",
		    file);
		return false;
	}
	o->token = token_new(&c, err);
	return o->token != NULL;
}

static void
read_tags(struct options *o)
{
	o->self.tags = json_array();
	for (size_t i = 0; i < conf_count(o->conf, SET_tags); i++) {
		const char *tag = conf_item(o->conf, SET_tags, i);

		if (str_utf8(tag, strlen(tag), false))
			json_array_append_new(o->self.tags, json_string(tag));
	}
}

static bool
may_be_plain(const struct options *o, struct err *err)
{
	if (o->hub.tls || o->hub.loopback || conf_bool(o->conf, SET_insecure))
		return true;
	err_set(err, EXIT_CONFIG, "config",
	    "the secret would cross the network unencrypted to %s: use"
	    " https:// (or --insecure inside a VPN)",
	    o->hub.base);
	return false;
}

static bool
proxy_ok(const struct conf *c, struct err *err)
{
	const char *proxy = conf_str(c, SET_proxy);

	if (proxy == NULL || strpbrk(proxy, "/@ ") == NULL)
		return true;
	err_set(err, EXIT_CONFIG, "config",
	    "proxy: HOST:PORT of an HTTP proxy, without http:// or a user");
	return false;
}

static bool
work_out(struct options *o, struct err *err)
{
	const struct conf *c = o->conf;

	return self_name(&o->self, conf_str(c, SET_id), err) &&
	       hub_url_init(&o->hub, conf_str(c, SET_hub), o->self.id, err) &&
	       may_be_plain(o, err) && proxy_ok(c, err) &&
	       base_dir(o->base_dir, c, err) &&
	       path_join(o->state_dir, o->base_dir, "agent", err) &&
	       find_handlers(o->handlers, c, err) &&
	       runs_shim_path(o->shim, conf_str(c, SET_shim), err) &&
	       check_handlers_conf(o, err) && make_token(o, err);
}

bool
options_init(struct options *o, const struct conf *conf, struct err *err)
{
	memset(o, 0, sizeof *o);
	o->conf = conf;
	o->self.concurrency = (unsigned)conf_int(conf, SET_concurrency);
	o->self.window = window_of(conf);
	if (!port_boot_id(o->self.boot))
		o->self.boot[0] = '\0';
	read_tags(o);
	if (work_out(o, err))
		return true;
	options_fini(o);
	return false;
}

void
options_fini(struct options *o)
{
	self_fini(&o->self);
	hub_url_fini(&o->hub);
	token_free(o->token);
	o->token = NULL;
}
