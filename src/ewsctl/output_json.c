/* JSON: the result as it is, one object a line, flushed */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ewsctl/emit.h"
#include "ewsctl/output.h"
#include "lib/json.h"
#include "lib/mem.h"

static void
line(const json_t *object)
{
	char *json = js_write(object);
	char *text = mem_printf("%s\n", json != NULL ? json : "null");

	emit(STDOUT_FILENO, text, strlen(text));
	free(text);
	free(json);
}

const struct output output_json = {
	.receipt = line,
	.ended = line,
	.record = line,
	.agents = line,
	.agent = line,
	.commands = line,
	.command = line,
	.cancel = line,
	.config = line,
	.object = line,
	.failed = line,
	.jobs = line,
	.schedules = line,
	.schedule = line,
	.planned = line,
	.dead = line,
	.requeued = line,
	.dropped = line,
	.tagged = line,
	.waited = line,
	.why = line,
};
