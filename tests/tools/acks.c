/*
 * acks - how an agent of foreign make acknowledges a command
 */
#include "acks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include "jsonpeek.h"
#include "wsframe.h"

bool
acks_is_command(const char *json)
{
	return jsonpeek_is(json, 1, "type", "\"command\"");
}

void
acks_remember(struct peer *p)
{
	if (!acks_is_command(p->msg.at))
		return;
	free(p->last_command);
	p->last_command = strdup(p->msg.at);
}

static void
put_time(char *out, size_t size)
{
	struct timeval now;
	struct tm tm;
	char date[32];

	gettimeofday(&now, NULL);
	gmtime_r(&now.tv_sec, &tm);
	strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out, size, "%s.%03dZ", date, (int)(now.tv_usec / 1000));
}

/* The members that follow the command's id. */
static void
put_outcome(char *out, size_t size, const char *word)
{
	char at[64];

	put_time(at, sizeof at);
	if (strcmp(word, "success") == 0)
		snprintf(out, size,
		    "\"success\":true,\"error\":null,"
		    "\"timestamp\":\"%s\"",
		    at);
	else if (strcmp(word, "failure") == 0)
		snprintf(out, size,
		    "\"success\":false,\"error\":\"wsprobe\","
		    "\"timestamp\":\"%s\"",
		    at);
	else if (strcmp(word, "completed") == 0)
		snprintf(out, size,
		    "\"status\":\"completed\","
		    "\"completed_at\":\"%s\"",
		    at);
	else if (strcmp(word, "failed") == 0)
		snprintf(out, size,
		    "\"status\":\"failed\","
		    "\"error\":\"wsprobe\"");
	else
		snprintf(out, size, "\"status\":\"%s\"", word);
}

static bool
send_one(struct peer *p, const char *word)
{
	char outcome[512], *text;
	const char *id = "null";
	size_t len = 4;
	int n;
	bool done;

	put_outcome(outcome, sizeof outcome, word);
	if (!jsonpeek(p->last_command, 2, "command_id", &id, &len))
		fputs("wsprobe: a command without an id\n", stderr);
	n = asprintf(&text,
	    "{\"type\":\"command_ack\",\"data\":"
	    "{\"command_id\":%.*s,%s}}",
	    (int)len, id, outcome);
	if (n == -1)
		return false;
	done = peer_send(p, WS_FIN | WS_TEXT, text, (size_t)n);
	free(text);
	return done;
}

bool
acks_send(struct peer *p, const char *how)
{
	char *words = strdup(how), *rest = words, *word;
	bool done = true;

	while (done && (word = strsep(&rest, ",")) != NULL)
		done = send_one(p, word);
	free(words);
	return done;
}
