#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ewsagent/agent_priv.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/str.h"

/* Of each stream, in an end. A hub takes JSON bodies of 256 KiB (DESIGN
 * 11.4), and base64 makes four bytes of three. */
enum { KEEP_DEFAULT = 64 << 10, POLL_KEEP_MAX = 64 << 10 };

/* ---- by WebSocket -------------------------------------------------- */

static char *
authorization(void *arg)
{
	struct agent *a = arg;

	return token_header(a->options->token);
}

static void
on_open(void *arg, bool v1)
{
	struct agent *a = arg;

	poll_stop(a->poll);
	if (!v1) /* with ews.v1 the hub says hello first */
		post_begin(a->post);
}

static void
on_message(void *arg, char *text, size_t len)
{
	struct agent *a = arg;

	intake_text(&a->intake, text, len, link_v1(a->link));
}

static void
on_closed(void *arg)
{
	(void)arg; /* what was not confirmed, work tells again */
}

static void
on_written(void *arg, uint64_t tag)
{
	struct agent *a = arg;

	post_written(a->post, tag);
}

static void
on_room(void *arg)
{
	struct agent *a = arg;

	post_pump(a->post);
	work_room(a->work);
}

static void
on_poll(void *arg)
{
	struct agent *a = arg;

	if (poll_on(a->poll) || a->stage > AGENT_ENDS_TALK)
		return;
	log_info("🔌 WebSocket disconnected - falling back to HTTP"
		 " polling");
	a->poll_since_ms = clock_wall(a->clock);
	work_keep(a->work, POLL_KEEP_MAX);
	poll_start(a->poll);
	post_begin(a->post);
}

static const struct link_events link_events = {
	.open = on_open,
	.message = on_message,
	.closed = on_closed,
	.written = on_written,
	.room = on_room,
	.poll = on_poll,
};

/* ---- by HTTP ------------------------------------------------------- */

static void
on_poll_command(void *arg, const json_t *data, bool v1)
{
	struct agent *a = arg;

	intake_command(&a->intake, data, INTAKE_HTTP, v1);
}

static void
on_poll_frame(void *arg, const json_t *frame)
{
	struct agent *a = arg;

	intake_frame(&a->intake, frame, INTAKE_HTTP, true);
}

static void
on_confirmed(void *arg, const char *id)
{
	struct agent *a = arg;

	work_confirmed(a->work, id);
}

static json_t *
hello(void *arg)
{
	struct agent *a = arg;

	return self_hello(&a->options->self, work_handlers(a->work), a->clock);
}

static void
on_config(void *arg, const json_t *data)
{
	struct agent *a = arg;
	int64_t seconds =
	    js_int(data, "sync_interval", js_int(data, "poll_interval", 0));
	const char *word = js_str(data, "log_level");
	enum log_level level;

	if (seconds > 0)
		poll_set_interval(a->poll, seconds);
	if (word != NULL && log_level_from(word, &level))
		log_set_level(level);
}

static void
on_anew(void *arg)
{
	struct agent *a = arg;

	if (!link_usable(a->link))
		post_begin(a->post);
}

static const struct poll_events poll_events = {
	.anew = on_anew,
	.command = on_poll_command,
	.frame = on_poll_frame,
	.config = on_config,
	.confirmed = on_confirmed,
	.room = on_room,
	.hello = hello,
	.status = agent_sync_status,
};

/* ---- what the hub says of itself ----------------------------------- */

static int64_t
within(int64_t n, int64_t min, int64_t max)
{
	return n < min ? min : n > max ? max : n;
}

/* A chunk may grow eightfold as JSON text, and must fit its message; so must
 * an end with both its tails, which are base64 where text would be longer. */
static void
take_limits(struct agent *a, const json_t *limits)
{
	const struct conf *c = a->options->conf;
	int64_t message = js_int(limits, "message", 1 << 20);
	int64_t chunk =
	    js_int(limits, "output_chunk", conf_int(c, SET_output_chunk));
	int64_t window =
	    js_int(limits, "output_window", conf_int(c, SET_output_window));
	int64_t keep = js_int(limits, "output_keep", KEEP_DEFAULT);

	chunk = within(chunk, 256, 256 << 10);
	chunk = within(chunk, 256, within(message / 8, 256, 256 << 10));
	window = within(window, chunk, 64 << 20);
	keep = link_usable(a->link) || link_v1(a->link)
		   ? within(keep, 0, WORK_KEEP_MAX)
		   : within(keep, 0, POLL_KEEP_MAX);
	keep = within(keep, 0, within(message / 4, 0, WORK_KEEP_MAX));
	work_limits(a->work, (size_t)chunk, (size_t)window, (size_t)keep);
}

static void
answer_hello(struct agent *a)
{
	json_t *frame =
	    json_pack("{s:s, s:o}", "type", "hello", "data", hello(a));
	char *text = js_write(frame);

	json_decref(frame);
	if (text != NULL)
		link_send(a->link, text, strlen(text), OUTQ_CONTROL, 0);
	free(text);
}

static void
on_hello(void *arg, const json_t *data)
{
	struct agent *a = arg;
	const char *id = js_str(data, "hub_id");
	bool first = link_v1(a->link) && !link_usable(a->link);
	int64_t epoch = js_int(data, "epoch", 0);
	bool other = a->hub_id != NULL &&
		     (epoch != a->hub_epoch || !str_eq(id, a->hub_id));

	take_limits(a, js_get(data, "limits"));
	a->hub_epoch = epoch;
	if (id != NULL && !str_eq(id, a->hub_id)) {
		free(a->hub_id);
		a->hub_id = mem_dup(id);
		log_info("hub %s, epoch %" PRId64, log_q(id), a->hub_epoch);
	}
	if (!first) {
		if (other && poll_on(a->poll)) /* as a new link */
			post_begin(a->post);
		return;
	}
	answer_hello(a);
	link_ready(a->link);
	post_begin(a->post);
}

static void
on_pong(void *arg)
{
	struct agent *a = arg;

	link_pong(a->link);
}

static void
on_retry(void *arg, int64_t after_ms)
{
	struct agent *a = arg;

	if (after_ms >= 0)
		link_come_back(a->link, after_ms);
}

const struct intake_events agent_intake_events = {
	.hello = on_hello,
	.pong = on_pong,
	.retry = on_retry,
	.config = on_config,
};

/* ---- life ---------------------------------------------------------- */

static struct link *
make_link(struct agent *a, struct err *err)
{
	const struct options *o = a->options;
	const struct conf *c = o->conf;
	struct link_config link = {
		.loop = a->loop,
		.clock = a->clock,
		.url = o->hub.ws,
		.agent_id = o->self.id,
		.instance = o->self.instance,
		.ca_file = conf_str(c, SET_ca_file),
		.proxy = conf_str(c, SET_proxy),
		.authorization = authorization,
		.connect_ms = conf_int(c, SET_connect_timeout),
		.ping_ms = conf_int(c, SET_ping_interval),
		.pong_ms = conf_int(c, SET_pong_timeout),
		.max_message = (size_t)conf_int(c, SET_max_message),
		.output_window = (size_t)conf_int(c, SET_output_window),
		.plan = {
			.first_ms = conf_int(c, SET_reconnect_min),
			.max_ms = conf_int(c, SET_reconnect_max),
			.stable_ms = conf_int(c, SET_stable_after),
			.refused_first_ms = conf_int(c, SET_refused_wait),
			.refused_max_ms = conf_int(c, SET_refused_max),
			.fallback_after =
			    (unsigned)conf_int(c, SET_fallback_after),
			.yields = str_eq(conf_str(c, SET_takeover), "yield"),
		},
		.events = &link_events,
		.arg = a,
	};

	return link_new(&link, err);
}

static struct poll *
make_poll(struct agent *a, struct err *err)
{
	const struct options *o = a->options;
	const struct conf *c = o->conf;
	struct poll_config poll = {
		.loop = a->loop,
		.clock = a->clock,
		.hub = &o->hub,
		.agent_id = o->self.id,
		.instance = o->self.instance,
		.ca_file = conf_str(c, SET_ca_file),
		.proxy = conf_str(c, SET_proxy),
		.authorization = authorization,
		.outbox = a->outbox,
		.interval_ms = conf_int(c, SET_poll_interval),
		.wait_ms = conf_int(c, SET_poll_wait),
		.timeout_ms = conf_int(c, SET_http_timeout),
		.connect_ms = conf_int(c, SET_connect_timeout),
		.retry_first_ms = conf_int(c, SET_reconnect_min),
		.retry_max_ms = conf_int(c, SET_reconnect_max),
		.refused_first_ms = conf_int(c, SET_refused_wait),
		.refused_max_ms = conf_int(c, SET_refused_max),
		.answer_max = (size_t)conf_int(c, SET_answer_max),
		.events = &poll_events,
		.arg = a,
	};

	return poll_new(&poll, err);
}

bool
agent_ways_new(struct agent *a, struct err *err)
{
	size_t window = (size_t)conf_int(a->options->conf, SET_output_window);

	a->outbox =
	    outbox_new((size_t)conf_int(a->options->conf, SET_outbox), window);
	a->post = post_new(a->outbox, window);
	a->link = make_link(a, err);
	if (a->link == NULL)
		return false;
	a->poll = make_poll(a, err);
	if (a->poll == NULL)
		return false;
	post_connect(a->post, a->link, a->poll, a->work);
	return true;
}

void
agent_ways_free(struct agent *a)
{
	link_free(a->link); /* runs the loop: others still speak to poll */
	poll_free(a->poll);
	post_free(a->post);
	outbox_free(a->outbox);
}
