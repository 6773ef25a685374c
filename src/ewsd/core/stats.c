#include "ewsd/core/stats.h"

json_t *
stats_json(const struct stats *s)
{
	json_t *o = json_object();

#define STAT(name, gauge, help)                                                \
	json_object_set_new(o, #name, json_integer((json_int_t)s->name));
#include "ewsd/core/stats.def"
#undef STAT
	return o;
}
