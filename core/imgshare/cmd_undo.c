/* imgshare undo: shares again what the events say was cancelled. */
#include "core/imgshare/command.h"

#include "core/base/text.h"
#include "core/catalog/catalog.h"
#include "core/imgshare/plan_apply.h"
#include "core/imgshare/plan_read.h"
#include "core/imgshare/undo.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum option_value {
    OPTION_SINCE = COMMAND_OPTION,
    OPTION_PID,
    OPTION_APPLY,
};

static const struct option options[] = {
    {"since", required_argument, NULL, OPTION_SINCE},
    {"pid", required_argument, NULL, OPTION_PID},
    {"apply", no_argument, NULL, OPTION_APPLY},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

#define OUTPUT_MAX ((size_t)1 << 28)

/* Reads the mount's events, and finds out what is lost. */
static int read_events(const struct mount_reader *reader, struct undo_log *log,
                       struct buffer *error)
{
    int fd = openat(reader->fd, "events", O_RDONLY | O_CLOEXEC);
    CLEANUP_FCLOSE FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
    CLEANUP_FREE char *line = NULL;
    size_t size = 0;
    int result = 0;

    if (!file)
        return mount_explain(reader, "events", -errno, error);
    while (result == 0 && getline(&line, &size, file) >= 0)
        result = undo_read(log, line);
    if (result == 0 && !feof(file)) /* where memory runs out ferror() knows of nothing */
        result = errno == ENOMEM ? -ENOMEM : -EIO;
    if (result == 0)
        result = undo_finish(log);
    if (result == -EINVAL) {
        (void)mount_explain(reader, "events", result, error);
        buffer_printf(error, ": line %zu is no event", log->lines + 1);
        return result;
    }
    return result < 0 ? mount_explain(reader, "events", result, error) : 0;
}

/* Adds the image that LOST[0] to LOST[COUNT - 1] are of. One that is gone is a problem. */
static int add_image(struct plan *plan, struct mount_reader *reader, const struct undo_share *lost,
                     size_t count, struct buffer *error)
{
    CLEANUP_BUFFER struct buffer path = BUFFER_INIT(MOUNT_PATH_MAX);
    struct plan_image *image = NULL;
    struct stat status;

    buffer_printf(&path, "private/%s", lost[0].image);
    if (buffer_failed(&path))
        return -ENOMEM;
    if (fstatat(reader->fd, buffer_text(&path), &status, 0) != 0 && errno == ENOENT) {
        CLEANUP_BUFFER struct buffer id = BUFFER_INIT(MOUNT_PATH_MAX);
        text_escape(&id, lost[0].image);
        plan_problem(plan, NULL, "%s: the image is gone; %zu shares of it are lost",
                     buffer_text(&id), count);
        return 0;
    }
    int result = plan_read_image(plan, reader, lost[0].image, &image, error);
    for (size_t i = 0; result == 0 && i < image->now.count; i++)
        result = names_add(&image->then, image->now.items[i]);
    for (size_t i = 0; result == 0 && i < count; i++)
        result = names_add(&image->then, lost[i].pin);
    return result;
}

static int make_plan(struct plan *plan, struct mount_reader *reader, const struct undo_log *log,
                     struct buffer *error)
{
    const struct plan_bounds bounds = plan_bounds_of(reader, 0);
    int result = mount_refresh(reader, "private", error);

    mount_settle(reader);
    for (size_t i = 0; result == 0 && i < log->lost_count;) {
        size_t end = i + 1;
        while (end < log->lost_count && strcmp(log->lost[end].image, log->lost[i].image) == 0)
            end++;
        result = add_image(plan, reader, log->lost + i, end - i, error);
        i = end;
    }
    if (result == 0)
        result = plan_read_unsettled(plan, reader, error);
    if (result == 0)
        result = plan_finish(plan, &bounds);
    return result;
}

/* Says where the log may be too short for the question. */
static void check_begin(const struct undo_log *log)
{
    char first[TEXT_TIME_SIZE];

    if (log->lines < CATALOG_EVENT_LINES || log->choice.since_ns == INT64_MIN ||
        log->first_ns <= log->choice.since_ns)
        return;
    text_time(log->first_ns, 0, first);
    (void)fprintf(
        stderr, "imgshare: the log of events begins at %s; what was before is not in it\n", first);
}

/* Does the plan. What stands against a share the mount says when it comes to it; the others are
 * made. */
static int apply(struct plan *plan, struct mount_reader *reader, bool complete)
{
    command_hold_signals();
    int status = plan_apply(plan, reader);
    (void)fflush(stdout);
    command_release_signals();
    return complete ? status : STATUS_FAILED;
}

static int undo(const char *mount, const struct undo_choice *choice, bool apply_it)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(COMMAND_ERROR_MAX);
    CLEANUP_BUFFER struct buffer out = BUFFER_INIT(OUTPUT_MAX);
    CLEANUP_READER struct mount_reader reader = {.fd = -1};
    CLEANUP_UNDO struct undo_log log = {.choice = *choice};
    CLEANUP_PLAN struct plan plan = PLAN_INIT;

    if (mount_open(mount, &reader, &error) < 0 || read_events(&reader, &log, &error) < 0 ||
        make_plan(&plan, &reader, &log, &error) < 0)
        return command_failed(&error);
    check_begin(&log);
    if (apply_it)
        return apply(&plan, &reader, !plan_refused(&plan));
    plan_print(&plan, &out);
    if (command_print(&out) != STATUS_OK || plan_refused(&plan))
        return STATUS_FAILED;
    return command_written(plan.shares > 0 ? STATUS_CHANGES : STATUS_OK, STATUS_FAILED);
}

/* Reads OPTION, and its word. 0 or, when that is said, STATUS_USAGE. */
static int take_option(const struct command *command, int option, struct undo_choice *choice,
                       bool *apply_it)
{
    switch (option) {
    case OPTION_SINCE:
        if (undo_time(optarg, text_now(), &choice->since_ns) < 0)
            return command_wrong(command, "--since takes a time like 2026-11-24T08:00:00Z, or 90s, "
                                          "10m, 2h, 1d for so long ago");
        return 0;
    case OPTION_PID:
        if (!command_number(optarg, 1, INT32_MAX, &choice->pid))
            return command_wrong(command, "--pid takes the number of a process, as in events");
        return 0;
    default:
        *apply_it = true;
        return 0;
    }
}

static int run(const struct command *command, int argc, char **argv)
{
    struct undo_choice choice = {.since_ns = INT64_MIN};
    bool apply_it = false;
    int option = 0;

    while ((option = command_option(command, argc, argv, options)) > 0 && option != '?')
        if (take_option(command, option, &choice, &apply_it) != 0)
            return STATUS_FAILED;
    if (option != -1) /* 2 says that there are changes */
        return option == 0 ? STATUS_OK : STATUS_FAILED;
    if (!command_words(command, argc, argv, 1, 1, "MOUNT"))
        return STATUS_FAILED;
    if (choice.since_ns == INT64_MIN && choice.pid == 0) {
        (void)command_wrong(command, "--since TIME or --pid N is missing");
        return STATUS_FAILED;
    }
    return undo(argv[optind], &choice, apply_it);
}

const struct command command_undo = {
    .name = "undo",
    .words = "MOUNT [--since TIME] [--pid N] [--apply]",
    .summary = "Shares again what was cancelled by mistake",
    .help =
        "  --since TIME   what was cancelled since then: 2026-11-24T08:00:00Z, or 90s, 10m, 2h, "
        "1d\n"
        "                 for so long ago\n"
        "  --pid N        what this process has cancelled: pid= in events\n"
        "  --apply        does it; without, it is only printed\n"
        "\n"
        "One of --since and --pid is needed; with both, both must hold. It reads the mount's "
        "events "
        "and\n"
        "prints \"+ share IMAGE (NAME) PIN\" for each cancel that was made and not shared again "
        "since.\n"
        "The exit status is 0 where nothing is to be done, or all was; 2 where it was only "
        "printed; "
        "1\n"
        "where something stands against it, it failed, or the call was wrong.\n",
    .run = run,
};
