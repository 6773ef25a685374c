#include "ewsd/core/auth.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "ewsd/core/auth_set.h"
#include "ewsd/core/rate.h"
#include "ewsd/settings.h"
#include "lib/buf.h"
#include "lib/id.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/secret.h"
#include "lib/str.h"

enum { ADDRESSES_MAX = 16384, SIGNED_AGE_S = 300 };

struct auth {
	const struct conf *conf;
	struct clock *clock;
	struct auth_set set;
	struct rate *failures;
	unsigned generation;
};

struct auth *
auth_new(const struct conf *conf, struct clock *clock, struct err *err)
{
	struct auth *a = mem_alloc(sizeof *a);

	a->conf = conf;
	a->clock = clock;
	if (!auth_set_load(&a->set, conf, err)) {
		free(a);
		return NULL;
	}
	a->failures = rate_new((unsigned)conf_int(conf, SET_auth_burst),
	    conf_int(conf, SET_auth_window), ADDRESSES_MAX);
	if (conf_bool(conf, SET_raw_secret))
		log_info("whoever holds the shared secret can be any agent "
			 "(raw-secret)");
	return a;
}

bool
auth_reload(struct auth *a, struct err *err)
{
	struct auth_set set;

	if (!auth_set_load(&set, a->conf, err))
		return false;
	auth_set_inherit(&set, &a->set);
	auth_set_fini(&a->set);
	a->set = set;
	a->generation++;
	return true;
}

void
auth_free(struct auth *a)
{
	if (a == NULL)
		return;
	auth_set_fini(&a->set);
	rate_free(a->failures);
	free(a);
}

bool
auth_made(const struct auth *a)
{
	return a->set.made;
}

unsigned
auth_generation(const struct auth *a)
{
	return a->generation;
}

bool
auth_still(const struct auth *a, uint32_t serial)
{
	for (size_t i = 0; i < a->set.n; i++)
		if (a->set.secrets[i].serial == serial)
			return true;
	return false;
}

/* The text behind "Bearer ", or NULL. */
static const char *
bearer(const char *authorization)
{
	if (authorization == NULL || strncasecmp(authorization, "Bearer ", 7))
		return NULL;
	authorization += 7 + strspn(authorization + 7, " ");
	return *authorization != '\0' ? authorization : NULL;
}

static void
prove(struct auth_who *who, const char *id, bool bound, uint32_t serial)
{
	memset(who, 0, sizeof *who);
	who->edge = true;
	who->bound = bound;
	who->serial = serial;
	if (id != NULL)
		str_copy(who->id, sizeof who->id, id);
}

/* Every secret is tried in both forms whatever the outcome, so that the
 * time taken says nothing (ABUSE 76). */
static enum auth_answer
judge(struct auth *a, const char *token, const char *claimed,
    struct auth_who *who)
{
	bool raw_ok = conf_bool(a->conf, SET_raw_secret);
	int64_t now_s = clock_wall(a->clock) / 1000;
	enum auth_answer answer = AUTH_WRONG;

	for (size_t i = 0; i < a->set.n; i++) {
		const struct auth_secret *s = &a->set.secrets[i];
		struct secret_token t;
		bool raw = secret_eq(token, s->text) && raw_ok;
		bool form_b = secret_token_open(token, s->text, &t) &&
			      secret_token_fresh(&t, now_s) && id_name_ok(t.id);

		if (raw) {
			prove(who, claimed, false, s->serial);
			answer = AUTH_OK;
		} else if (form_b && claimed != NULL &&
			   !str_eq(t.id, claimed)) {
			answer = AUTH_FOREIGN;
		} else if (form_b) {
			prove(who, t.id, true, s->serial);
			answer = AUTH_OK;
		}
	}
	return answer;
}

enum auth_answer
auth_bearer(struct auth *a, const char *authorization, const char *claimed,
    struct auth_who *who)
{
	const char *token = bearer(authorization);

	if (token == NULL)
		return AUTH_MISSING;
	if (claimed != NULL && !id_name_ok(claimed))
		return AUTH_WRONG;
	return judge(a, token, claimed, who);
}

static bool
signed_in_time(struct auth *a, const char *ts)
{
	int64_t now_s = clock_wall(a->clock) / 1000;
	uint64_t at;

	if (!str_u64(ts, 1, INT32_MAX * 4ULL, &at))
		return false;
	return (int64_t)at >= now_s - SIGNED_AGE_S &&
	       (int64_t)at <= now_s + SIGNED_AGE_S;
}

enum auth_answer
auth_signature(
    struct auth *a, const struct auth_signed *s, struct auth_who *who)
{
	enum auth_answer answer = AUTH_WRONG;
	char hex[65];
	struct buf b;

	if (s->id == NULL || s->ts == NULL || s->signature == NULL)
		return AUTH_MISSING;
	if (!id_name_ok(s->id) || !signed_in_time(a, s->ts))
		return AUTH_WRONG;
	buf_init(&b, s->body_len + strlen(s->path) + 256);
	buf_printf(&b, "%s:%s:%s:", s->method, s->path, s->ts);
	buf_add(&b, s->body, s->body_len);
	for (size_t i = 0; i < a->set.n && !b.failed; i++) {
		const struct auth_secret *key = &a->set.secrets[i];

		secret_hmac_hex(hex, key->text, b.bytes, b.len);
		if (secret_eq(hex, s->signature)) {
			prove(who, s->id, false, key->serial);
			answer = AUTH_OK;
		}
	}
	buf_fini(&b);
	return answer;
}

enum auth_answer
auth_admin(struct auth *a, const char *key, const char *authorization,
    struct auth_who *who)
{
	const char *token = bearer(authorization);
	const char *want = a->set.admin;
	bool good;

	if (key == NULL && token == NULL)
		return AUTH_MISSING;
	good = secret_eq(key != NULL ? key : "", want != NULL ? want : "-");
	good |=
	    secret_eq(token != NULL ? token : "", want != NULL ? want : "-");
	if (want == NULL || !good)
		return AUTH_WRONG;
	memset(who, 0, sizeof *who);
	who->admin = true;
	return AUTH_OK;
}

bool
auth_registration(struct auth *a, const char *token, const char *id)
{
	const char *want = a->set.registration;
	struct auth_who who;
	bool known;

	known = secret_eq(token, want != NULL ? want : "-") && want != NULL;
	return (judge(a, token, id, &who) == AUTH_OK) | known;
}

char *
auth_token(struct auth *a, const char *id, const char *phone)
{
	return secret_token(
	    a->set.secrets[0].text, id, phone, clock_wall(a->clock) / 1000);
}

/* Whoever has one IPv6 address has a whole /64: it counts as one. */
static const char *
source_of(const char *address, char text[64])
{
	struct in6_addr v6;

	if (inet_pton(AF_INET6, address, &v6) != 1)
		return address;
	memset(v6.s6_addr + 8, 0, 8);
	return inet_ntop(AF_INET6, &v6, text, 64);
}

int
auth_failed(struct auth *a, const char *address)
{
	char text[64];
	int64_t ms = rate_take(
	    a->failures, source_of(address, text), clock_mono(a->clock));

	return (int)((ms + 999) / 1000);
}
