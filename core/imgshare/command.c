/* What the commands share: see the header. */
#include "core/imgshare/command.h"

#include "core/base/text.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

void command_help(const struct command *command)
{
    (void)printf("usage: imgshare %s%s%s\n\n%s.\n%s%s", command->name, *command->words ? " " : "",
                 command->words, command->summary, *command->help ? "\n" : "", command->help);
}

/* Says what is wrong with the option that getopt_long() has just met. */
static void wrong_option(const struct command *command, char **argv, const struct option *options,
                         int found)
{
    CLEANUP_BUFFER struct buffer word = BUFFER_INIT(4096);
    const char *name = "";

    for (size_t i = 0; options[i].name; i++)
        if (options[i].val == optopt)
            name = options[i].name;
    if (optopt != 0 && !*name)
        buffer_printf(&word, "-%c", optopt);
    else if (*name)
        buffer_printf(&word, "--%s", name);
    else
        text_escape(&word, argv[optind - 1]);
    if (found == ':')
        (void)command_wrong(command, "%s needs a value", buffer_text(&word));
    else if (*name)
        (void)command_wrong(command, "%s takes no value", buffer_text(&word));
    else
        (void)command_wrong(command, "unknown option %s", buffer_text(&word));
}

int command_option(const struct command *command, int argc, char **argv,
                   const struct option *options)
{
    int found = getopt_long(argc, argv, ":h", options, NULL);

    if (found == 'h') {
        command_help(command);
        return 0;
    }
    if (found == '?' || found == ':') {
        wrong_option(command, argv, options, found);
        return '?';
    }
    return found;
}

int command_end(int option)
{
    return option == 0 ? STATUS_OK : STATUS_USAGE;
}

bool command_words(const struct command *command, int argc, char **argv, int minimum, int maximum,
                   const char *names)
{
    int count = argc - optind;

    if (count < minimum) {
        for (int i = 0; i < count; i++)
            names += strcspn(names, " ") + 1;
        (void)command_wrong(command, "%.*s is missing", (int)strcspn(names, " "), names);
        return false;
    }
    if (maximum >= 0 && count > maximum) {
        CLEANUP_BUFFER struct buffer word = BUFFER_INIT(4096);
        text_escape(&word, argv[optind + maximum]);
        (void)command_wrong(command, "one word too many: %s", buffer_text(&word));
        return false;
    }
    return true;
}

int command_wrong(const struct command *command, const char *format, ...)
{
    va_list arguments;

    (void)fprintf(stderr, "imgshare: %s: ", command->name);
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fprintf(stderr, "; see: imgshare %s --help\n", command->name);
    return STATUS_USAGE;
}

int command_no_memory(void)
{
    (void)fprintf(stderr, "imgshare: %s\n", strerrordesc_np(ENOMEM));
    return STATUS_FAILED;
}

int command_failed(const struct buffer *error)
{
    if (error->length == 0)
        return command_no_memory();
    (void)fprintf(stderr, "imgshare: %s\n", buffer_text(error));
    return STATUS_FAILED;
}

int command_print(const struct buffer *out)
{
    if (buffer_failed(out))
        return command_no_memory();
    (void)fputs(buffer_text(out), stdout);
    return STATUS_OK;
}

int command_written(int status, int failed)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    (void)fprintf(stderr, "imgshare: standard output: %s\n",
                  errno ? strerrordesc_np(errno) : "not everything could be written");
    return failed;
}

bool command_number(const char *word, long minimum, long maximum, long *number)
{
    char *end = NULL;

    if (strspn(word, "0123456789") != strlen(word) || !*word)
        return false;
    errno = 0;
    *number = strtol(word, &end, 10);
    return errno == 0 && *end == '\0' && *number >= minimum && *number <= maximum;
}

static void ending_signals(sigset_t *set)
{
    (void)sigemptyset(set);
    (void)sigaddset(set, SIGINT);
    (void)sigaddset(set, SIGTERM);
    (void)sigaddset(set, SIGHUP);
}

bool command_stop(void *context)
{
    sigset_t waiting;

    (void)context;
    return sigpending(&waiting) == 0 &&
           (sigismember(&waiting, SIGINT) == 1 || sigismember(&waiting, SIGTERM) == 1 ||
            sigismember(&waiting, SIGHUP) == 1);
}

void command_hold_signals(void)
{
    sigset_t set;

    ending_signals(&set);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
}

void command_release_signals(void)
{
    sigset_t set;

    ending_signals(&set);
    (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
}
