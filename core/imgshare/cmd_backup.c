/* imgshare backup: copies a registry. */
#include "core/imgshare/command.h"

#include "core/store/backup.h"

static const struct option options[] = {
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static int run(const struct command *command, int argc, char **argv)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(COMMAND_ERROR_MAX);
    struct backup_options backup = {.stop = command_stop};
    struct store store = {0};
    int option = command_option(command, argc, argv, options);

    if (option != -1)
        return command_end(option);
    if (!command_words(command, argc, argv, 2, 2, "REGISTRY FILE"))
        return STATUS_USAGE;
    if (store_open_any(argv[optind], &store, &error) < 0)
        return command_failed(&error);
    command_hold_signals();
    int result = backup_run(&store, argv[optind + 1], &backup, &error);
    store_close(&store);
    int status = result < 0 ? command_failed(&error) : STATUS_OK;
    command_release_signals();
    return status;
}

const struct command command_backup = {
    .name = "backup",
    .words = "REGISTRY FILE",
    .summary = "Copies a registry to a new file, also while it is mounted",
    .help =
        "FILE must not exist. It is a registry of its own, with mode 0600, and complete when this\n"
        "command has ended with 0; a copy that failed leaves nothing.\n",
    .run = run,
};
