#include "ewsd/dialect/call.h"

#include <string.h>

#include "ewsd/dialect/ctl.h"
#include "lib/json.h"

void
call_detail(struct http_request *req, int status, const char *text)
{
	json_t *o = json_pack("{s:s}", "detail", text);

	http_answer_json(req, status, o);
	json_decref(o);
}

void
call_invalid(struct http_request *req, const char *field, const char *msg,
    const char *type)
{
	json_t *loc = field != NULL ? json_pack("[s,s]", "body", field)
				    : json_pack("[s]", "body");
	json_t *o = json_pack("{s:[{s:o,s:s,s:s}]}", "detail", "loc", loc,
	    "msg", msg, "type", type);

	http_answer_json(req, 422, o);
	json_decref(o);
}

void
call_problem(struct http_request *req, const struct err *err)
{
	int status = ctl_code_http(err->code);

	if (status == 503)
		http_add_header(req, "Retry-After", "5");
	http_problem(req, status, err->code, err->text);
}

bool
call_str_maybe(struct call *call, const char *field, const char **out)
{
	json_t *value = js_get(call->body, field);

	*out = NULL;
	if (value == NULL)
		return true;
	*out = json_string_value(value);
	if (*out != NULL)
		return true;
	call_invalid(call->req, field, "str type expected", "type_error.str");
	return false;
}

bool
call_str(struct call *call, const char *field, const char **out)
{
	if (!call_str_maybe(call, field, out))
		return false;
	if (*out != NULL)
		return true;
	call_invalid(call->req, field, "field required", "value_error.missing");
	return false;
}
