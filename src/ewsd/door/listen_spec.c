#include "ewsd/door/listen_spec.h"

#include <arpa/inet.h>
#include <string.h>

#include "ewsd/settings.h"
#include "lib/exit.h"
#include "lib/str.h"

bool
listen_spec_bad(const char *spec, const char *why, struct err *err)
{
	err_set(err, EXIT_CONFIG, "config", "listen %s: %s", spec, why);
	return false;
}

/* "HOST:PORT", "[V6]:PORT", "PORT"; cuts it in place. */
static bool
split_place(struct listen_spec *s, char *place)
{
	char *colon = strrchr(place, ':');
	const char *digits = colon != NULL ? colon + 1 : place;
	uint64_t port;

	if (!str_u64(digits, 0, 65535, &port))
		return false;
	s->port = (int)port;
	s->host = (char *)"127.0.0.1";
	if (colon == NULL)
		return true;
	*colon = '\0';
	s->host = place;
	if (*place == '[' && str_ends(place, "]")) {
		place[strlen(place) - 1] = '\0';
		s->host++;
	} else if (strchr(place, ':') != NULL) {
		return false;
	}
	return *s->host != '\0';
}

bool
listen_spec_read(struct listen_spec *s, const char *spec,
    const struct conf *conf, struct err *err)
{
	char *rest, *word;

	memset(s, 0, sizeof *s);
	if (!str_copy(s->text, sizeof s->text, spec))
		return listen_spec_bad(spec, "too long", err);
	word = strtok_r(s->text, ",", &rest);
	if (word == NULL || !split_place(s, word))
		return listen_spec_bad(spec, "is no HOST:PORT", err);
	while ((word = strtok_r(NULL, ",", &rest)) != NULL) {
		if (str_eq(word, "tls"))
			s->tls = true;
		else if (str_starts(word, "dialect="))
			s->dialect = word + strlen("dialect=");
		else
			return listen_spec_bad(spec,
			    "after the port come dialect=NAME and tls", err);
	}
	if (s->dialect != NULL && !str_eq(s->dialect, "edge"))
		return listen_spec_bad(spec, "no such dialect (edge)", err);
	if (s->tls && (conf_str(conf, SET_tls_cert) == NULL ||
			  conf_str(conf, SET_tls_key) == NULL))
		return listen_spec_bad(
		    spec, "tls needs tls-cert and tls-key", err);
	return true;
}

bool
listen_spec_loopback(const struct listen_spec *s)
{
	const char *host = s->host;
	struct in_addr v4;

	if (inet_pton(AF_INET, host, &v4) == 1)
		return (ntohl(v4.s_addr) >> 24) == 127;
	return str_eq(host, "::1") || str_eq(host, "localhost");
}
