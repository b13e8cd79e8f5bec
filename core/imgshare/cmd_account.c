/* imgshare account add, imgshare account list. */
#include "core/imgshare/command.h"

#include "core/base/text.h"
#include "core/store/account.h"

enum option_value {
    OPTION_MOBILE = COMMAND_OPTION,
};

static const struct option add_options[] = {
    {"mobile", required_argument, NULL, OPTION_MOBILE},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static int add(const char *path, const char *pin, const char *mobile)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(COMMAND_ERROR_MAX);
    struct store store = {0};

    if (store_open(path, &store, &error) < 0)
        return command_failed(&error);
    int result = account_add(&store, pin, mobile, &error);
    store_close(&store);
    return result < 0 ? command_failed(&error) : STATUS_OK;
}

static int run_add(const struct command *command, int argc, char **argv)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(COMMAND_ERROR_MAX);
    const char *mobile = NULL;
    int option = 0;

    while ((option = command_option(command, argc, argv, add_options)) > 0 && option != '?')
        mobile = optarg;
    if (option != -1)
        return command_end(option);
    if (!command_words(command, argc, argv, 2, 2, "REGISTRY PIN"))
        return STATUS_USAGE;
    if (mobile && !account_is_mobile(mobile)) {
        text_escape(&error, mobile);
        return command_wrong(command, "--mobile %s is not a number of %d to %d digits",
                             buffer_text(&error), ACCOUNT_MOBILE_MIN, ACCOUNT_MOBILE_MAX);
    }
    if (account_check_pin(argv[optind + 1], &error) < 0)
        return command_wrong(command, "%s", buffer_text(&error));
    return add(argv[optind], argv[optind + 1], mobile);
}

const struct command command_account_add = {
    .name = "account add",
    .words = "REGISTRY PIN [--mobile N]",
    .summary = "Adds an account, known by its User Pin",
    .help =
        "  --mobile N   the account's mobile number, 5 to 20 digits: who shares with that instead\n"
        "               of the pin is told so\n"
        "\n"
        "A pin that begins with a dash comes after the word --.\n",
    .run = run_add,
};

static const struct option list_options[] = {
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static int print_account(const struct account_entry *entry, void *context)
{
    CLEANUP_BUFFER struct buffer line = BUFFER_INIT(4096);

    (void)context;
    text_escape(&line, entry->pin);
    (void)printf("%s\t%s\t%lld\t%lld\n", buffer_text(&line), entry->mobile[0] ? entry->mobile : "-",
                 (long long)entry->images, (long long)entry->received);
    return 0;
}

static int run_list(const struct command *command, int argc, char **argv)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(COMMAND_ERROR_MAX);
    struct store store = {0};
    int option = command_option(command, argc, argv, list_options);

    if (option != -1)
        return command_end(option);
    if (!command_words(command, argc, argv, 1, 1, "REGISTRY"))
        return STATUS_USAGE;
    if (store_open_any(argv[optind], &store, &error) < 0)
        return command_failed(&error);
    int result = account_list(&store, print_account, NULL, &error);
    store_close(&store);
    return result < 0 ? command_failed(&error) : STATUS_OK;
}

const struct command command_account_list = {
    .name = "account list",
    .words = "REGISTRY",
    .summary = "Lists the accounts of a registry",
    .help =
        "A line for each, separated by tabs: pin, mobile number or -, images that it owns, images\n"
        "that are shared with it.\n",
    .run = run_list,
};
