/*
 * settings - the agent's settings by name: conf_int(conf, SET_grace)
 */
#ifndef EWS_EWSAGENT_SETTINGS_H
#define EWS_EWSAGENT_SETTINGS_H

#include "lib/conf.h"

enum ewsagent_setting {
#define SETTING(name, kind, flag, env, def, min, max, arg, help) SET_##name,
#include "ewsagent/settings.def"
#undef SETTING
	SET_COUNT
};

#endif
