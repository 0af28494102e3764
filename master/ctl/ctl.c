/*
 * ctl.c: the frame of `ringcast`. See ctl.h.
 */
#include "master/ctl/ctl.h"

#include <stdarg.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "master/version.h"

#define PAUSE_MIN_MS 250
#define PAUSE_MAX_MS 10000

static const struct command {
	const char *name;
	enum ctl_exit (*run)(struct ctl *c, int argc, char **argv);
	const char *help;
} commands[] = {
    {"pub", pub_run,
	"usage: ringcast pub CHANNEL [DATA]\n"
	"Publishes DATA, or a file, or each line of standard input as one event, and prints its id.\n"
	"\n"
	"  --type TYPE     the event's type (default: message)\n"
	"  --json          the data is JSON, not text\n"
	"  --file FILE     the data is the content of FILE\n"
	"  --key KEY       publishes only if the key is new (one event only)\n"
	"  --socket PATH   the publish socket (default: $RINGCAST_SOCKET,\n"
	"                  $XDG_RUNTIME_DIR/ringcast/publish.sock, /run/ringcast/publish.sock)\n"},
    {"sub", sub_run,
	"usage: ringcast sub CHANNEL...\n"
	"Prints what is published, an event object a line; reconnects and resumes. Gaps go to standard error.\n"
	"\n"
	"  --url URL       the server (default: $RINGCAST_URL, http://127.0.0.1:8080);\n"
	"                  with its path_prefix: http://HOST:PORT/prefix, unix:/path:/prefix\n"
	"  --sse, --ws, --poll, --longpoll\n"
	"                  the transport (default: --sse)\n"
	"  --after CURSOR  an event's id; 0: all that is kept; -N: the last N; a Unix time in ms (default: from now)\n"
	"  --count N       ends after N events\n"
	"  --data          prints only the data\n"},
    {"stat", stat_run,
	"usage: ringcast stat\n"
	"Shows what the server does.\n"
	"\n"
	"  --watch         again every second, with rates\n"
	"  --json          as JSON\n"
	"  --socket PATH   the publish socket, as for pub\n"},
    {"check", check_run,
	"usage: ringcast check CONFIG\n"
	"Checks a configuration file and names every mistake in it with its JSON path.\n"},
    {"bench", bench_run,
	"usage: ringcast bench [SCENARIO]\n"
	"Opens many clients, publishes, verifies every delivery, and tells what it cost. Exits 1 if anything was lost.\n"
	"\n"
	"  idle        connect and hold          channels    many small channels\n"
	"  broadcast   one channel (default)     burst       events back to back against single ones\n"
	"  storm       all connect, all leave    slow        some clients do not read\n"
	"  resume      all come back behind      isolation   a small channel beside a busy large one\n"
	"\n"
	"  --transport sse|ws|longpoll|poll      --clients N\n"
	"  --rate EVENTS_PER_S   --seconds S     --size BYTES (64 and more)\n"
	"  --channels N          --burst EVENTS  --rounds N    --slow CLIENTS\n"
	"  --ramp N              connects a second (default: as fast as it goes)\n"
	"  --process-clients N   clients in a load process (default: what descriptors allow)\n"
	"  --sources A,B,...     addresses to connect from (default on loopback: 127.0.0.1 to .200)\n"
	"  --json FILE, --html FILE\n"
	"                        the report for machines, and as a page (- is standard output)\n"
	"  --url URL, --socket PATH\n"
	"                        the server, and its publish socket\n"
	"  --pid PID,...         the server's processes, whose children count (default: who has the socket)\n"
	"  --subscribe-url URL, --publish-url URL, --hello TEXT\n"
	"                        another server: {channel} and {client} are filled in; events are POSTed;\n"
	"                        TEXT is what a WebSocket client says first\n"},
};

#define COMMAND_COUNT (sizeof commands / sizeof *commands)

static const char help[] =
    "usage: ringcast COMMAND ...\n"
    "\n"
    "  pub CHANNEL [DATA]   publish an event, or each line of standard input\n"
    "  sub CHANNEL...       print events as they are published\n"
    "  stat                 what the server does\n"
    "  check CONFIG         look for mistakes in a configuration\n"
    "  bench [SCENARIO]     what a server bears: very many clients, every delivery verified\n"
    "\n"
    "ringcast COMMAND --help tells more; ringcast --version the version.\n"
    "Exit codes: 0 done, 1 failed, 2 not understood.\n";

/* ---- telling ------------------------------------------------------------------------------------------ */

__attribute__((format(printf, 3, 0))) static void
tell(struct ctl *c, const char *color, const char *format, va_list arguments)
{
	fflush(c->out);
	fprintf(c->err, c->color ? "\033[%smringcast:\033[0m " : "%.0sringcast: ", color);
	vfprintf(c->err, format, arguments);
	fputc('\n', c->err);
}

enum ctl_exit
ctl_misuse(struct ctl *c, const char *command, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	tell(c, "31", format, arguments);
	va_end(arguments);
	fprintf(c->err, "See: ringcast%s%s --help\n", *command == '\0' ? "" : " ", command);
	return CTL_USAGE;
}

enum ctl_exit
ctl_fail(struct ctl *c, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	tell(c, "31", format, arguments);
	va_end(arguments);
	return CTL_FAILED;
}

void
ctl_note(struct ctl *c, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	tell(c, "33", format, arguments);
	va_end(arguments);
	fflush(c->err);
}

/* ---- options ------------------------------------------------------------------------------------------ */

/* "-1" is a number and "-" a name, not options. */
static bool
is_option(const char *argument)
{
	return argument[0] == '-' && argument[1] != '\0' &&
	       (argument[1] < '0' || argument[1] > '9');
}

static const struct ctl_option *
find_option(const struct ctl_option *options, const char *name, size_t len)
{
	for (; options->name != NULL; options++)
		if (strlen(options->name) == len && memcmp(options->name, name, len) == 0)
			return options;
	return NULL;
}

/* Takes the option at argv[*at], and its value. */
static bool
take_option(struct ctl *c, const char *command, const struct ctl_option *options, int argc,
    char **argv, int *at)
{
	const char *name = argv[*at];
	size_t len = strcspn(name, "=");
	const struct ctl_option *option = find_option(options, name, len);
	const char *value = name[len] == '=' ? name + len + 1 : NULL;

	if (option == NULL) {
		ctl_misuse(c, command, "there is no option %.*s", (int)len, name);
		return false;
	}
	if (option->value == NULL) {
		if (value != NULL)
			ctl_misuse(c, command, "%s takes no value", option->name);
		else
			*option->on = true;
		return value == NULL;
	}
	if (value == NULL && *at + 1 == argc) {
		ctl_misuse(c, command, "%s needs a value", option->name);
		return false;
	}
	*option->value = value != NULL ? value : argv[++*at];
	return true;
}

bool
ctl_parse(struct ctl *c, const char *command, const struct ctl_option *options, int argc,
    char **argv, struct ctl_operands *operands)
{
	bool only_operands = false;

	operands->count = 0;
	for (int at = 1; at < argc; at++) {
		if (!only_operands && strcmp(argv[at], "--") == 0) {
			only_operands = true;
		} else if (!only_operands && is_option(argv[at])) {
			if (!take_option(c, command, options, argc, argv, &at))
				return false;
		} else if (operands->count == CTL_OPERANDS_MAX) {
			ctl_misuse(c, command, "too many arguments");
			return false;
		} else {
			operands->of[operands->count++] = argv[at];
		}
	}
	return true;
}

bool
ctl_number(const char *text, uint64_t max, uint64_t *number)
{
	*number = 0;
	if (*text == '\0')
		return false;
	for (; *text != '\0'; text++) {
		uint64_t digit = (uint64_t)(*text - '0');

		if (*text < '0' || *text > '9' || digit > max || *number > (max - digit) / 10)
			return false;
		*number = *number * 10 + digit;
	}
	return true;
}

/* ---- pauses ------------------------------------------------------------------------------------------- */

unsigned
ctl_pause_ms(unsigned tries)
{
	unsigned longest = tries > 5 ? PAUSE_MAX_MS : (unsigned)PAUSE_MIN_MS << tries;
	uint32_t random = 0;

	/* Without randomness the pauses are merely all alike. */
	if (getrandom(&random, sizeof random, 0) != sizeof random)
		random = 0;
	return PAUSE_MIN_MS / 2 + random % (longest < PAUSE_MAX_MS ? longest : PAUSE_MAX_MS);
}

void
ctl_sleep_ms(unsigned ms)
{
	struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	while (nanosleep(&left, &left) == -1)
		continue;
}

/* ---- the frame ---------------------------------------------------------------------------------------- */

static bool
asks_for_help(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return true;
	return false;
}

enum ctl_exit
ctl_run(struct ctl *c, int argc, char **argv)
{
	if (argc < 2)
		return ctl_misuse(c, "", "a command is missing: pub, sub, stat, check or bench");
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		if (strcmp(argv[1], commands[i].name) != 0)
			continue;
		if (!asks_for_help(argc - 1, argv + 1))
			return commands[i].run(c, argc - 1, argv + 1);
		fputs(commands[i].help, c->out);
		return CTL_OK;
	}
	if (strcmp(argv[1], "--version") == 0) {
		fputs("ringcast " VERSION_TEXT "\n", c->out);
		return CTL_OK;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0) {
		fputs(help, c->out);
		return CTL_OK;
	}
	return ctl_misuse(
	    c, "", "there is no command %s: there are pub, sub, stat, check and bench", argv[1]);
}
