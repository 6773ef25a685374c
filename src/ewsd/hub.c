#include "ewsd/hub.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "ewsd/door/listen_spec.h"
#include "ewsd/hub_priv.h"
#include "ewsd/settings.h"
#include "lib/exit.h"
#include "lib/log.h"
#include "lib/mem.h"

enum { TICK_MS = 100 };

/* ---- parts ---------------------------------------------------------------- */

static void
wake_loop(void *arg)
{
	struct hub *h = arg;

	loop_wake(h->waker);
}

static void
drain_store(void *arg)
{
	struct hub *h = arg;

	if (h->store != NULL)
		store_drain(h->store);
}

static bool
open_store(struct hub *h, struct err *err)
{
	char path[PATH_SIZE];
	struct store_config c = { .path = path,
		.max_jobs = (size_t)conf_int(h->conf, SET_store_queue),
		.wake = wake_loop,
		.arg = h };

	if (!path_join(path, h->state_dir, "ews.db", err))
		return false;
	h->store = store_open(&c, err);
	return h->store != NULL;
}

static void
read_limits(struct core_limits *l, const struct conf *c)
{
	*l = (struct core_limits){
		.payload = (size_t)conf_int(c, SET_max_payload),
		.queue_agent = (size_t)conf_int(c, SET_queue_agent),
		.queue_agent_bytes = (size_t)conf_int(c, SET_queue_agent_bytes),
		.queue_total = (size_t)conf_int(c, SET_queue_total),
		.queue_total_bytes = (size_t)conf_int(c, SET_queue_total_bytes),
		.agents = (size_t)conf_int(c, SET_max_agents),
		.inflight = (size_t)conf_int(c, SET_inflight),
		.flap_takeovers = (unsigned)conf_int(c, SET_flap_takeovers),
		.flap_window_ms = conf_int(c, SET_flap_window),
		.flap_hold_ms = conf_int(c, SET_flap_hold),
		.retain_ms = conf_int(c, SET_retain),
		.retain_count = (uint64_t)conf_int(c, SET_retain_count),
		.jobs = (size_t)conf_int(c, SET_jobs_max),
		.job_keep = (unsigned)conf_int(c, SET_job_keep),
		.max_deliveries = (unsigned)conf_int(c, SET_max_deliveries),
		.agent_log_keep = (unsigned)conf_int(c, SET_agent_log_keep),
		.late_after_ms = conf_int(c, SET_late_after),
		.cancel_wait_ms = conf_int(c, SET_cancel_wait),
		.schedules = (size_t)conf_int(c, SET_schedules_max),
		.schedules_bytes = (size_t)conf_int(c, SET_schedules_bytes),
		.output_keep = (size_t)conf_int(c, SET_output_keep),
		.output_wait_ms = conf_int(c, SET_output_wait),
		.input_window = (size_t)conf_int(c, SET_input_window),
		.input_grace_ms = conf_int(c, SET_input_grace),
	};
}

static bool
make_core(struct hub *h, struct err *err)
{
	struct core_config c = { &clock_system, h->store, &h->limits };

	read_limits(&h->limits, h->conf);
	h->core = core_new(&c, err);
	return h->core != NULL;
}

static json_t *
listener_names(void *arg)
{
	struct hub *h = arg;

	return h->net != NULL ? door_net_names(h->net) : json_array();
}

static void
make_ctl(struct hub *h)
{
	struct ctl_config c = { h->core, listener_names, h };

	h->ctl = ctl_dialect_new(&c);
}

static bool
open_net(struct hub *h, struct err *err)
{
	struct door_net_config c = { h->loop, &clock_system, h->core, h->auth,
		h->ctl, h->conf };

	h->net = door_net_new(&c, err);
	if (h->net == NULL)
		return false;
	for (size_t i = 0; i < conf_count(h->conf, SET_listen); i++)
		if (!door_net_listen(
			h->net, conf_item(h->conf, SET_listen, i), err))
			return false;
	return true;
}

static bool
open_control(struct hub *h, struct err *err)
{
	const struct conf *k = h->conf;
	struct door_unix_config c = { .loop = h->loop,
		.core = h->core,
		.ctl = h->ctl,
		.path = h->socket,
		.max_line = (size_t)conf_int(k, SET_max_line),
		.queue_bytes = (size_t)conf_int(k, SET_control_queue_bytes),
		.max_conns = (unsigned)conf_int(k, SET_max_control),
		.max_requests = (unsigned)conf_int(k, SET_max_requests) };

	if (!hub_control_group(k, &c.group, err))
		return false;
	h->control = door_unix_new(&c, err);
	return h->control != NULL;
}

/* ---- running -------------------------------------------------------------- */

static bool
store_failing(const struct hub *h)
{
	struct store_stats s;

	store_stats(h->store, &s);
	return s.failing;
}

static void
say_goodbye(struct hub *h)
{
	door_net_stop_listening(h->net);
	door_unix_stop_listening(h->control);
	hub_remove_ports(h);
	core_drain(h->core);
	if (!store_failing(h)) /* or it would wait for the disk */
		store_flush(h->store);
	ctl_dialect_drain(h->ctl);
	door_net_goodbye(h->net);
	door_unix_goodbye(h->control);
}

static void
on_stop(void *arg, int signal)
{
	struct hub *h = arg;

	if (h->stop_by != 0) { /* asked again: at once */
		loop_stop(h->loop);
		return;
	}
	log_info("stopping (%s)", signal == SIGINT ? "SIGINT" : "SIGTERM");
	h->stop_by = clock_mono(&clock_system) + conf_int(h->conf, SET_drain);
	say_goodbye(h);
}

static void
on_reload(void *arg, int signal)
{
	struct hub *h = arg;
	struct err err = ERR_INIT;

	(void)signal;
	if (!auth_reload(h->auth, &err) || !door_net_reload(h->net, &err))
		log_error("reload: %s; what was valid stays", err.text);
	else
		log_info("reload: secrets and certificates read again");
}

static void
on_tick(void *arg)
{
	struct hub *h = arg;

	core_tick(h->core);
	ctl_dialect_tick(h->ctl);
	door_net_tick(h->net);
	timer_set(h->tick, TICK_MS);
	if (h->stop_by == 0)
		return;
	if (clock_mono(&clock_system) >= h->stop_by ||
	    door_net_live(h->net) + door_unix_live(h->control) == 0)
		loop_stop(h->loop);
}

static bool
start(struct hub *h, struct err *err)
{
	if (!hub_find_dirs(h, err) || !open_store(h, err))
		return false;
	h->auth = auth_new(h->conf, &clock_system, err);
	if (h->auth == NULL || !make_core(h, err))
		return false;
	make_ctl(h);
	if (!open_net(h, err) || !open_control(h, err) ||
	    !hub_write_ports(h, err))
		return false;
	loop_on_signal(h->loop, SIGTERM, on_stop, h);
	loop_on_signal(h->loop, SIGINT, on_stop, h);
	loop_on_signal(h->loop, SIGHUP, on_reload, h);
	h->tick = timer_new(h->loop, on_tick, h);
	timer_set(h->tick, TICK_MS);
	return true;
}

struct hub *
hub_new(const struct conf *conf, struct err *err)
{
	struct hub *h = mem_alloc(sizeof *h);

	h->conf = conf;
	h->loop = loop_new();
	h->waker = loop_waker_new(h->loop, drain_store, h);
	if (start(h, err)) {
		hub_announce(h);
		return h;
	}
	hub_free(h);
	return NULL;
}

void
hub_run(struct hub *h)
{
	loop_run(h->loop);
}

/* Connections go first, while what they tell still has its listeners; then
 * the store, which answers what waits in it; then who was answered. */
void
hub_free(struct hub *h)
{
	if (h == NULL)
		return;
	hub_remove_ports(h);
	timer_free(h->tick);
	door_unix_free(h->control);
	if (h->net != NULL)
		door_net_free(h->net);
	uv_run(loop_uv(h->loop), UV_RUN_NOWAIT); /* closing ones */
	uv_run(loop_uv(h->loop), UV_RUN_NOWAIT);
	ctl_dialect_free(h->ctl);
	if (h->store != NULL)
		store_close(h->store);
	core_free(h->core);
	auth_free(h->auth);
	loop_waker_free(h->waker);
	loop_free(h->loop);
	free(h);
}

/* ---- checking ------------------------------------------------------------- */

static bool
chosen_secret(const struct conf *c)
{
	return conf_str(c, SET_secret) != NULL ||
	       conf_str(c, SET_secret_file) != NULL;
}

bool
hub_check(const struct conf *conf, struct err *err)
{
	struct listen_spec spec;
	struct auth *auth;
	gid_t gid;

	if (!hub_control_group(conf, &gid, err) || !door_net_routes_ok(err))
		return false;
	if ((conf_str(conf, SET_tls_cert) == NULL) !=
	    (conf_str(conf, SET_tls_key) == NULL)) {
		err_set(err, EXIT_CONFIG, "config",
		    "tls-cert and tls-key go together");
		return false;
	}
	for (size_t i = 0; i < conf_count(conf, SET_listen); i++)
		if (!listen_spec_read(
			&spec, conf_item(conf, SET_listen, i), conf, err))
			return false;
	if (!chosen_secret(conf))
		return true; /* one would be made */
	auth = auth_new(conf, &clock_system, err);
	auth_free(auth);
	return auth != NULL;
}
