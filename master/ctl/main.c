/*
 * main.c: the command line `ringcast`: gathers what the environment says and runs the command. See ctl.h.
 */
#include <stdlib.h>
#include <unistd.h>

#include "master/ctl/ctl.h"

int
main(int argc, char **argv)
{
	const char *no_color = getenv("NO_COLOR");
	struct ctl c = {
	    .out = stdout,
	    .err = stderr,
	    .color = isatty(STDOUT_FILENO) && isatty(STDERR_FILENO) &&
		     (no_color == NULL || *no_color == '\0'),
	    .socket = secure_getenv("RINGCAST_SOCKET"),
	    .directory = secure_getenv("XDG_RUNTIME_DIR"),
	    .url = getenv("RINGCAST_URL"),
	    .uid = geteuid(),
	    .input = STDIN_FILENO,
	};
	enum ctl_exit code = ctl_run(&c, argc, argv);

	if ((fflush(stdout) != 0 || ferror(stdout)) && code == CTL_OK)
		code = ctl_fail(&c, "cannot write to standard output");
	return code;
}
