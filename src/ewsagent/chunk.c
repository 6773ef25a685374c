#include "ewsagent/chunk.h"

#include <stdlib.h>

#include "lib/str.h"

/* As text where it is text, and no longer so than in base64: a control
 * character takes six. */
static bool
better_as_text(const char *bytes, size_t n)
{
	size_t i, more = 0;

	if (!str_utf8(bytes, n, false))
		return false;
	for (i = 0; i < n; i++) {
		unsigned char c = (unsigned char)bytes[i];

		if (c == '\n' || c == '\t' || c == '"' || c == '\\')
			more += 1;
		else if (c < 0x20)
			more += 5;
	}
	return 3 * more <= n;
}

void
chunk_set(json_t *data, const char *bytes, size_t n)
{
	char *text;

	if (better_as_text(bytes, n)) {
		json_object_set_new(
		    data, "data", json_stringn_nocheck(bytes, n));
		return;
	}
	text = str_b64(bytes, n);
	json_object_set_new(data, "data64", json_string_nocheck(text));
	free(text);
}

size_t
chunk_front(const char *bytes, size_t n)
{
	size_t i = 0;

	while (i < n && i < 3 && ((unsigned char)bytes[i] & 0xc0) == 0x80)
		i++;
	return str_utf8(bytes + i, n - i, false) ? i : 0;
}
