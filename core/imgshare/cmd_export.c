/* imgshare export: writes a registry as JSON. */
#include "core/imgshare/command.h"

#include "core/store/export.h"

#include <errno.h>
#include <string.h>

static const struct option options[] = {
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static int write_out(const char *bytes, size_t length, void *context)
{
    (void)context;
    errno = 0;
    if (fwrite(bytes, 1, length, stdout) == length)
        return 0;
    return errno ? -errno : -EIO;
}

static int run(const struct command *command, int argc, char **argv)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(COMMAND_ERROR_MAX);
    struct store store = {0};
    int option = command_option(command, argc, argv, options);

    if (option != -1)
        return command_end(option);
    if (!command_words(command, argc, argv, 1, 1, "REGISTRY"))
        return STATUS_USAGE;
    if (store_open_any(argv[optind], &store, &error) < 0)
        return command_failed(&error);
    int result = export_run(&store, write_out, NULL, &error);
    store_close(&store);
    if (result < 0 && error.length == 0)
        buffer_printf(&error, "standard output: %s", strerrordesc_np(-result));
    return result < 0 ? command_failed(&error) : STATUS_OK;
}

const struct command command_export = {
    .name = "export",
    .words = "REGISTRY",
    .summary = "Writes all of a registry as JSON, one object a line",
    .help =
        "The first line has the settings, then a line for each account, then one for each image "
        "with\n"
        "its shares. imgshare import reads it into a new registry; the log of events and refusals\n"
        "stay behind.\n",
    .run = run,
};
