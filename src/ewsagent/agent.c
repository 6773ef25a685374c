#include "ewsagent/agent.h"

#include <signal.h>
#include <stdlib.h>

#include "ewsagent/agent_priv.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/prog.h"

static bool
on_ack(void *arg, enum work_ack kind, const json_t *data)
{
	struct agent *a = arg;

	return post_ack(a->post, kind, data);
}

static bool
on_output(void *arg, const json_t *data)
{
	struct agent *a = arg;

	return post_output(a->post, data);
}

static bool
on_input_ack(void *arg, const json_t *data)
{
	struct agent *a = arg;

	return post_input_ack(a->post, data);
}

static const struct work_events work_events = {
	.ack = on_ack,
	.output = on_output,
	.input_ack = on_input_ack,
	.idle = agent_idle,
};

static struct work *
make_work(struct agent *a, struct err *err)
{
	const struct options *o = a->options;
	const struct conf *c = o->conf;
	struct work_config work = {
		.loop = a->loop,
		.clock = a->clock,
		.state_dir = o->state_dir,
		.shim = o->shim,
		.boot = o->self.boot[0] != '\0' ? o->self.boot : NULL,
		.handlers = o->handlers,
		.handlers_conf = conf_str(c, SET_handlers_conf),
		.agent_id = o->self.id,
		.hub_url = o->hub.base,
		.path = conf_str(c, SET_path),
		.concurrency = o->self.concurrency,
		.queue_max = (size_t)conf_int(c, SET_queue),
		.held_max = (size_t)conf_int(c, SET_queue_held_max),
		.deadline_ms = conf_int(c, SET_deadline),
		.grace_ms = conf_int(c, SET_grace),
		.output_max = (uint64_t)conf_int(c, SET_output_max),
		.spool_max = (uint64_t)conf_int(c, SET_spool_max),
		.output_chunk = (size_t)conf_int(c, SET_output_chunk),
		.output_window = (size_t)conf_int(c, SET_output_window),
		.ledger_keep_ms = conf_int(c, SET_ledger_keep),
		.ledger_keep = (uint64_t)conf_int(c, SET_ledger_rows),
		.events = &work_events,
		.arg = a,
	};

	return work_new(&work, err);
}

static struct door_unix *
make_door(struct agent *a, struct err *err)
{
	struct door_unix_config door = {
		.loop = a->loop,
		.clock = a->clock,
		.path = a->options->socket,
		.status = agent_status,
		.arg = a,
	};

	return door_unix_new(&door, err);
}

/* The ledger's lock comes first: of two agents on one state directory the
 * second must not touch the socket. */
static bool
assemble(struct agent *a, struct err *err)
{
	struct options *o = a->options;

	if (!options_make_dirs(o, err) ||
	    !self_instance(&o->self, o->state_dir, a->clock, err))
		return false;
	a->work = make_work(a, err);
	if (a->work == NULL)
		return false;
	a->intake = (struct intake){
		.work = a->work, .events = &agent_intake_events, .arg = a
	};
	if (!agent_ways_new(a, err))
		return false;
	a->door = make_door(a, err);
	return a->door != NULL;
}

struct agent *
agent_new(struct options *options, struct err *err)
{
	struct agent *a = mem_alloc(sizeof *a);

	a->options = options;
	a->clock = &clock_system;
	a->options->self.started_ms = clock_wall(a->clock);
	a->loop = loop_new();
	a->end = timer_new(a->loop, agent_on_end, a);
	if (assemble(a, err))
		return a;
	agent_free(a);
	return NULL;
}

static void
reload_conf(struct agent *a)
{
	struct err err = ERR_INIT;

	if (work_reload(a->work, &err))
		log_info("handlers.conf is read again");
	else
		log_error("handlers.conf is not read again, the old one"
			  " stays: %s",
		    err.text);
}

static void
reload(struct agent *a)
{
	struct err err = ERR_INIT;

	reload_conf(a);
	if (!token_reload(a->options->token, &err)) {
		log_error("the secret is not read again: %s", err.text);
		return;
	}
	log_info("the secret is read again");
	link_retry(a->link);
}

static void
on_signal(void *arg, int number)
{
	struct agent *a = arg;

	if (number == SIGHUP)
		reload(a);
	else
		agent_stop(a);
}

void
agent_run(struct agent *a, int ready_fd)
{
	loop_on_signal(a->loop, SIGTERM, on_signal, a);
	loop_on_signal(a->loop, SIGINT, on_signal, a);
	loop_on_signal(a->loop, SIGHUP, on_signal, a);
	log_info("agent %s, instance %s, handlers in %s",
	    log_q(a->options->self.id), a->options->self.instance,
	    log_q(a->options->handlers));
	link_start(a->link);
	prog_ready(ready_fd > 0 ? ready_fd : -1);
	loop_run(a->loop);
}

void
agent_free(struct agent *a)
{
	if (a == NULL)
		return;
	door_unix_free(a->door);
	timer_free(a->end);
	agent_ways_free(a);
	work_free(a->work);
	loop_free(a->loop);
	free(a->hub_id);
	free(a);
}
