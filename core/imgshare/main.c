/*
 * imgshare: keeps registries of images, accounts and shares, and explains refusals.
 */
#include "core/imgshare/command.h"

#include "core/base/text.h"

#include <signal.h>
#include <string.h>

static const struct command *const commands[] = {
    &command_init,  &command_account_add, &command_account_list, &command_import, &command_export,
    &command_check, &command_backup,      &command_explain,      &command_plan,   &command_apply,
    &command_audit, &command_undo,        &command_graph,
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void print_help(void)
{
    (void)puts(
        "usage: imgshare COMMAND [WORD]...\n"
        "\n"
        "Keeps registries of private VM images, accounts and shares, for imgsharefs to mount;\n"
        "plans, checks, undoes and draws the shares of what is mounted.\n");
    for (size_t i = 0; i < COMMANDS; i++)
        (void)printf("  %-13s %s\n", commands[i]->name, commands[i]->summary);
    (void)puts(
        "\n"
        "  imgshare COMMAND --help tells more of each; imgshare --version prints the version.\n"
        "  The exit status is 0, 1 where the command failed, 2 where it was called wrongly;\n"
        "  plan, undo and audit say more with it: see there.");
}

static int wrong_command(const char *what, const char *word)
{
    CLEANUP_BUFFER struct buffer shown = BUFFER_INIT(4096);

    text_escape(&shown, word);
    (void)fprintf(stderr, "imgshare: %s%s%s; see: imgshare --help\n", what, *word ? ": " : "",
                  buffer_text(&shown));
    return STATUS_USAGE;
}

/* How many of the words are the command's NAME ("account add" is two): 0 where it is another. */
static int name_words(const char *name, int argc, char **argv)
{
    const char *second = strchr(name, ' ');

    if (!second)
        return argc > 1 && strcmp(argv[1], name) == 0 ? 1 : 0;
    size_t first = (size_t)(second - name);
    bool same = argc > 2 && strlen(argv[1]) == first && memcmp(argv[1], name, first) == 0 &&
                strcmp(argv[2], second + 1) == 0;
    return same ? 2 : 0;
}

/* "account" alone, or with what is none of its commands. */
static int account_command(int argc, char **argv)
{
    if (argc > 2 && (strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0)) {
        command_help(&command_account_add);
        (void)puts("");
        command_help(&command_account_list);
        return STATUS_OK;
    }
    return argc > 2 ? wrong_command("account has add and list, not", argv[2])
                    : wrong_command("account needs add or list", "");
}

static int run(int argc, char **argv)
{
    if (argc < 2)
        return wrong_command("no command", "");
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_help();
        return STATUS_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        (void)puts("imgshare " IMGSHAREFS_VERSION);
        return STATUS_OK;
    }
    for (size_t i = 0; i < COMMANDS; i++) {
        int words = name_words(commands[i]->name, argc, argv);
        if (words > 0)
            return commands[i]->run(commands[i], argc - words, argv + words);
    }
    if (strcmp(argv[1], "account") == 0)
        return account_command(argc, argv);
    return wrong_command(argv[1][0] == '-' ? "unknown option" : "unknown command", argv[1]);
}

int main(int argc, char **argv)
{
    /* A reader that goes away is an error of writing, and is said as one. */
    (void)signal(SIGPIPE, SIG_IGN);
    int status = run(argc, argv);

    return status == STATUS_OK ? command_written(status, STATUS_FAILED) : status;
}
