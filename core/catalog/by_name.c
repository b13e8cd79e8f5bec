/* The names under by-name/: see the header. */
#include "core/catalog/by_name.h"

#include <errno.h>
#include <string.h>

/* The images that a query found: their number, and the first one. */
struct found {
    int count;
    bool broken; /* the first one's id can be in no path: it is not listed */
    struct by_name_entry first;
    char *label; /* the first one's name */
};

static int take_found(const struct view_entry *entry, void *context)
{
    struct found *found = context;

    if (found->count++ == 0) {
        found->first.row = entry->row;
        found->first.mtime_ns = entry->mtime_ns;
        found->broken = !text_is_file_name(entry->name);
        (void)snprintf(found->first.id, sizeof(found->first.id), "%s", entry->name);
        found->label = strdup(entry->label);
    }
    return 0;
}

static void cleanup_found(struct found *found)
{
    free(STEAL(found->label));
}

#define CLEANUP_FOUND __attribute__((cleanup(cleanup_found)))

/* Whether NAME reads as the NAME@ID of an image that is not of row ROW. 1, 0, or negative. */
static int reads_as_other(struct view *view, const char *owner, const char *name, int64_t row)
{
    for (const char *at = strchr(name, '@'); at; at = strchr(at + 1, '@')) {
        CLEANUP_FOUND struct found found = {0};
        int result = view_name_by_id(view, owner, at + 1, take_found, &found);
        if (result < 0)
            return result;
        size_t length = (size_t)(at - name);
        if (found.count == 1 && found.first.row != row && found.label &&
            (length == 0 ||
             (strlen(found.label) == length && memcmp(found.label, name, length) == 0)))
            return 1;
    }
    return 0;
}

/* Whether the image of ROW, called LABEL, is listed under its plain name. 1, 0, or negative. */
static int is_plain(struct view *view, const char *owner, const char *label, int64_t row)
{
    CLEANUP_FOUND struct found same = {0};

    if (!text_is_file_name(label))
        return 0;
    int result = view_named(view, owner, label, take_found, &same);
    if (result < 0)
        return result;
    if (same.count > 1)
        return 0;
    result = reads_as_other(view, owner, label, row);
    return result < 0 ? result : !result;
}

/* The entry's name for an image called LABEL. */
static int name_entry(struct view *view, const char *owner, const char *label,
                      struct by_name_entry *entry)
{
    int plain = is_plain(view, owner, label, entry->row);

    if (plain < 0)
        return plain;
    if (plain) {
        (void)snprintf(entry->name, sizeof(entry->name), "%s", label);
        return 0;
    }
    int length = text_is_file_name(label)
                     ? snprintf(entry->name, sizeof(entry->name), "%s@%s", label, entry->id)
                     : (int)sizeof(entry->name);
    if (length >= (int)sizeof(entry->name))
        length = snprintf(entry->name, sizeof(entry->name), "@%s", entry->id);
    return length >= (int)sizeof(entry->name) ? -ENAMETOOLONG : 0;
}

/* Whether what was FOUND is listed as NAME; then it is in *OUT. 1, 0, or negative. */
static int is_listed_as(struct view *view, const char *owner, const char *name,
                        const struct found *found, struct by_name_entry *out)
{
    if (found->count == 0 || found->broken)
        return 0;
    if (!found->label)
        return -ENOMEM;
    *out = found->first;
    int result = name_entry(view, owner, found->label, out);
    if (result == -ENAMETOOLONG)
        return 0;
    return result < 0 ? result : strcmp(out->name, name) == 0;
}

int by_name_find(struct view *view, const char *owner, const char *name, struct by_name_entry *out)
{
    CLEANUP_FOUND struct found plain = {0};
    int result = view_named(view, owner, name, take_found, &plain);

    if (result == 0)
        result = is_listed_as(view, owner, name, &plain, out);
    /* Every place where "@ID" may begin. */
    for (const char *at = strchr(name, '@'); at && result == 0; at = strchr(at + 1, '@')) {
        CLEANUP_FOUND struct found found = {0};
        result = view_name_by_id(view, owner, at + 1, take_found, &found);
        if (result == 0)
            result = is_listed_as(view, owner, name, &found, out);
    }
    return result < 0 ? result : result == 0 ? -ENOENT : 0;
}

struct listing {
    struct view *view;
    const char *owner;
    by_name_visit visit;
    void *context;
    int result;
};

static int list_one(const struct view_entry *entry, void *context)
{
    struct listing *listing = context;
    struct by_name_entry named = {.row = entry->row, .mtime_ns = entry->mtime_ns};

    if (!text_is_file_name(entry->name))
        return 0; /* its link would lead elsewhere */
    (void)snprintf(named.id, sizeof(named.id), "%s", entry->name);
    int result = name_entry(listing->view, listing->owner, entry->label, &named);
    if (result == -ENAMETOOLONG)
        return 0; /* an id of 255 bytes has no room for the @ */
    if (result < 0) {
        listing->result = result;
        return 1;
    }
    return listing->visit(&named, listing->context);
}

int by_name_list(struct view *view, const char *owner, int64_t after, by_name_visit visit,
                 void *context)
{
    struct listing listing = {
        .view = view, .owner = owner, .visit = visit, .context = context, .result = 0};
    int result = view_names(view, owner, after, list_one, &listing);

    return result < 0 ? result : listing.result;
}
