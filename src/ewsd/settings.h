/*
 * settings - the hub's settings by name: conf_int(conf, SET_max_agents)
 */
#ifndef EWS_EWSD_SETTINGS_H
#define EWS_EWSD_SETTINGS_H

#include "lib/conf.h"

enum ewsd_setting {
#define SETTING(name, kind, flag, env, def, min, max, arg, help) SET_##name,
#include "ewsd/settings.def"
#undef SETTING
	SET_COUNT
};

#endif
