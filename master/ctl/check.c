/*
 * check.c: `ringcast check CONFIG`: every mistake of a configuration file, each with its JSON path.
 */
#include "master/config.h"
#include "master/ctl/ctl.h"

enum ctl_exit
check_run(struct ctl *c, int argc, char **argv)
{
	static const struct ctl_option options[] = {{0}};
	struct config_mistakes mistakes = {0};
	struct ctl_operands operands;
	struct config *config;

	if (!ctl_parse(c, "check", options, argc, argv, &operands))
		return CTL_USAGE;
	if (operands.count != 1)
		return ctl_misuse(c, "check",
		    operands.count == 0 ? "the configuration file is missing"
					: "one configuration file at a time");
	config = config_load(operands.of[0], NULL, &mistakes);
	if (config != NULL) {
		fprintf(c->out, "%s: no mistakes\n", operands.of[0]);
		config_free(config);
		return CTL_OK;
	}
	for (size_t i = 0; i < mistakes.count && i < CONFIG_MISTAKES_MAX; i++)
		fprintf(c->err, "%s: %s\n", operands.of[0], config_mistake(&mistakes, i));
	if (mistakes.count > CONFIG_MISTAKES_MAX)
		fprintf(c->err, "%s: and %zu more\n", operands.of[0],
		    mistakes.count - CONFIG_MISTAKES_MAX);
	config_mistakes_clear(&mistakes);
	return CTL_FAILED;
}
