/* Shares whose pin no file name can be: view_unlistable() of view.h. */
#include "core/store/view.h"

#include <string.h>

/* Pins at most that are told of. */
#define UNLISTABLE_MAX 100

struct unlistable {
    struct view *view;
    view_visit visit;
    void *context;
    char *pin; /* whose images are being visited */
    int count;
};

static int tell_unlistable(struct unlistable *to, const char *id, const char *pin)
{
    struct view_entry entry = {.name = id, .label = pin};

    return ++to->count > UNLISTABLE_MAX || to->visit(&entry, to->context) != 0;
}

static int tell_image(const struct view_entry *entry, void *context)
{
    struct unlistable *to = context;

    return tell_unlistable(to, entry->name, to->pin);
}

/* Whether share_unlistable has PIN. */
static bool is_indexed(const char *pin)
{
    return strchr(pin, '/') || *pin == '\0' || strcmp(pin, ".") == 0 || strcmp(pin, "..") == 0 ||
           strlen(pin) > TEXT_NAME_MAX;
}

/* No index tells of control characters, but accounts are few. */
static int find_others(const struct view_entry *entry, void *context)
{
    struct unlistable *to = context;

    if (text_is_file_name(entry->name) || is_indexed(entry->name))
        return 0;
    CLEANUP_FREE char *pin = strdup(entry->name);
    if (!pin)
        return 0;
    to->pin = pin;
    int result = view_recipient_images(to->view, pin, 0, tell_image, to);
    to->pin = NULL;
    return result < 0 || to->count > UNLISTABLE_MAX;
}

int view_unlistable(struct view *view, view_visit visit, void *context)
{
    struct unlistable to = {.view = view, .visit = visit, .context = context};
    int result = 0;

    {
        CLEANUP_STATEMENT sqlite3_stmt *use =
            statement_use(&view->connection, STATEMENT_SHARES_UNLISTABLE);
        if (!use)
            return statement_error(&view->connection);
        result = statement_bind(use, "i", view->account);
        while (result >= 0 && (result = statement_step(&view->connection, use)) == 1)
            if (tell_unlistable(&to, statement_text(use, 0), statement_text(use, 1)))
                return 0;
    }
    return result < 0 ? result : view_recipients(view, 0, find_others, &to);
}
