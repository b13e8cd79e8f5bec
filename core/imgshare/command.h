/*
 * The commands of imgshare, and what they share: how they are called, and how they speak.
 *
 * A command gets its own words (argv[0] is its name, or "account add") and returns the exit status:
 * 0, 1 where it failed, 2 where it was called wrongly. Errors go to standard error as "imgshare:
 * ...".
 */
#ifndef CORE_IMGSHARE_COMMAND_H
#define CORE_IMGSHARE_COMMAND_H

#include "core/base/buffer.h"

#include <getopt.h>
#include <stdbool.h>

enum exit_status {
    STATUS_OK = 0,
    STATUS_FAILED = 1,
    STATUS_USAGE = 2,
    STATUS_CHANGES = 2, /* of plans: there is something to do; a wrong call is a failure then */
};

/* Values of options begin here, above those of characters. */
#define COMMAND_OPTION 256

/* One command. All strings are static. */
struct command {
    const char *name;
    const char *words;   /* what follows the name, for the usage line */
    const char *summary; /* one line */
    const char *help;    /* the rest of its help, lines with their newlines */
    int (*run)(const struct command *command, int argc, char **argv);
};

extern const struct command command_init;
extern const struct command command_account_add;
extern const struct command command_account_list;
extern const struct command command_import;
extern const struct command command_export;
extern const struct command command_check;
extern const struct command command_backup;
extern const struct command command_explain;
extern const struct command command_plan;
extern const struct command command_apply;
extern const struct command command_audit;
extern const struct command command_undo;
extern const struct command command_graph;

/* Prints the help of COMMAND on standard output. */
void command_help(const struct command *command);

/* Reads the next option as getopt_long() does, from OPTIONS (long ones, of which only help has a
 * value below COMMAND_OPTION, 'h'; ended by an empty one). Returns its val, -1 at the end, 0 where
 * --help was asked for and printed, or '?' where the option was wrong and that was said. */
int command_option(const struct command *command, int argc, char **argv,
                   const struct option *options);

/* What a command returns when command_option() gave OPTION, one of its last two. */
int command_end(int option);

/* Checks that MINIMUM to MAXIMUM words (negative: no bound) are left behind the options, and says
 * which is missing or too many: NAMES are those of the words, separated by blanks. */
bool command_words(const struct command *command, int argc, char **argv, int minimum, int maximum,
                   const char *names);

/* Says that COMMAND was called wrongly, and where its help is. Returns STATUS_USAGE. */
int command_wrong(const struct command *command, const char *format, ...) PRINTF_LIKE(2, 3);

/* Says that memory ran out. Returns STATUS_FAILED. */
int command_no_memory(void);

/* Says ERROR; of an empty one, that memory ran out. Returns STATUS_FAILED. */
int command_failed(const struct buffer *error);

/* Prints OUT, for command_written() to look at. Returns STATUS_OK; or STATUS_FAILED with nothing
 * printed where memory ran out while it was made: half of it may say the opposite. */
int command_print(const struct buffer *out);

/* The exit status STATUS, once standard output is written; FAILED, after saying so, where it cannot be.
 * For commands that say something with a status other than 0. */
int command_written(int status, int failed);

/* Reads WORD as a whole number from MINIMUM to MAXIMUM. */
bool command_number(const char *word, long minimum, long maximum, long *number);

/* Whether a signal that would end the program is waiting: see command_hold_signals(). Takes no
 * notice of CONTEXT. */
bool command_stop(void *context);

/* From now on SIGINT, SIGTERM and SIGHUP wait, so that what is under way is finished or taken back;
 * command_release_signals() lets them end the program. */
void command_hold_signals(void);
void command_release_signals(void);

/* Room for a message with a path or two in it. */
#define COMMAND_ERROR_MAX 16384

#endif
