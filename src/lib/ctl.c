#include "lib/ctl.h"

#include <stdlib.h>
#include <string.h>

#include "lib/ctl_priv.h"
#include "lib/exit.h"
#include "lib/json.h"
#include "lib/mem.h"
#include "lib/path.h"
#include "lib/str.h"
#include "lib/unix.h"

struct ctl {
	struct ctl_io io;
	int64_t last_id;
	size_t line_at, line_len; /* in io.in */
	char program[32];
};

static const struct code {
	const char *word;
	int status;
} codes[] = {
#define ERROR_CODE(word, status, http, what) { #word, status },
#include "lib/codes.def"
#undef ERROR_CODE
};

/* The hub's side of the link: "no hub answers", "no agent answers". */
static const char *
role(const char *program)
{
	return str_eq(program, "ewsagent") ? "agent" : "hub";
}

static bool
find_socket(char out[PATH_SIZE], const char *runtime_dir, const char *program,
    struct err *err)
{
	char state[PATH_SIZE], dir[PATH_SIZE], name[64];
	const char *given = getenv("EWS_SOCKET");
	bool known;

	if (given != NULL && *given != '\0') {
		if (str_copy(out, PATH_SIZE, given))
			return true;
		err_set(err, EXIT_CONFIG, "config", "EWS_SOCKET is too long");
		return false;
	}
	if (runtime_dir == NULL) {
		known = path_state(state, program, NULL);
		if (!path_runtime(dir, known ? state : NULL, false, err))
			return false;
		runtime_dir = dir;
	}
	str_copy(name, sizeof name - 5, program);
	memcpy(name + strlen(name), ".sock", 6);
	return path_join(out, runtime_dir, name, err);
}

struct ctl *
ctl_open(const char *socket_path, const char *runtime_dir, const char *program,
    struct err *err)
{
	char path[PATH_SIZE];
	struct err why = ERR_INIT;
	struct ctl *c;
	int fd;

	if (socket_path == NULL) {
		if (!find_socket(path, runtime_dir, program, &why)) {
			err_set(err, EXIT_UNREACHABLE, "unreachable",
			    "no %s answers: %s; is %s running?", role(program),
			    why.text, program);
			return NULL;
		}
		socket_path = path;
	}
	fd = unix_connect(socket_path, &why);
	if (fd == -1) {
		if (why.status == EXIT_DENIED)
			err_set(err, EXIT_DENIED, "denied", "%s", why.text);
		err_set(err, EXIT_UNREACHABLE, "unreachable",
		    "no %s answers at %s; is %s running?", role(program),
		    why.text, program);
		return NULL;
	}
	c = mem_alloc(sizeof *c);
	ctl_io_init(&c->io, fd);
	str_copy(c->program, sizeof c->program, program);
	return c;
}

void
ctl_close(struct ctl *c)
{
	if (c == NULL)
		return;
	ctl_io_fini(&c->io);
	free(c);
}

int
ctl_fd(const struct ctl *c)
{
	return c->io.fd;
}

bool
ctl_unsent(const struct ctl *c)
{
	return c->io.out.len > c->io.sent;
}

bool
ctl_send_raw(struct ctl *c, const char *line, size_t len, struct err *err)
{
	if (len > CTL_LINE_MAX) {
		err_set(err, EXIT_DATA, "too_large",
		    "the request has %zu bytes, the limit is %d", len,
		    CTL_LINE_MAX);
		return false;
	}
	return ctl_io_put(&c->io, line, len, err);
}

/* The request with an id, as text. NULL when memory is out. */
static char *
with_id(json_t *request, int64_t id)
{
	json_t *copy = json_copy(request);
	char *text = NULL;

	if (copy != NULL &&
	    json_object_set_new(copy, "id", json_integer(id)) == 0)
		text = js_write(copy);
	json_decref(copy);
	return text;
}

int64_t
ctl_send(struct ctl *c, json_t *request, struct err *err)
{
	char *text = with_id(request, c->last_id + 1);
	bool ok;

	if (text == NULL) {
		err_set(err, EXIT_INTERNAL, "internal",
		    "the request cannot be written as JSON");
		return 0;
	}
	ok = ctl_send_raw(c, text, strlen(text), err);
	free(text);
	return ok ? ++c->last_id : 0;
}

bool
ctl_ready(const struct ctl *c)
{
	return c->io.lines > 0;
}

const char *
ctl_line(const struct ctl *c, size_t *len)
{
	*len = c->line_len;
	return c->line_len > 0 ? c->io.in.bytes + c->line_at : "";
}

/* Waits for a whole line. */
static bool
next_line(struct ctl *c, int64_t deadline_ms, struct err *err)
{
	while (!ctl_io_line(&c->io, &c->line_at, &c->line_len)) {
		c->line_len = 0;
		if (c->io.in.len - c->io.read > CTL_ANSWER_MAX) {
			err_set(err, EXIT_PROTOCOL, "protocol",
			    "%s sent a line over %d bytes", c->program,
			    CTL_ANSWER_MAX);
			return false;
		}
		if (c->io.hung_up) {
			err_set(err, EXIT_UNREACHABLE, "unreachable",
			    "%s hung up before it answered", c->program);
			return false;
		}
		if (!ctl_io_wait(&c->io, deadline_ms, err))
			return false;
	}
	return true;
}

json_t *
ctl_recv(struct ctl *c, int64_t deadline_ms, struct err *err)
{
	struct err why = ERR_INIT;
	json_t *answer;
	const char *line;
	size_t len;

	if (!next_line(c, deadline_ms, err))
		return NULL;
	line = ctl_line(c, &len);
	answer = js_read_deep(line, len, JS_DEPTH_WRAPPED, &why);
	if (json_is_object(answer))
		return answer;
	json_decref(answer);
	err_set(err, EXIT_PROTOCOL, "protocol",
	    "%s sent what is no JSON object: %s", c->program, why.text);
	return NULL;
}

/* A word that we do not know comes from a newer hub. */
static const struct code *
code_find(const char *word)
{
	static const struct code unknown = { "protocol", EXIT_PROTOCOL };
	size_t i;

	for (i = 0; i < sizeof codes / sizeof *codes; i++)
		if (str_eq(codes[i].word, word))
			return &codes[i];
	return &unknown;
}

bool
ctl_failed(const json_t *answer, struct err *err)
{
	const json_t *error = js_get(answer, "error");
	const char *word = js_str(error, "code");
	const char *detail = js_str(error, "detail");
	const struct code *code;

	if (error == NULL && js_bool(answer, "ok", true))
		return false;
	code = code_find(word);
	if (detail == NULL)
		detail = word != NULL ? word : "refused without a reason";
	if (str_eq(code->word, word))
		err_set(err, code->status, code->word, "%s", detail);
	else
		err_set(err, code->status, code->word, "%s (%s)", detail,
		    word != NULL ? word : "no code");
	return true;
}

/* An error without an id is about the connection, and so about us. */
static bool
is_ours(const json_t *answer, int64_t id)
{
	if (js_get(answer, "id") == NULL)
		return js_get(answer, "error") != NULL;
	return js_int(answer, "id", 0) == id && js_get(answer, "ok") != NULL;
}

json_t *
ctl_call(struct ctl *c, json_t *request, int64_t deadline_ms, struct err *err)
{
	int64_t id = ctl_send(c, request, err);
	json_t *answer, *result;

	if (id == 0)
		return NULL;
	while ((answer = ctl_recv(c, deadline_ms, err)) != NULL) {
		if (is_ours(answer, id))
			break;
		json_decref(answer);
	}
	if (answer == NULL || ctl_failed(answer, err)) {
		json_decref(answer);
		return NULL;
	}
	result = json_incref(json_object_get(answer, "result"));
	json_decref(answer);
	return result != NULL ? result : json_object();
}
