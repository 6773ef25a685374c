/* JSON: the result as it is, one object a line, flushed */
#include <stdio.h>
#include <stdlib.h>

#include "ewsctl/output.h"
#include "lib/json.h"

static void
line(const json_t *object)
{
	char *text = js_write(object);

	puts(text != NULL ? text : "null");
	fflush(stdout);
	free(text);
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
};
