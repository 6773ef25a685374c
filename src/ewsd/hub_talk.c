/*
 * hub_talk - what the hub says when it starts
 */
#include <stdio.h>

#include "ewsd/hub_priv.h"
#include "lib/log.h"
#include "lib/prog.h"

static const char *
first_name(json_t *names)
{
	const char *name = json_string_value(json_array_get(names, 0));

	return name != NULL ? name : "127.0.0.1:8765";
}

/* For the person at the terminal who tries it for the first time. */
static void
welcome(const struct hub *h, const char *name)
{
	fprintf(stderr,
	    "\n"
	    "ewsd: no agent has come yet. A secret was made for them:\n"
	    "    %s/secret\n"
	    "Only this machine is served until you choose a secret yourself\n"
	    "(EDGE_SECRET or --secret-file). Try, in other terminals (the\n"
	    "source tree has the handlers in share/examples/handlers):\n"
	    "\n"
	    "    ewsagent --hub http://%s --id mini --secret-file %s/secret"
	    " --handlers /usr/local/share/ews/handlers\n"
	    "    ewsctl agents\n"
	    "    ewsctl run mini echo hello\n"
	    "\n",
	    h->state_dir, name, h->state_dir);
}

void
hub_announce(const struct hub *h)
{
	json_t *names = door_net_names(h->net);

	log_info("ewsd %s: control socket %s, state %s", prog_version(),
	    h->socket, h->state_dir);
	if (auth_made(h->auth) && core_stats(h->core)->agents_known == 0)
		welcome(h, first_name(names));
	else if (auth_made(h->auth))
		log_info("secret: %s/secret, made at the first start; only "
			 "loopback is served",
		    h->state_dir);
	json_decref(names);
}
