/* The texts at the root of a mount: see the header. */
#include "core/catalog/report.h"

#include "core/base/text.h"
#include "core/store/replica.h"

#include <errno.h>
#include <string.h>

static const char readme[] =
    "Private VM images of one account, as directories.\n"
    "\n"
    "  ls private                               my images\n"
    "  ls private/IMAGE/shares                  the accounts (User Pins) it is shared with\n"
    "  touch private/IMAGE/shares/PIN           share it with PIN\n"
    "  rm private/IMAGE/shares/PIN              cancel that\n"
    "  ls shared                                images that others share with me\n"
    "  ls by-account/PIN                        what PIN can use of mine\n"
    "  ls by-name/private by-name/shared/OWNER  the same images by their names\n"
    "  cat account/pin                          what others need to share with me\n"
    "\n"
    "When touch or rm is refused, exit status and message say so, and nothing was changed:\n"
    "  cat private/IMAGE/last_refusal           why, and what to do\n"
    "  cat private/IMAGE/shareable              whether the image can be shared at all\n"
    "  tail -f events                           everything done and refused\n"
    "  cat status                               the state of the mount\n"
    "\n"
    "Removing or moving an image's directory cancels nothing. Cancelling a share does not reach "
    "what\n"
    "the recipient has made from the image meanwhile. Images in shared/ come from others: nobody\n"
    "guarantees their integrity or security; use trusted sources only.\n"
    "A registry is a plain file: who can write it can act as any account in it.\n";

const char *report_readme(void)
{
    return readme;
}

static void format_time_line(struct buffer *out, const char *key, int64_t at_ns)
{
    char time[TEXT_TIME_SIZE];

    text_time(at_ns, 0, time);
    buffer_printf(out, "%s: %s\n", key, time);
}

/* A pin that no file name can be, as ID/PIN. */
static int format_unlistable(const struct view_entry *entry, void *context)
{
    struct buffer *out = context;

    buffer_puts(out, "unlistable: ");
    text_escape(out, entry->name);
    buffer_puts(out, " ");
    text_escape_start(out, entry->label, TEXT_NAME_MAX);
    buffer_puts(out, "\n");
    return 0;
}

static void format_lists(struct catalog *catalog, struct buffer *out)
{
    LOCK_SCOPE(&catalog->mutex);

    if (catalog->allow)
        buffer_printf(out, "allow_list: %zu pins\n", pin_list_count(catalog->allow));
    if (catalog->trust)
        buffer_printf(out, "trust_list: %zu pins\n", pin_list_count(catalog->trust));
    buffer_printf(out, "last_error: %s\n", catalog->last_error[0] ? catalog->last_error : "none");
}

/* The changes of which nobody knows whether they were made. */
static int format_unsettled(struct view *view, struct buffer *out)
{
    struct journal_entry entries[16];
    char since[TEXT_TIME_SIZE];
    int64_t total = 0;
    int64_t after = 0;
    int count = 0;
    int result = journal_count_unknown(&view->connection, &total);

    if (result < 0)
        return result;
    buffer_printf(out, "unsettled: %lld change%s\n", (long long)total, total == 1 ? "" : "s");
    while (total > 0 && (count = journal_read(&view->connection, 0, after, 16, entries)) > 0) {
        for (int i = 0; i < count; i++) {
            struct view_image image = {0};
            after = entries[i].row;
            if (entries[i].state != JOURNAL_UNKNOWN ||
                view_image(view, entries[i].image, &image) < 0)
                continue;
            text_time(entries[i].at_ns, 0, since);
            buffer_printf(out, "unsettled_%s: ", entries[i].cancel ? "cancel" : "share");
            text_escape(out, image.id);
            buffer_puts(out, " ");
            text_escape(out, entries[i].pin);
            buffer_printf(out, " since %s\n", since);
        }
    }
    return count < 0 ? count : 0;
}

int report_status(struct catalog *catalog, struct view *view, struct buffer *out)
{
    struct view_account account = {0};
    int64_t limit = 0;
    enum snapshot_policy policy = SNAPSHOTS_ANY;
    int result = view_account(view, &account);

    if (result == 0)
        result = view_settings(view, &limit, &policy);
    if (result < 0)
        return result;
    catalog->source.ops->describe(&catalog->source, out);
    buffer_puts(out, "account: ");
    text_escape(out, catalog->pin);
    buffer_printf(out, "\naccess: %s\n", catalog_is_writable(catalog) ? "read-write" : "read-only");
    buffer_printf(out, "private: %lld images\n", (long long)account.images);
    buffer_printf(out, "shared: %lld images\n", (long long)account.received);
    if (!catalog->source.remote) {
        buffer_printf(out, "limit: %lld accounts an image\n", (long long)limit);
        buffer_printf(out, "snapshots: %s forbid%s sharing\n",
                      policy == SNAPSHOTS_ENCRYPTED ? "encrypted ones" : rules_policy_name(policy),
                      policy == SNAPSHOTS_ENCRYPTED ? "" : "s");
    }
    buffer_printf(out, "cancel: %s\n", catalog->options.no_cancel ? "off" : "on");
    if (catalog->options.max_cancel > 0)
        buffer_printf(out, "maxcancel: %lld\n", (long long)catalog->options.max_cancel);
    result = format_unsettled(view, out);
    if (result < 0)
        return result;
    format_time_line(out, "mounted", catalog->opened_ns);
    format_lists(catalog, out);
    result = view_unlistable(view, format_unlistable, out);
    if (result < 0)
        return result;
    return buffer_failed(out) ? -ENOMEM : 0;
}

int report_events_size(struct catalog *catalog, struct view *view, int64_t *size, int64_t *mtime_ns)
{
    struct view_account account = {0};
    int result = view_account(view, &account);

    if (result < 0)
        return result;
    *size = account.events_end - catalog->events_base;
    result = view_events_time(view, mtime_ns);
    if (result == 0 && *mtime_ns == 0)
        *mtime_ns = catalog->opened_ns;
    return result;
}

struct window {
    int64_t offset; /* in the account's log */
    size_t end;     /* length of the buffer with which it is full */
    struct buffer *out;
};

static int add_line(int64_t start, const char *line, size_t length, void *context)
{
    struct window *window = context;
    size_t skip = start < window->offset ? (size_t)(window->offset - start) : 0;

    if (skip >= length)
        return 0;
    size_t take = length - skip;
    if (take > window->end - window->out->length)
        take = window->end - window->out->length;
    /* It was escaped before it was written, unless somebody else wrote it. Whole, as a cut could hide
     * a character. */
    CLEANUP_FREE char *copy = malloc(length);
    if (!copy) {
        window->out->failed = true;
        return 1;
    }
    memcpy(copy, line, length);
    text_mute(copy, length);
    buffer_add(window->out, copy + skip, take);
    return window->out->length >= window->end;
}

int report_events_read(struct catalog *catalog, struct view *view, int64_t offset, size_t size,
                       struct buffer *out)
{
    struct window window = {
        .offset = offset + catalog->events_base, .end = out->length + size, .out = out};
    int result = size > 0 ? view_events(view, window.offset, add_line, &window) : 0;

    if (result < 0)
        return result;
    return buffer_failed(out) ? -ENOMEM : 0;
}
