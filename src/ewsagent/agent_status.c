#include "ewsagent/agent_priv.h"
#include "lib/prog.h"

static const char *const link_words[] = {
	[LINK_DISCONNECTED] = "disconnected",
	[LINK_CONNECTING] = "connecting",
	[LINK_CONNECTED] = "connected",
	[LINK_WAITING] = "waiting",
	[LINK_REFUSED] = "refused",
};

json_t *
agent_status(void *arg)
{
	struct agent *a = arg;
	const struct self *self = &a->options->self;
	bool polls = poll_works(a->poll);
	char since[CLOCK_TEXT_SIZE];
	json_t *o = work_status(a->work);

	json_object_update_new(
	    o, json_pack(
		   "{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:o, s:I, s:s*, s:I}",
		   "agent", self->id, "state",
		   polls ? "polling" : link_words[link_state(a->link)], "hub",
		   a->options->hub.base, "instance", self->instance, "version",
		   prog_version(), "since",
		   clock_text(
		       since, polls ? a->poll_since_ms : link_since(a->link)),
		   "attempts", (json_int_t)link_attempts(a->link), "handlers",
		   work_handlers(a->work), "http_requests",
		   (json_int_t)poll_requests(a->poll), "hub_id", a->hub_id,
		   "epoch", (json_int_t)a->hub_epoch));
	return o;
}

json_t *
agent_sync_status(void *arg)
{
	struct agent *a = arg;
	json_t *work = work_status(a->work), *o;
	int64_t up = clock_wall(a->clock) - a->options->self.started_ms;

	o = json_pack("{s:I, s:I, s:O*, s:O*}", "uptime_seconds",
	    (json_int_t)(up / 1000), "running",
	    (json_int_t)json_array_size(json_object_get(work, "running")),
	    "queued", json_object_get(work, "queued"), "unconfirmed",
	    json_object_get(work, "unconfirmed"));
	json_decref(work);
	return o;
}
