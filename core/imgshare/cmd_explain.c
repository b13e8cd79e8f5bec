/* imgshare explain: the refusal table, a row of it, or what would happen at a path. */
#include "core/imgshare/command.h"

#include "core/base/text.h"
#include "core/imgshare/explain.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

static const struct option options[] = {
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

#define OUTPUT_MAX ((size_t)1 << 20)

/* The width that the table is wrapped to. */
#define COLUMNS 100

/* More than any errno of Linux. */
#define ERRNO_MAX 200

/* Appends TEXT wrapped to COLUMNS, each line indented by INDENT blanks. */
static void add_wrapped(struct buffer *out, const char *text, int indent)
{
    size_t column = 0;

    while (*text) {
        size_t word = strcspn(text, " ");
        if (column > 0 && column + 1 + word > COLUMNS) {
            buffer_puts(out, "\n");
            column = 0;
        }
        if (column == 0) {
            buffer_printf(out, "%*s", indent, "");
            column = (size_t)indent;
        } else {
            buffer_puts(out, " ");
            column++;
        }
        buffer_add(out, text, word);
        column += word;
        text += word;
        text += strspn(text, " ");
    }
    buffer_puts(out, "\n");
}

void explain_result(struct buffer *out, int result)
{
    const struct refusal_row *row = refusal_of(result);

    if (row)
        buffer_printf(out, "%s (%s): %s. What to do: %s.", row->error_name, row->code,
                      row->sentence, row->remedy);
    else
        buffer_printf(out, "%s: %s.", strerrorname_np(-result), strerrordesc_np(-result));
}

/* What ROW applies to, in words. */
static void add_scope(struct buffer *out, unsigned scope)
{
    static const struct {
        unsigned bit;
        const char *word;
    } words[] = {
        {REFUSAL_SHARE, "share"},
        {REFUSAL_CANCEL, "cancel"},
        {REFUSAL_TREE, "any other call"},
    };
    const char *comma = "";

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (!(scope & words[i].bit))
            continue;
        buffer_printf(out, "%s%s", comma, words[i].word);
        comma = ", ";
    }
    if (scope & REFUSAL_KERNEL)
        buffer_puts(out, " (most often by the kernel itself)");
}

static void add_row(struct buffer *out, const struct refusal_row *row)
{
    CLEANUP_BUFFER struct buffer text = BUFFER_INIT(4096);

    buffer_printf(out, "%-12s %-18s ", row->error_name, row->code);
    add_scope(out, row->scope);
    buffer_puts(out, "\n");
    add_wrapped(out, row->sentence, 4);
    buffer_printf(&text, "What to do: %s.", row->remedy);
    add_wrapped(out, buffer_text(&text), 4);
    out->failed = out->failed || buffer_failed(&text);
}

/* The errno of the name or number WORD, 0 if it is none. */
static int find_errno(const char *word)
{
    long number = 0;

    if (command_number(word, 1, ERRNO_MAX, &number))
        return strerrorname_np((int)number) ? (int)number : 0;
    for (int error = 1; error < ERRNO_MAX; error++) {
        const char *name = strerrorname_np(error);
        if (name && strcasecmp(name, word) == 0)
            return error;
    }
    /* Two names of one number. */
    return strcasecmp(word, "EWOULDBLOCK") == 0 ? EAGAIN
           : strcasecmp(word, "ENOTSUP") == 0   ? ENOTSUP
                                                : 0;
}

/* Appends the rows of ERROR, all rows for 0. Returns their number. */
static size_t add_rows(struct buffer *out, int error)
{
    const struct refusal_row *row = NULL;
    size_t count = 0;

    for (size_t i = 0; (row = refusal_at(i)); i++) {
        if (error != 0 && row->error != error)
            continue;
        buffer_puts(out, count++ > 0 ? "\n" : "");
        add_row(out, row);
    }
    return count;
}

/* A row by its code, or the rows of an errno. STATUS_USAGE where WORD is neither. */
static int explain_word(const struct command *command, const char *word, struct buffer *out)
{
    CLEANUP_BUFFER struct buffer shown = BUFFER_INIT(4096);
    const struct refusal_row *row = refusal_find_code(word);
    int error = row ? 0 : find_errno(word);

    if (row) {
        add_row(out, row);
        return STATUS_OK;
    }
    if (error == 0) {
        text_escape(&shown, word);
        return command_wrong(command, "%s is no errno, no code of the table, and no path",
                             buffer_text(&shown));
    }
    if (add_rows(out, error) > 0)
        return STATUS_OK;
    (void)fprintf(
        stderr,
        "imgshare: %s (%s) is no refusal of imgsharefs: the kernel or another program says it\n",
        strerrorname_np(error), strerrordesc_np(error));
    return STATUS_FAILED;
}

static bool is_path(const char *word)
{
    struct stat status;

    return strchr(word, '/') || lstat(word, &status) == 0;
}

static int run(const struct command *command, int argc, char **argv)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(COMMAND_ERROR_MAX);
    CLEANUP_BUFFER struct buffer out = BUFFER_INIT(OUTPUT_MAX);
    int option = command_option(command, argc, argv, options);
    int status = STATUS_OK;

    if (option != -1)
        return command_end(option);
    if (!command_words(command, argc, argv, 0, 1, ""))
        return STATUS_USAGE;
    const char *word = argv[optind]; /* NULL at the end */
    if (!word)
        (void)add_rows(&out, 0);
    else if (is_path(word))
        status = explain_path(word, &out, &error) < 0 ? command_failed(&error) : STATUS_OK;
    else
        status = explain_word(command, word, &out);
    return command_print(&out) == STATUS_OK ? status : STATUS_FAILED;
}

const struct command command_explain = {
    .name = "explain",
    .words = "[ERRNO | CODE | PATH]",
    .summary = "Explains refusals, or what would happen at a path",
    .help =
        "Without a word: the whole table of refusals. ERRNO is a name or a number (EBUSY, 16), "
        "CODE\n"
        "a word of the table (image-pending): those rows. PATH, in a mount of imgsharefs and most\n"
        "useful as MOUNT/private/IMAGE/shares/PIN: what touch and rm would do there now, and "
        "which\n"
        "change of the image was refused last.\n",
    .run = run,
};
