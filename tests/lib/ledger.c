/*
 * ledger.c: the events of a run, and what each client got of them (ledger.h).
 */
#include "tests/lib/ledger.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DATA_BYTES 4096

bool
ledger_open(struct ledger *l, unsigned channel_count, uint32_t event_count, size_t client_cap,
    unsigned padding)
{
	assert(channel_count % 2 == 0 && padding < DATA_BYTES / 2);
	*l = (struct ledger){.channel_count = channel_count,
	    .event_count = event_count,
	    .client_cap = client_cap,
	    .padding = padding};
	l->names = calloc(channel_count, sizeof *l->names);
	l->ids = calloc(event_count, sizeof *l->ids);
	l->seen_ids = calloc(event_count, sizeof *l->seen_ids);
	l->bitmaps = calloc(client_cap, (event_count + 7) / 8);
	l->last = calloc(client_cap, CLIENT_CHANNELS_MAX * sizeof *l->last);
	l->first = calloc(client_cap, sizeof *l->first);
	if (l->names == NULL || l->ids == NULL || l->seen_ids == NULL || l->bitmaps == NULL ||
	    l->last == NULL || l->first == NULL)
		return false;
	for (unsigned i = 0; i < channel_count; i++) {
		char *name = malloc(16);

		if (name == NULL)
			return false;
		snprintf(name, 16, "room-%02u", i);
		l->names[i] = name;
	}
	return true;
}

void
ledger_close(struct ledger *l)
{
	for (unsigned i = 0; i < l->channel_count; i++)
		free((void *)(uintptr_t)l->names[i]);
	free(l->names);
	free(l->ids);
	free(l->seen_ids);
	free(l->bitmaps);
	free(l->last);
	free(l->first);
	free(l->gaps);
	*l = (struct ledger){0};
}

unsigned
ledger_channels(const struct ledger *l, uint32_t n, uint16_t channels[2])
{
	channels[0] = (uint16_t)(n % l->channel_count);
	channels[1] = channels[0] ^ 1;
	return n % 5 == 0 ? 2 : 1;
}

static const char *
type_of(uint32_t n)
{
	return n % 7 == 3 ? "note" : "message";
}

static uint32_t
checksum(const char *bytes, size_t len)
{
	uint32_t sum = 2166136261u;

	for (size_t i = 0; i < len; i++)
		sum = (sum ^ (unsigned char)bytes[i]) * 16777619u;
	return sum;
}

/* "n=... room=... seq=... xxxx sum=...", the part of the data that carries the proof. */
static size_t
core_of(const struct ledger *l, uint32_t n, char *core, size_t cap)
{
	int len = snprintf(
	    core, cap, "n=%u room=%u seq=%u ", n, n % l->channel_count, n / l->channel_count);

	assert(len > 0 && (size_t)len + l->padding + 32 < cap);
	memset(core + len, 'a' + (int)(n % 26), l->padding);
	len += (int)l->padding;
	len += snprintf(core + len, cap - (size_t)len, " sum=%08x", checksum(core, (size_t)len));
	return (size_t)len;
}

/*
 * The data of event n in both of its forms: `json`, as the envelope has it (for an object or array
 * also as clients get it, byte for byte), and `text`, what a string stands for (else the same as
 * json).
 */
static void
data_of(const struct ledger *l, uint32_t n, char json[DATA_BYTES], char text[DATA_BYTES])
{
	char core[DATA_BYTES];
	int len = (int)core_of(l, n, core, sizeof core);

	switch (n % 4) {
	case 0:
		snprintf(json, DATA_BYTES, "\"%.*s\"", len, core);
		snprintf(text, DATA_BYTES, "%.*s", len, core);
		break;
	case 1:
		snprintf(json, DATA_BYTES,
		    "{ \"core\" :\"%.*s\",\t\"list\":[1,2.50, -3e2 ] ,\"none\":null}", len, core);
		snprintf(text, DATA_BYTES, "%s", json);
		break;
	case 2:
		snprintf(json, DATA_BYTES,
		    "\"%.*s\\nsaid \\\"\\u00e9\\\" \\\\ \xc3\xa9\\t\\ud83d\\ude00\\n\\n: end \"",
		    len, core);
		snprintf(text, DATA_BYTES,
		    "%.*s\nsaid \"\xc3\xa9\" \\ \xc3\xa9\t\xf0\x9f\x98\x80\n\n: end ", len, core);
		break;
	default:
		snprintf(json, DATA_BYTES, "[ \"%.*s\", {\"deep\":[[ ]]},true ]", len, core);
		snprintf(text, DATA_BYTES, "%s", json);
		break;
	}
}

size_t
ledger_envelope(const struct ledger *l, uint32_t n, char *buffer, size_t cap)
{
	char json[DATA_BYTES], text[DATA_BYTES], channel[64];
	uint16_t channels[2];
	int len;

	data_of(l, n, json, text);
	if (ledger_channels(l, n, channels) == 2)
		snprintf(channel, sizeof channel, "[\"%s\",\"%s\"]", l->names[channels[0]],
		    l->names[channels[1]]);
	else
		snprintf(channel, sizeof channel, "\"%s\"", l->names[channels[0]]);
	len = strcmp(type_of(n), "message") == 0
		  ? snprintf(buffer, cap, "{\"channel\":%s,\"data\":%s}", channel, json)
		  : snprintf(buffer, cap, "{\"channel\":%s,\"type\":\"%s\",\"data\":%s}", channel,
			type_of(n), json);
	assert(len > 0 && (size_t)len < cap);
	return (size_t)len;
}

bool
ledger_concerns(const struct ledger *l, const struct client *c, uint32_t n, uint16_t *channel)
{
	uint16_t channels[2];
	unsigned count = ledger_channels(l, n, channels);

	for (unsigned i = 0; i < count; i++)
		for (unsigned j = 0; j < c->channel_count; j++)
			if (c->channels[j] == channels[i]) {
				*channel = channels[i];
				return true;
			}
	return false;
}

static size_t
row_bytes(const struct ledger *l)
{
	return (l->event_count + 7) / 8;
}

static bool
has(const struct ledger *l, uint32_t client, uint32_t n)
{
	return (l->bitmaps[client * row_bytes(l) + n / 8] >> (n % 8) & 1) != 0;
}

__attribute__((format(printf, 4, 5))) static void
find_fault(struct ledger *l, uint64_t *counter, const struct client *c, const char *format, ...)
{
	va_list args;
	int n;

	++*counter;
	if (l->finding[0] != '\0')
		return;
	n = snprintf(l->finding, sizeof l->finding, "client %u (%s): ", c->index,
	    client_transport_name(c->transport));
	va_start(args, format);
	vsnprintf(l->finding + n, sizeof l->finding - (size_t)n, format, args);
	va_end(args);
}

/* Whether the event's channel, type and data are those of event n. */
static bool
intact(const struct ledger *l, uint32_t n, const struct client_event *e)
{
	char json[DATA_BYTES], text[DATA_BYTES], decoded[DATA_BYTES];
	ssize_t len;

	data_of(l, n, json, text);
	if (!wire_equal(e->type, type_of(n)))
		return false;
	if (!e->data_is_json)
		return wire_equal(e->data, text);
	if (json[0] != '"')
		return wire_equal(e->data, json);
	len = wire_json_text(e->data, decoded, sizeof decoded);
	return len >= 0 && wire_equal((struct text){decoded, (size_t)len}, text);
}

/* Order holds on a connection; for channels subscribed one by one it holds in each of them. */
static uint32_t *
last_of(struct ledger *l, const struct client *c, uint16_t channel)
{
	unsigned place = 0;

	if (c->transport == CLIENT_WS_SUBSCRIBE)
		for (unsigned i = 0; i < c->channel_count; i++)
			if (c->channels[i] == channel)
				place = i;
	return &l->last[c->index * CLIENT_CHANNELS_MAX + place];
}

void
ledger_on_event(void *context, struct client *c, const struct client_event *e)
{
	struct ledger *l = context;
	const char *at = wire_find(e->data, "n=");
	uint32_t n = at != NULL ? (uint32_t)strtoul(at + 2, NULL, 10) : UINT32_MAX;
	uint16_t channel;
	uint32_t *last;

	if (n >= l->published || !intact(l, n, e)) {
		find_fault(l, &l->damaged, c, "damaged: %.*s",
		    (int)(e->data.len < 150 ? e->data.len : 150), e->data.bytes);
		return;
	}
	if (!ledger_concerns(l, c, n, &channel) ||
	    (e->channel.bytes != NULL && !wire_equal(e->channel, l->names[channel]))) {
		find_fault(l, &l->foreign, c, "event %u as one of %.*s", n, (int)e->channel.len,
		    e->channel.bytes);
		return;
	}
	if (l->seen_ids[n] == 0)
		l->seen_ids[n] = e->id;
	if (l->seen_ids[n] != e->id)
		find_fault(l, &l->wrong_id, c, "event %u has two ids", n);
	if (has(l, c->index, n)) {
		find_fault(l, &l->duplicated, c, "event %u again (opened %u times)", n, c->opens);
		return;
	}
	last = last_of(l, c, channel);
	if (n < *last)
		find_fault(l, &l->disordered, c, "event %u after %u", n, *last - 1);
	else
		*last = n + 1;
	l->bitmaps[c->index * row_bytes(l) + n / 8] |= (uint8_t)(1u << (n % 8));
	l->delivered++;
}

void
ledger_on_gap(void *context, struct client *c, const struct client_gap *g)
{
	struct ledger *l = context;
	struct ledger_gap *gap;

	if (l->gap_count == l->gap_cap) {
		l->gap_cap = l->gap_cap * 2 + 64;
		l->gaps = realloc(l->gaps, l->gap_cap * sizeof *l->gaps);
		assert(l->gaps != NULL);
	}
	gap = &l->gaps[l->gap_count++];
	*gap = (struct ledger_gap){c->index, UINT16_MAX, g->after, g->at};
	for (unsigned i = 0; i < l->channel_count; i++)
		if (wire_equal(g->channel, l->names[i]))
			gap->channel = (uint16_t)i;
}

void
ledger_on_answer(void *context, uint64_t number, uint64_t id, struct text line)
{
	struct ledger *l = context;

	(void)line;
	assert(number < l->event_count);
	l->ids[number] = id;
	l->acknowledged = (uint32_t)number + 1;
}

void
ledger_publish(struct ledger *l, struct publisher *p, uint32_t count)
{
	char envelope[2 * DATA_BYTES];

	for (; count != 0 && l->published < l->event_count; count--) {
		size_t len = ledger_envelope(l, l->published, envelope, sizeof envelope);

		l->published++;
		publisher_line(p, (struct text){envelope, len});
	}
}

uint32_t
ledger_missing(const struct ledger *l, const struct client *c)
{
	uint32_t missing = 0;
	uint16_t channel;

	for (uint32_t n = l->first[c->index]; n < l->acknowledged; n++)
		missing += ledger_concerns(l, c, n, &channel) && !has(l, c->index, n);
	return missing;
}

uint64_t
ledger_missing_all(const struct ledger *l, const struct clients *e)
{
	uint64_t missing = 0;

	for (size_t i = 0; i < e->count; i++)
		missing += ledger_missing(l, &e->list[i]);
	return missing;
}

static uint64_t
wrong_ids(const struct ledger *l)
{
	uint64_t wrong = l->wrong_id;

	for (uint32_t n = 0; n < l->acknowledged; n++) {
		wrong += l->ids[n] == 0 || (l->seen_ids[n] != 0 && l->seen_ids[n] != l->ids[n]);
		wrong += n != 0 && l->ids[n] <= l->ids[n - 1];
	}
	return wrong;
}

static void
judge_common(struct tap *t, const struct ledger *l, const struct clients *e)
{
	tap_note(
	    "%zu clients, %u events published, %u acknowledged, %llu delivered, %llu connects, %llu cut by the server",
	    e->count, l->published, l->acknowledged, (unsigned long long)l->delivered,
	    (unsigned long long)e->connects, (unsigned long long)e->cuts_by_peer);
	tap_check(t, l->acknowledged == l->published, "every event was acknowledged (%u of %u)",
	    l->acknowledged, l->published);
	tap_check(t, l->duplicated == 0, "duplicated = %llu", (unsigned long long)l->duplicated);
	tap_check(t, l->disordered == 0, "out of order = %llu", (unsigned long long)l->disordered);
	tap_check(t, l->foreign == 0, "foreign = %llu", (unsigned long long)l->foreign);
	tap_check(t, l->damaged == 0, "damaged = %llu", (unsigned long long)l->damaged);
	tap_check(t, wrong_ids(l) == 0, "ids rise and are the acknowledged ones (wrong = %llu)",
	    (unsigned long long)wrong_ids(l));
	if (l->finding[0] != '\0')
		tap_note("first fault: %s", l->finding);
	tap_check(t, e->violations == 0, "violations of the contract = %llu %s",
	    (unsigned long long)e->violations, e->violation);
}

void
ledger_judge(struct tap *t, const struct ledger *l, const struct clients *e)
{
	uint64_t lost = ledger_missing_all(l, e);

	tap_check(t, lost == 0, "lost = %llu", (unsigned long long)lost);
	for (size_t i = 0, told = 0; i < e->count && told < 8 && lost != 0; i++) {
		const struct client *c = &e->list[i];
		uint32_t missing = ledger_missing(l, c);

		if (missing == 0)
			continue;
		told++;
		tap_note("client %zu (%s, %u channels, opened %u times, state %d) misses %u", i,
		    client_transport_name(c->transport), c->channel_count, c->opens, (int)c->state,
		    missing);
	}
	judge_common(t, l, e);
	tap_check(t, l->gap_count == 0, "gaps declared = %zu", l->gap_count);
}

/* Whether event n, of this channel, lies within the gap. */
static bool
covers(const struct ledger *l, const struct ledger_gap *g, uint32_t n)
{
	uint16_t channels[2];
	unsigned count = ledger_channels(l, n, channels);

	return l->ids[n] > g->after && l->ids[n] <= g->at &&
	       (channels[0] == g->channel || (count == 2 && channels[1] == g->channel));
}

/* First event whose id is greater than `id`. */
static uint32_t
first_after(const struct ledger *l, uint64_t id)
{
	uint32_t low = 0, high = l->acknowledged;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (l->ids[middle] > id)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/*
 * Marks what the gaps declare, and counts what of it was received, and gaps that declare nothing.
 */
static void
account_gaps(
    const struct ledger *l, const struct clients *e, uint8_t *declared, struct ledger_account *a)
{
	for (size_t i = 0; i < l->gap_count; i++) {
		const struct ledger_gap *g = &l->gaps[i];
		unsigned missed = 0;
		uint16_t channel;

		for (uint32_t n = first_after(l, g->after);
		     n < l->acknowledged && l->ids[n] <= g->at; n++) {
			if (!covers(l, g, n) ||
			    !ledger_concerns(l, &e->list[g->client], n, &channel))
				continue;
			declared[g->client * row_bytes(l) + n / 8] |= (uint8_t)(1u << (n % 8));
			a->received += has(l, g->client, n);
			missed += !has(l, g->client, n);
		}
		if (missed == 0 && a->empty++ == 0)
			tap_note("empty gap: client %u (%s) channel %u after %llx at %llx",
			    g->client, client_transport_name(e->list[g->client].transport),
			    g->channel, (unsigned long long)g->after, (unsigned long long)g->at);
	}
}

struct ledger_account
ledger_account_gaps(const struct ledger *l, const struct clients *e)
{
	uint8_t *declared = calloc(l->client_cap, row_bytes(l));
	struct ledger_account a = {0};
	uint16_t channel;

	assert(declared != NULL);
	account_gaps(l, e, declared, &a);
	for (size_t i = 0; i < e->count; i++)
		for (uint32_t n = l->first[i]; n < l->acknowledged; n++) {
			if (!ledger_concerns(l, &e->list[i], n, &channel) || has(l, (uint32_t)i, n))
				continue;
			a.missing++;
			if ((declared[i * row_bytes(l) + n / 8] >> (n % 8) & 1) == 0 &&
			    a.undeclared++ == 0)
				tap_note("undeclared: client %zu (%s) misses event %u", i,
				    client_transport_name(e->list[i].transport), n);
		}
	free(declared);
	return a;
}

void
ledger_judge_gaps(struct tap *t, const struct ledger *l, const struct clients *e)
{
	struct ledger_account a = ledger_account_gaps(l, e);

	tap_note("%zu gaps, %llu events missed", l->gap_count, (unsigned long long)a.missing);
	tap_check(t, l->gap_count != 0 && a.missing != 0, "clients were lapped");
	tap_check(t, a.undeclared == 0, "missed but not declared = %llu",
	    (unsigned long long)a.undeclared);
	tap_check(
	    t, a.received == 0, "declared but received = %llu", (unsigned long long)a.received);
	tap_check(
	    t, a.empty == 0, "gaps without a missed event = %llu", (unsigned long long)a.empty);
	judge_common(t, l, e);
}
