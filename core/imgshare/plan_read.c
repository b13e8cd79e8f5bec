/* Share lists and the mount they are for: see the header. */
#include "core/imgshare/plan_read.h"

#include "core/base/text.h"
#include "core/rules/pin.h"
#include "core/rules/pin_list.h"
#include "core/rules/refusal.h"
#include "core/store/store.h"
#include "core/store/write.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* A list that is being read. */
struct list {
    struct plan *plan;
    const struct mount_reader *reader;
    struct plan_image *image;
    const char *directory;
    const char *path; /* of the file, which a team's is another */
    bool in_team;
    bool allow_empty;
    size_t pins; /* in this file */
};

/* A problem of line NUMBER. */
static void bad_line(const struct list *list, unsigned long number, const char *pin,
                     const char *what)
{
    CLEANUP_BUFFER struct buffer place = BUFFER_INIT(MOUNT_TEXT_MAX);
    CLEANUP_BUFFER struct buffer shown = BUFFER_INIT(MOUNT_TEXT_MAX);

    text_escape(&place, list->path);
    text_escape(&shown, pin);
    plan_problem(list->plan, NULL, "%s:%lu: %s: %s", buffer_text(&place), number,
                 buffer_text(&shown), what);
}

static int take_file(struct list *list, struct buffer *error);

/* Takes the pins of a team. */
static int take_team(struct list *list, const char *team, unsigned long number)
{
    CLEANUP_BUFFER struct buffer path = BUFFER_INIT(MOUNT_PATH_MAX);
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(MOUNT_TEXT_MAX);
    struct list inner = *list;

    if (list->in_team) {
        bad_line(list, number, team, "a team cannot name another team");
        return 0;
    }
    buffer_printf(&path, "%s/%s", list->directory, team);
    inner.path = buffer_text(&path);
    inner.in_team = true;
    inner.pins = 0;
    int result = take_file(&inner, &error);
    if (result == 0)
        list->pins += inner.pins;
    else if (result == -ENOMEM)
        return result;
    else
        bad_line(list, number, team, buffer_text(&error));
    return 0;
}

static int take_line(const char *pin, unsigned long number, void *context, struct buffer *error)
{
    struct list *list = context;

    (void)error;
    if (pin[0] == '@' && pin[1] != '@')
        return take_team(list, pin, number);
    pin += pin[0] == '@';
    list->pins++;
    if (!names_has(&list->image->now, pin)) {
        /* The allow-list of a mount may allow any name, and only the mount knows it. */
        int result = list->reader->has_allow_list ? 0 : pin_check(pin);
        if (strcmp(pin, list->reader->pin) == 0)
            result = -REFUSAL_OWN_PIN;
        const struct refusal_row *row = refusal_of(result);
        if (row) {
            bad_line(list, number, pin, row->sentence);
            return 0;
        }
    }
    return names_add(&list->image->then, pin);
}

/* Takes all lines of list->path. */
static int take_file(struct list *list, struct buffer *error)
{
    int result = pin_list_scan(list->path, take_line, list, error);

    if (result == 0 && list->pins == 0 && !list->allow_empty) {
        CLEANUP_BUFFER struct buffer place = BUFFER_INIT(MOUNT_TEXT_MAX);
        text_escape(&place, list->path);
        plan_problem(list->plan, NULL, "%s: an empty list would cancel everything%s",
                     buffer_text(&place), "; if that is meant: --allow-empty");
        list->pins = 1; /* said once, not again of the list that names this team */
    }
    return result;
}

/* Finds out which own image the list NAME is of. 0 with ID, -ENOENT with a problem, or a negative
 * errno with ERROR. */
static int find_image(struct plan *plan, const struct mount_reader *reader, const char *path,
                      const char *name, char id[TEXT_NAME_MAX + 1], struct buffer *error)
{
    CLEANUP_BUFFER struct buffer inside = BUFFER_INIT(MOUNT_PATH_MAX);
    CLEANUP_NAMES struct names names = {0};
    char target[MOUNT_PATH_MAX] = "";
    struct stat status;

    buffer_printf(&inside, "private/%s", name);
    if (fstatat(reader->fd, buffer_text(&inside), &status, AT_SYMLINK_NOFOLLOW) == 0) {
        (void)snprintf(id, TEXT_NAME_MAX + 1, "%s", name);
        return 0;
    }
    if (errno != ENOENT && errno != ENAMETOOLONG)
        return mount_explain(reader, buffer_text(&inside), -errno, error);
    buffer_clear(&inside);
    buffer_printf(&inside, "by-name/private/%s", name);
    ssize_t length = readlinkat(reader->fd, buffer_text(&inside), target, sizeof(target) - 1);
    const char *last = length > 0 ? strrchr(target, '/') : NULL;
    if (last) {
        (void)snprintf(id, TEXT_NAME_MAX + 1, "%s", last + 1);
        return 0;
    }
    if (length < 0 && errno != ENOENT && errno != ENAMETOOLONG)
        return mount_explain(reader, buffer_text(&inside), -errno, error);
    int result = mount_names(reader, "by-name/private", &names);
    if (result < 0)
        return mount_explain(reader, "by-name/private", result, error);

    CLEANUP_BUFFER struct buffer several = BUFFER_INIT((size_t)1 << 20);
    CLEANUP_BUFFER struct buffer place = BUFFER_INIT(MOUNT_TEXT_MAX);
    size_t width = strlen(name);
    for (size_t i = 0; i < names.count; i++) {
        if (strncmp(names.items[i], name, width) != 0 || names.items[i][width] != '@')
            continue;
        buffer_puts(&several, several.length > 0 ? ", " : "");
        text_escape(&several, names.items[i]);
    }
    text_escape(&place, path);
    if (several.length > 0)
        plan_problem(plan, NULL, "%s: several images have this name; call the list: %s",
                     buffer_text(&place), buffer_text(&several));
    else
        plan_problem(plan, NULL, "%s: no own image has this id or name", buffer_text(&place));
    return -ENOENT;
}

/* Reads the file FILE of image ID, "" where it is gone meanwhile. */
static int read_value(const struct mount_reader *reader, const char *id, const char *file,
                      struct buffer *out, struct buffer *error)
{
    CLEANUP_BUFFER struct buffer path = BUFFER_INIT(MOUNT_PATH_MAX);
    int result = mount_file(reader, mount_path(&path, id, file), out);

    return result < 0 ? mount_explain(reader, buffer_text(&path), result, error) : 0;
}

/* What the files of the image say of sharing it. */
static int read_state(struct plan_image *image, const struct mount_reader *reader,
                      struct buffer *error)
{
    CLEANUP_BUFFER struct buffer shareable = BUFFER_INIT(MOUNT_PATH_MAX);
    CLEANUP_BUFFER struct buffer quota = BUFFER_INIT(MOUNT_PATH_MAX);
    int result = read_value(reader, image->id, "shareable", &shareable, error);

    if (result == 0)
        result = read_value(reader, image->id, "quota", &quota, error);
    if (result < 0)
        return result;
    const char *obstacle = buffer_text(&shareable);
    /* Cancels may make room: what is over the limit is counted here. */
    if (strncmp(obstacle, "no: ", 4) == 0 && strncmp(obstacle, "no: EDQUOT", 10) != 0) {
        image->obstacle = strdup(obstacle + 4);
        if (!image->obstacle)
            return -ENOMEM;
    }
    const char *slash = strchr(buffer_text(&quota), '/');
    image->used = strtoll(buffer_text(&quota), NULL, 10);
    image->limit = slash ? strtoll(slash + 1, NULL, 10) : 0;
    /* What was just listed is newer. */
    if (image->used < (int64_t)image->now.count)
        image->used = (int64_t)image->now.count;
    return 0;
}

int plan_read_image(struct plan *plan, struct mount_reader *reader, const char *id,
                    struct plan_image **out, struct buffer *error)
{
    CLEANUP_BUFFER struct buffer path = BUFFER_INIT(MOUNT_PATH_MAX);
    CLEANUP_BUFFER struct buffer name = BUFFER_INIT(MOUNT_PATH_MAX);
    int result = mount_refresh_shares(reader, id, error);

    if (result == 0)
        result = read_value(reader, id, "name", &name, error);
    if (result < 0)
        return result;
    struct plan_image *image = plan_add(plan, id, buffer_text(&name));
    if (!image)
        return mount_explain(reader, buffer_text(&path), -ENOMEM, error);
    result = mount_names(reader, mount_path(&path, id, "shares"), &image->now);
    if (result < 0)
        return mount_explain(reader, buffer_text(&path), result, error);
    *out = image;
    return read_state(image, reader, error);
}

struct plan_bounds plan_bounds_of(const struct mount_reader *reader, int64_t cancels)
{
    return (struct plan_bounds){
        .read_only = reader->mount.read_only,
        .no_cancel = reader->no_cancel,
        .mount_cancels = reader->max_cancel,
        .cancels = cancels,
    };
}

/* The image of PLAN that a line "ID ..." is about, NULL where there is none. */
static struct plan_image *image_of(const struct plan *plan, const char *line)
{
    size_t length = strcspn(line, " ");

    for (size_t i = 0; i < plan->count; i++)
        if (strncmp(plan->images[i].id, line, length) == 0 && plan->images[i].id[length] == '\0')
            return &plan->images[i];
    return NULL;
}

/* "ID PIN since TIME" */
static int mark_unsettled(const char *rest, void *context)
{
    struct plan_image *image = image_of(context, rest);

    if (image)
        image->unsettled = true;
    return 0;
}

/* "ID PIN": no list can say it, and no unlink can cancel it. The text is escaped already. */
static int refuse_unlistable(const char *rest, void *context)
{
    struct plan *plan = context;
    const struct plan_image *image = image_of(plan, rest);

    if (image)
        plan_problem(
            plan, image,
            "is shared with %s, which no file name can be; cancel that where it was shared",
            rest + strcspn(rest, " ") + 1);
    return 0;
}

/* Has VISIT look at the lines of status whose key begins with KEY. */
static int read_status(struct plan *plan, const struct mount_reader *reader, const char *key,
                       mount_line visit, struct buffer *error)
{
    CLEANUP_BUFFER struct buffer status = BUFFER_INIT((size_t)64 << 20);
    int result = mount_file(reader, "status", &status);

    if (result == 0)
        result = mount_lines(buffer_text(&status), key, visit, plan);
    return result < 0 ? mount_explain(reader, "status", result, error) : 0;
}

int plan_read_unsettled(struct plan *plan, const struct mount_reader *reader, struct buffer *error)
{
    return read_status(plan, reader, "unsettled_", mark_unsettled, error);
}

/* Whether STORE has the account PIN: 0, or a negative refusal/errno. */
static int find_account(struct store *store, const char *pin)
{
    int result = write_has_account(&store->connection, pin);

    if (result != 0)
        return result < 0 ? result : 0;
    result = write_has_mobile(&store->connection, pin);
    return result < 0 ? result : result == 1 ? -REFUSAL_MOBILE_NUMBER : -REFUSAL_NO_ACCOUNT;
}

/* A registry knows all accounts there are. Where it cannot be read from here, or is none, the mount
 * will say it. */
static void check_accounts(struct plan *plan, const struct mount_reader *reader)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(MOUNT_TEXT_MAX);
    struct store store = {0};

    if (reader->cloud || plan->shares == 0 || store_open(reader->mount.source, &store, &error) < 0)
        return;
    for (size_t i = 0; i < plan->count; i++) {
        const struct plan_image *image = &plan->images[i];
        for (size_t j = 0; j < image->shares.count; j++) {
            CLEANUP_BUFFER struct buffer pin = BUFFER_INIT(MOUNT_PATH_MAX);
            const struct refusal_row *row =
                refusal_of(find_account(&store, image->shares.items[j]));
            text_escape(&pin, image->shares.items[j]);
            if (row && (row->scope & REFUSAL_SHARE))
                plan_problem(plan, image, "%s: %s", buffer_text(&pin), row->sentence);
        }
    }
    store_close(&store);
}

/* The list NAME of DIRECTORY. */
static int read_list(struct plan *plan, const char *directory, const char *name,
                     struct mount_reader *reader, bool allow_empty, struct buffer *error)
{
    CLEANUP_BUFFER struct buffer path = BUFFER_INIT(MOUNT_PATH_MAX);
    char id[TEXT_NAME_MAX + 1] = "";
    struct list list = {
        .plan = plan, .reader = reader, .directory = directory, .allow_empty = allow_empty};

    buffer_printf(&path, "%s/%s", directory, name);
    int result = find_image(plan, reader, buffer_text(&path), name, id, error);
    if (result < 0)
        return result == -ENOENT ? 0 : result;
    result = plan_read_image(plan, reader, id, &list.image, error);
    if (result < 0 || !list.image)
        return result;
    list.path = buffer_text(&path);
    list.image->list = strdup(list.path);
    if (!list.image->list)
        return -ENOMEM;
    return take_file(&list, error);
}

/* The names of the lists in DIRECTORY: all files but teams and hidden ones. */
static int find_lists(const char *directory, struct names *out, struct buffer *error)
{
    struct mount_reader here = {.fd = AT_FDCWD};
    CLEANUP_NAMES struct names all = {0};
    int result = mount_names(&here, directory, &all);

    for (size_t i = 0; result == 0 && i < all.count; i++)
        if (all.items[i][0] != '.' && all.items[i][0] != '@')
            result = names_add(out, all.items[i]);
    if (result < 0) {
        text_escape(error, directory);
        buffer_printf(error, ": %s", strerrordesc_np(-result));
        return result;
    }
    if (out->count > 0)
        return 0;
    text_escape(error, directory);
    buffer_puts(error, ": no list is in it; a list is a file named as an image");
    return -ENOENT;
}

int plan_read(struct plan *plan, const char *directory, struct mount_reader *reader,
              int64_t cancels, bool allow_empty, struct buffer *error)
{
    CLEANUP_NAMES struct names lists = {0};
    const struct plan_bounds bounds = plan_bounds_of(reader, cancels);
    int result = find_lists(directory, &lists, error);

    if (result == 0)
        result = mount_refresh(reader, "private", error);
    if (result < 0)
        return result;
    mount_settle(reader);
    for (size_t i = 0; result == 0 && i < lists.count; i++)
        result = read_list(plan, directory, lists.items[i], reader, allow_empty, error);
    if (result == 0)
        result = plan_read_unsettled(plan, reader, error);
    if (result == 0)
        result = read_status(plan, reader, "unlistable", refuse_unlistable, error);
    if (result == 0)
        result = plan_finish(plan, &bounds);
    if (result == 0)
        check_accounts(plan, reader);
    if (result == -ENOMEM && error->length == 0)
        buffer_puts(error, strerrordesc_np(ENOMEM));
    return result;
}
