/* imgshare plan, imgshare apply: share lists as files. */
#include "core/imgshare/command.h"

#include "core/imgshare/plan_apply.h"
#include "core/imgshare/plan_read.h"

#include <string.h>

enum option_value {
    OPTION_MAX_CANCEL = COMMAND_OPTION,
    OPTION_ALLOW_EMPTY,
};

static const struct option options[] = {
    {"max-cancel", required_argument, NULL, OPTION_MAX_CANCEL},
    {"allow-empty", no_argument, NULL, OPTION_ALLOW_EMPTY},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

/* Cancels in all, unless --max-cancel says otherwise: a list that was lost shall not cancel many. */
#define DEFAULT_CANCELS 5
#define CANCELS_MAX 1000000000L

/* More than all shares of a plan take. */
#define OUTPUT_MAX ((size_t)1 << 30)

struct request {
    const char *directory;
    const char *mount;
    long cancels;
    bool allow_empty;
};

/* Reads the words. Returns STATUS_OK with *go_on, or the exit status. */
static int read_request(const struct command *command, int argc, char **argv,
                        struct request *request, bool *go_on)
{
    int option = 0;

    *request = (struct request){.cancels = DEFAULT_CANCELS};
    *go_on = false;
    while ((option = command_option(command, argc, argv, options)) > 0 && option != '?') {
        if (option == OPTION_ALLOW_EMPTY)
            request->allow_empty = true;
        else if (!command_number(optarg, 0, CANCELS_MAX, &request->cancels))
            return command_wrong(command, "--max-cancel takes a number from 0 to %ld", CANCELS_MAX);
    }
    if (option != -1)
        return command_end(option);
    if (!command_words(command, argc, argv, 2, 2, "DIR MOUNT"))
        return STATUS_USAGE;
    request->directory = argv[optind];
    request->mount = argv[optind + 1];
    *go_on = true;
    return STATUS_OK;
}

static int read_plan(const struct request *request, struct mount_reader *reader, struct plan *plan)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(COMMAND_ERROR_MAX);

    if (mount_open(request->mount, reader, &error) < 0 ||
        plan_read(plan, request->directory, reader, request->cancels, request->allow_empty,
                  &error) < 0) {
        (void)plan_refused(plan);
        return command_failed(&error);
    }
    return STATUS_OK;
}

static int run_plan(const struct command *command, int argc, char **argv)
{
    CLEANUP_READER struct mount_reader reader = {.fd = -1};
    CLEANUP_PLAN struct plan plan = PLAN_INIT;
    CLEANUP_BUFFER struct buffer out = BUFFER_INIT(OUTPUT_MAX);
    struct request request = {0};
    bool go_on = false;
    int status = read_request(command, argc, argv, &request, &go_on);

    if (!go_on) /* 2 says that there are changes */
        return status == STATUS_USAGE ? STATUS_FAILED : status;
    if (read_plan(&request, &reader, &plan) != STATUS_OK)
        return STATUS_FAILED;
    plan_print(&plan, &out);
    if (command_print(&out) != STATUS_OK || plan_refused(&plan))
        return STATUS_FAILED;
    return command_written(plan.shares + plan.cancels > 0 ? STATUS_CHANGES : STATUS_OK,
                           STATUS_FAILED);
}

static int run_apply(const struct command *command, int argc, char **argv)
{
    CLEANUP_READER struct mount_reader reader = {.fd = -1};
    CLEANUP_PLAN struct plan plan = PLAN_INIT;
    struct request request = {0};
    bool go_on = false;
    int status = read_request(command, argc, argv, &request, &go_on);

    if (!go_on)
        return status;
    if (read_plan(&request, &reader, &plan) != STATUS_OK)
        return STATUS_FAILED;
    if (plan_refused(&plan)) {
        (void)fprintf(stderr, "imgshare: nothing was changed\n");
        return STATUS_FAILED;
    }
    command_hold_signals();
    status = plan_apply(&plan, &reader);
    (void)fflush(stdout);
    command_release_signals();
    return status;
}

#define OPTIONS_HELP                                                                               \
    "  --max-cancel N   cancels in all, at most; more are an error. Default: 5\n"                  \
    "  --allow-empty    a list without a pin is no error: it cancels all shares of its image\n"

const struct command command_plan = {
    .name = "plan",
    .words = "DIR MOUNT [--max-cancel N] [--allow-empty]",
    .summary = "Prints what would make the shares of a mount those of share lists",
    .help = OPTIONS_HELP
    "\n"
    "DIR holds a file for each image that has a share list, called by the image's id or its\n"
    "name. A line of it is a pin, or @TEAM: all pins of the file @TEAM in DIR. # begins a\n"
    "comment, a tab and free text after a pin is a label. Images without a file are left "
    "alone.\n"
    "\n"
    "A line each: \"+ share IMAGE (NAME) PIN\", \"- cancel IMAGE (NAME) PIN\". What the rules\n"
    "would refuse is said on standard error. The exit status is 0 where nothing is to be\n"
    "done, 2 where something is, 1 where something stands against it or the call was wrong.\n",
    .run = run_plan,
};

const struct command command_apply = {
    .name = "apply",
    .words = "DIR MOUNT [--max-cancel N] [--allow-empty]",
    .summary = "Makes the shares of a mount those of share lists",
    .help = OPTIONS_HELP
    "\n"
    "Does what plan prints (see imgshare plan --help), and prints each change when it is made:\n"
    "image by image, shares before cancels. Where plan sees something against it, nothing is\n"
    "changed. An image of which a share is refused keeps its shares. Then it looks whether the\n"
    "mount shows it so. The exit status is 0 only if everything is as the lists say.\n",
    .run = run_apply,
};
