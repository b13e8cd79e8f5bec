/* imgshare check: is a registry whole? */
#include "core/imgshare/command.h"

#include "core/store/check.h"

static const struct option options[] = {
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static void print_breach(const char *breach, void *context)
{
    const char *path = context;

    (void)printf("%s: %s\n", path, breach);
}

static int run(const struct command *command, int argc, char **argv)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(COMMAND_ERROR_MAX);
    struct check_result counts = {0};
    struct store store = {0};
    int option = command_option(command, argc, argv, options);

    if (option != -1)
        return command_end(option);
    if (!command_words(command, argc, argv, 1, 1, "REGISTRY"))
        return STATUS_USAGE;
    if (store_open_any(argv[optind], &store, &error) < 0)
        return command_failed(&error);
    int result = check_run(&store, print_breach, argv[optind], &counts, &error);
    store_close(&store);
    if (result < 0)
        return command_failed(&error);
    if (counts.breaches > 0)
        return STATUS_FAILED;
    (void)printf("%s: ok: %lld accounts, %lld images, %lld shares\n", argv[optind],
                 (long long)counts.accounts, (long long)counts.images, (long long)counts.shares);
    return STATUS_OK;
}

const struct command command_check = {
    .name = "check",
    .words = "REGISTRY",
    .summary = "Checks a registry: the file, counters, limits, times, events and records",
    .help = "Prints a line for each breach, and then exits with 1. Mounts can go on meanwhile.\n",
    .run = run,
};
