/* imgshare init: makes a registry. */
#include "core/imgshare/command.h"

#include "core/base/text.h"
#include "core/store/account.h"
#include "core/store/create.h"
#include "core/store/import.h"

#include <string.h>

struct init {
    long limit;
    enum snapshot_policy policy;
    const char **accounts; /* pins */
    size_t account_count;
};

enum option_value {
    OPTION_ACCOUNT = COMMAND_OPTION,
    OPTION_LIMIT,
    OPTION_SNAPSHOTS,
};

static const struct option options[] = {
    {"account", required_argument, NULL, OPTION_ACCOUNT},
    {"limit", required_argument, NULL, OPTION_LIMIT},
    {"snapshots", required_argument, NULL, OPTION_SNAPSHOTS},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

/* Checks PIN and remembers it. STATUS_OK or STATUS_USAGE. */
static int add_pin(const struct command *command, struct init *init, const char *pin)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(COMMAND_ERROR_MAX);

    if (account_check_pin(pin, &error) < 0)
        return command_wrong(command, "--account %s", buffer_text(&error));
    for (size_t i = 0; i < init->account_count; i++)
        if (strcmp(init->accounts[i], pin) == 0)
            return command_wrong(command, "--account %s is there twice", pin);
    init->accounts[init->account_count++] = pin;
    return STATUS_OK;
}

static int read_option(const struct command *command, struct init *init, int option)
{
    CLEANUP_BUFFER struct buffer word = BUFFER_INIT(4096);

    text_escape(&word, optarg);
    switch (option) {
    case OPTION_ACCOUNT:
        return add_pin(command, init, optarg);
    case OPTION_LIMIT:
        if (!command_number(optarg, 1, IMPORT_LIMIT_MAX, &init->limit))
            return command_wrong(command, "--limit %s is not a number from 1 to %d",
                                 buffer_text(&word), IMPORT_LIMIT_MAX);
        return STATUS_OK;
    case OPTION_SNAPSHOTS:
    default:
        if (rules_policy_parse(optarg, &init->policy) < 0)
            return command_wrong(command, "--snapshots %s is not any, encrypted or none",
                                 buffer_text(&word));
        return STATUS_OK;
    }
}

static int make(const struct init *init, const char *path)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(COMMAND_ERROR_MAX);
    const struct create_options wanted = {
        .limit = init->limit,
        .policy = init->policy,
        .accounts = init->accounts,
        .account_count = init->account_count,
    };

    return store_create(path, &wanted, &error) < 0 ? command_failed(&error) : STATUS_OK;
}

static int run(const struct command *command, int argc, char **argv)
{
    CLEANUP_FREE const char **accounts = calloc((size_t)argc + 1, sizeof(*accounts));
    struct init init = {
        .limit = RULES_DEFAULT_LIMIT, .policy = SNAPSHOTS_ANY, .accounts = accounts};
    int option = 0;

    if (!accounts)
        return command_no_memory();
    while ((option = command_option(command, argc, argv, options)) > 0 && option != '?') {
        int status = read_option(command, &init, option);
        if (status != STATUS_OK)
            return status;
    }
    if (option != -1)
        return command_end(option);
    if (!command_words(command, argc, argv, 1, 1, "REGISTRY"))
        return STATUS_USAGE;
    return make(&init, argv[optind]);
}

const struct command command_init = {
    .name = "init",
    .words = "REGISTRY [--account PIN]... [--limit N] [--snapshots any|encrypted|none]",
    .summary = "Makes a registry: one file that holds accounts, images and shares",
    .help = "  --account PIN   an account to begin with; may be given several times\n"
            "  --limit N       with how many accounts an image may be shared (20)\n"
            "  --snapshots W   which referenced snapshots forbid sharing: any (the default),\n"
            "                  encrypted, or none\n"
            "\n"
            "The file is made with mode 0600: who may write it can act as any account in it.\n",
    .run = run,
};
