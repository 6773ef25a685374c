#include "lib/json.h"

#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/exit.h"
#include "lib/str.h"

/* The offset of the bracket that goes too deep, or 'len'. Brackets in
 * strings do not count; whether they match is the parser's business. */
static size_t
too_deep(const char *bytes, size_t len, unsigned max)
{
	unsigned depth = 0;
	bool quoted = false;
	size_t i;

	for (i = 0; i < len; i++) {
		char c = bytes[i];

		if (quoted && c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (quoted)
			continue;
		else if ((c == '{' || c == '[') && ++depth > max)
			return i;
		else if ((c == '}' || c == ']') && depth > 0)
			depth--;
	}
	return len;
}

/* The parser quotes a piece of the text: that may be a secret, and is cut. */
static void
fail(const json_error_t *e, struct err *err)
{
	const char *near = strstr(e->text, " near ");
	int len = near != NULL ? (int)(near - e->text) : (int)strlen(e->text);

	if (json_error_code(e) == json_error_duplicate_key)
		err_set(err, EXIT_DATA, "duplicate_key",
		    "a JSON object names a key twice (byte %d)", e->position);
	else
		err_set(err, EXIT_DATA, "bad_json", "bad JSON at byte %d: %.*s",
		    e->position, len, e->text);
}

json_t *
js_read_deep(const char *bytes, size_t len, unsigned depth, struct err *err)
{
	size_t deep = too_deep(bytes, len, depth);
	json_error_t e;
	json_t *json;

	if (deep < len) {
		err_set(err, EXIT_DATA, "too_deep",
		    "JSON nested deeper than %u (byte %zu)", depth, deep);
		return NULL;
	}
	json = json_loadb(
	    bytes, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &e);
	if (json == NULL)
		fail(&e, err);
	return json;
}

json_t *
js_read(const char *bytes, size_t len, struct err *err)
{
	return js_read_deep(bytes, len, JS_DEPTH_MAX, err);
}

json_t *
js_read_object(const char *bytes, size_t len, struct err *err)
{
	json_t *json = js_read(bytes, len, err);

	if (json == NULL || json_is_object(json))
		return json;
	json_decref(json);
	err_set(err, EXIT_DATA, "bad_json",
	    "bad JSON at byte 0: an object is expected");
	return NULL;
}

char *
js_write(const json_t *json)
{
	return json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
}

json_t *
js_get(const json_t *o, const char *key)
{
	json_t *value = json_object_get(o, key);

	return json_is_null(value) ? NULL : value;
}

const char *
js_str(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

/* Some languages write 30.0 for 30. */
int64_t
js_int(const json_t *o, const char *key, int64_t otherwise)
{
	static const double whole = 9007199254740992; /* 2^53 */
	const json_t *value = json_object_get(o, key);
	double d;

	if (json_is_integer(value))
		return json_integer_value(value);
	if (!json_is_real(value))
		return otherwise;
	d = json_real_value(value);
	if (d < -whole || d > whole || d != (double)(int64_t)d)
		return otherwise;
	return (int64_t)d;
}

bool
js_bool(const json_t *o, const char *key, bool otherwise)
{
	const json_t *value = json_object_get(o, key);

	return json_is_boolean(value) ? json_is_true(value) : otherwise;
}

static bool
mistyped(const char *key, const char *what, struct err *err)
{
	err_set(err, EXIT_DATA, "bad_argument", "\"%s\" must be %s", key, what);
	return false;
}

bool
js_take_str(const json_t *o, const char *key, const char **out, struct err *err)
{
	const json_t *value = js_get(o, key);

	if (value == NULL)
		return true;
	if (!json_is_string(value))
		return mistyped(key, "a string", err);
	*out = json_string_value(value);
	return true;
}

bool
js_take_int(const json_t *o, const char *key, int64_t min, int64_t max,
    int64_t *out, struct err *err)
{
	const json_t *value = js_get(o, key);
	int64_t n;

	if (value == NULL)
		return true;
	n = json_integer_value(value);
	if (!json_is_integer(value) || n < min || n > max) {
		err_set(err, EXIT_DATA, "bad_argument",
		    "\"%s\" must be an integer from %lld to %lld", key,
		    (long long)min, (long long)max);
		return false;
	}
	*out = n;
	return true;
}

bool
js_take_bool(const json_t *o, const char *key, bool *out, struct err *err)
{
	const json_t *value = js_get(o, key);

	if (value == NULL)
		return true;
	if (!json_is_boolean(value))
		return mistyped(key, "true or false", err);
	*out = json_is_true(value);
	return true;
}

bool
js_take_array(const json_t *o, const char *key, json_t **out, struct err *err)
{
	json_t *value = js_get(o, key);

	if (value == NULL)
		return true;
	if (!json_is_array(value))
		return mistyped(key, "an array", err);
	*out = value;
	return true;
}

/* ---- writing -------------------------------------------------------------- */

void
js_put_str(json_t *o, const char *key, const char *text)
{
	if (text != NULL)
		json_object_set_new(o, key, json_string(text));
}

void
js_put_time(json_t *o, const char *key, int64_t unix_ms)
{
	char text[CLOCK_TEXT_SIZE];

	if (unix_ms > 0)
		js_put_str(o, key, clock_text(text, unix_ms));
}

void
js_put_int(json_t *o, const char *key, int64_t n, int64_t none)
{
	if (n != none)
		json_object_set_new(o, key, json_integer(n));
}
