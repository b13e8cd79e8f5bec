/* imgshare import: reads images into a registry. */
#include "core/imgshare/command.h"

#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/store/import.h"

#include <string.h>
#include <time.h>

#define BAR_CELLS 30
/* Between two drawings of the bar. */
#define BAR_MS 100

/* Names of files, escaped: four times what the kernel takes as arguments (6 MiB). */
#define NAMES_MAX (24UL << 20)

struct bar {
    bool on;
    bool drawn;
    int64_t drawn_ms;
};

enum option_value {
    OPTION_OWNER = COMMAND_OPTION,
    OPTION_KNOWN_ONLY,
};

static const struct option options[] = {
    {"owner", required_argument, NULL, OPTION_OWNER},
    {"no-new-accounts", no_argument, NULL, OPTION_KNOWN_ONLY},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static const char *phase_word(enum import_phase phase)
{
    switch (phase) {
    case IMPORT_READING:
        return "reading ";
    case IMPORT_CHECKING:
        return "checking";
    case IMPORT_MOVING:
    default:
        return "storing ";
    }
}

static void draw(const struct import_progress *progress, void *context)
{
    struct bar *bar = context;
    char cells[BAR_CELLS + 1] = "";
    int64_t now = clock_now_ms();

    if (!bar->on || (bar->drawn && now - bar->drawn_ms < BAR_MS))
        return;
    bar->drawn = true;
    bar->drawn_ms = now;
    (void)fprintf(stderr, "\r%s ", phase_word(progress->phase));
    if (progress->total > 0) {
        int64_t done = progress->done < progress->total ? progress->done : progress->total;
        int filled = (int)((double)done / (double)progress->total * BAR_CELLS);
        memset(cells, '-', BAR_CELLS);
        memset(cells, '#', (size_t)filled);
        (void)fprintf(stderr, "[%s] %3d%%  ", cells,
                      (int)((double)done / (double)progress->total * 100));
    }
    (void)fprintf(stderr, "%lld images\033[K", (long long)progress->images);
    (void)fflush(stderr);
}

static void clear(const struct bar *bar)
{
    if (bar->drawn)
        (void)fprintf(stderr, "\r\033[K");
}

/* The first change is about to be made: from now on a signal ends the import between two steps. */
static void begin_moving(void *context)
{
    (void)context;
    command_hold_signals();
}

static void name_files(const struct import_options *import, struct buffer *names)
{
    for (size_t i = 0; i < import->file_count; i++) {
        buffer_puts(names, i > 0 ? ", " : "");
        text_escape(names, import->files[i]);
    }
}

static void print_result(const struct import_result *result, const struct buffer *names)
{
    (void)printf("imported %lld images (%lld new, %lld updated), %lld shares new, from %s\n",
                 (long long)result->images, (long long)result->added, (long long)result->updated,
                 (long long)result->shares, buffer_text(names));
}

static int import(const char *path, const struct import_options *wanted)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(COMMAND_ERROR_MAX);
    CLEANUP_BUFFER struct buffer names = BUFFER_INIT(NAMES_MAX);
    struct bar bar = {.on = isatty(STDERR_FILENO) == 1};
    struct import_options import = *wanted;
    struct import_result done = {0};
    struct store store = {0};

    name_files(wanted, &names); /* what could not be said afterwards is not begun */
    if (buffer_failed(&names))
        return command_no_memory();
    if (store_open(path, &store, &error) < 0)
        return command_failed(&error);
    import.progress = draw;
    import.moving = begin_moving;
    import.stop = command_stop;
    import.context = &bar;
    int result = import_run(&store, &import, &done, &error);
    store_close(&store);
    clear(&bar);
    int status = result < 0 ? command_failed(&error) : STATUS_OK;
    if (result == 0)
        print_result(&done, &names);
    (void)fflush(stdout);
    command_release_signals();
    return status;
}

/* Standard input can be read only once. */
static bool is_twice(int count, char **files)
{
    int found = 0;

    for (int i = 0; i < count; i++)
        found += strcmp(files[i], "-") == 0;
    return found > 1;
}

static int run(const struct command *command, int argc, char **argv)
{
    struct import_options wanted = {0};
    int option = 0;

    while ((option = command_option(command, argc, argv, options)) > 0 && option != '?') {
        if (option == OPTION_KNOWN_ONLY)
            wanted.known_accounts_only = true;
        else
            wanted.owner = optarg;
    }
    if (option != -1)
        return command_end(option);
    if (!command_words(command, argc, argv, 2, -1, "REGISTRY FILE"))
        return STATUS_USAGE;
    if (wanted.owner && !text_is_file_name(wanted.owner))
        return command_wrong(command, "--owner cannot be a pin: 1 to 255 bytes of UTF-8 without a "
                                      "slash, not . or ..");
    wanted.files = (const char *const *)(argv + optind + 1);
    wanted.file_count = (size_t)(argc - optind - 1);
    if (is_twice(argc - optind - 1, argv + optind + 1))
        return command_wrong(command, "- (standard input) is there twice");
    return import(argv[optind], &wanted);
}

const struct command command_import = {
    .name = "import",
    .words = "REGISTRY FILE... [--owner PIN] [--no-new-accounts]",
    .summary = "Imports images, and the accounts they are shared with",
    .help = "  --owner PIN         the owner of images that have no ownerPin\n"
            "  --no-new-accounts   accounts that the registry does not have are an error; they are "
            "made\n"
            "                      otherwise\n"
            "\n"
            "FILE is a response of describeImages as it is, a JSON array of images, one image "
            "after the\n"
            "other, or what imgshare export wrote; - is standard input. An image may have "
            "\"pins\": the\n"
            "accounts it is shared with. Images that are there already are updated; they gain the "
            "shares\n"
            "that are new and keep those they have.\n"
            "\n"
            "All files are checked before anything is changed; an error says FILE:LINE:COLUMN. A "
            "large\n"
            "import then goes in steps, and mounts can share and cancel between them.\n",
    .run = run,
};
