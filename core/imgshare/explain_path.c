/* What would happen at a path in a mount: see explain.h. */
#include "core/imgshare/explain.h"

#include "core/base/text.h"
#include "core/catalog/attribute.h"
#include "core/catalog/decide.h"
#include "core/imgshare/mount_find.h"
#include "core/imgshare/mount_read.h"
#include "core/source/replica_reader.h"
#include "core/store/transaction.h"

#include <errno.h>
#include <string.h>

/* Of the file status as much as is read. */
#define STATUS_MAX ((size_t)64 << 10)

/* private/ID/shares/PIN has four. */
#define PARTS_MAX 5

/* A path in a mount, and what is known of it. */
struct place {
    const char *path; /* as the user wrote it */
    struct mount *mount;
    char *words; /* the path inside the mount, cut into its parts */
    const char *parts[PARTS_MAX];
    size_t count;
    char pin[VIEW_NAME_SIZE]; /* of the account that is mounted */
    bool no_cancel;
    char allow[64];     /* "N pins" of an allow-list, "" where there is none */
    char replica[4096]; /* of a mount of a cloud: where it is; "" for a registry */
    char online[512];   /* of such a mount: "yes", or "no: " and why */
    char *status;       /* the file status */
    struct buffer *out;
    struct buffer *error;
};

/* Reads the beginning of file NAME of the mount into TEXT. */
static int read_file(const struct mount *mount, const char *name, char *text, size_t size)
{
    CLEANUP_BUFFER struct buffer path = BUFFER_INIT(1 << 16);

    buffer_printf(&path, "%s/%s", mount->point, name);
    CLEANUP_FCLOSE FILE *file = fopen(buffer_text(&path), "re");
    if (!file)
        return -errno;
    size_t length = fread(text, 1, size - 1, file);
    text[length] = '\0';
    return ferror(file) ? -EIO : 0;
}

/* The value of the line "KEY: value" in TEXT, "" where there is none. */
static void find_value(const char *text, const char *key, char *value, size_t size)
{
    CLEANUP_BUFFER struct buffer found = BUFFER_INIT(STATUS_MAX);

    (void)mount_value(text, key, &found);
    (void)snprintf(value, size, "%s", buffer_text(&found));
}

/* Asks the mount whom it acts for, and with which options. */
static int ask_mount(struct place *place)
{
    char text[VIEW_NAME_SIZE] = "";
    char cancel[8] = "";
    int result = read_file(place->mount, "account/pin", text, sizeof(text));

    place->status = calloc(1, STATUS_MAX);
    if (!place->status)
        return -ENOMEM;
    if (result == 0) {
        (void)snprintf(place->pin, sizeof(place->pin), "%.*s", (int)strcspn(text, "\n"), text);
        result = read_file(place->mount, "status", place->status, STATUS_MAX);
    }
    if (result < 0) {
        text_escape(place->error, place->mount->point);
        buffer_printf(place->error, ": %s", strerrordesc_np(-result));
        return result;
    }
    find_value(place->status, "cancel", cancel, sizeof(cancel));
    place->no_cancel = strcmp(cancel, "off") == 0;
    find_value(place->status, "allow_list", place->allow, sizeof(place->allow));
    find_value(place->status, "replica", place->replica, sizeof(place->replica));
    find_value(place->status, "online", place->online, sizeof(place->online));
    return 0;
}

static int cut_path(struct place *place)
{
    char *rest = NULL;

    place->words = strdup(place->mount->inside);
    if (!place->words)
        return -ENOMEM;
    for (char *part = strtok_r(place->words, "/", &rest); part; part = strtok_r(NULL, "/", &rest)) {
        if (place->count == PARTS_MAX)
            return -ENOENT;
        place->parts[place->count++] = part;
    }
    return 0;
}

/* Things that are neither an image nor a share. */
static const struct {
    const char *inside;
    const char *what;
} things[] = {
    {"", "the root of a mount of imgsharefs"},
    {"README", "how to use this mount, one screen"},
    {"account", "the user center of the mounted account"},
    {"account/pin", "the User Pin that others need to share with this account"},
    {"status", "the state of the mount"},
    {"events", "the log of everything done and refused"},
    {"by-name", "images by their names"},
    {"by-name/private", "this account's images by their names"},
    {"by-name/shared", "images of others by owner and name"},
    {"by-account", "the accounts that can use images of this one"},
    {"private", "the images that this account owns"},
    {"shared", "the images that others share with this account"},
};

static void explain_thing(const struct place *place)
{
    const char *what = NULL;

    for (size_t i = 0; i < sizeof(things) / sizeof(things[0]) && !what; i++)
        if (strcmp(things[i].inside, place->mount->inside) == 0)
            what = things[i].what;
    if (!what && place->count == 2 && strcmp(place->parts[0], "by-account") == 0)
        what = "an account, and the images of this one that it can use";
    if (!what && place->count == 3 && strcmp(place->parts[0], "by-name") == 0)
        what = "an account that shares with this one, or one of its images";
    text_escape(place->out, place->path);
    buffer_printf(place->out, ": %s; nothing can be made or removed here\n",
                  what ? what : "no share and no image");
}

/* The image's last refused change. */
static int add_last_refusal(struct place *place, struct view *view, int64_t image)
{
    CLEANUP_REFUSAL struct view_refusal refusal = {0};
    CLEANUP_BUFFER struct buffer text = BUFFER_INIT(8192);
    char time[TEXT_TIME_SIZE];
    int result = view_refusal(view, image, &refusal);

    if (result == -ENOENT)
        return 0;
    if (result < 0)
        return result;
    const struct refusal_row *row = refusal_find_code(refusal.code);
    text_time(refusal.at_ns, 0, time);
    buffer_printf(&text, "last refusal: %s, %s ", time, refusal.action);
    text_escape(&text, refusal.name);
    if (row) {
        buffer_puts(&text, ": ");
        explain_result(&text, -(int)row->refusal);
    }
    buffer_puts(&text, "\n");
    buffer_append(place->out, &text);
    return 0;
}

/* Whether it is a cloud that is mounted. */
static bool is_cloud(const struct place *place)
{
    return place->replica[0] != '\0';
}

/* Decides ACTION on the share that PLACE names; 0, 1, or a negative refusal/errno. */
static int decide(struct place *place, struct catalog *catalog, int64_t image,
                  enum change_action action, struct change *change)
{
    struct connection *connection = &catalog->store.connection;
    struct write_image found = {0};

    *change = (struct change){.catalog = catalog, .action = action, .image = image};
    (void)snprintf(change->name, sizeof(change->name), "%s", place->parts[3]);
    if (place->mount->read_only)
        return -REFUSAL_READ_ONLY;
    int result = snapshot_begin(connection);
    if (result == 0)
        result = decide_change(catalog, connection, change, text_now(), &found);
    snapshot_end(connection);
    return result;
}

static void add_outcome(struct place *place, const char *verb, int result, const char *success)
{
    CLEANUP_BUFFER struct buffer text = BUFFER_INIT(8192);

    buffer_printf(&text, "%s ", verb);
    text_escape(&text, place->path);
    buffer_puts(&text, ": ");
    if (result < 0) {
        buffer_puts(&text, "would be refused: ");
        explain_result(&text, result);
    } else {
        buffer_puts(&text, success);
        buffer_puts(&text, place->parts[1]);
        buffer_puts(&text, " with ");
        text_escape(&text, place->parts[3]);
    }
    buffer_puts(&text, "\n");
    buffer_append(place->out, &text);
}

static void add_away(const struct place *place)
{
    if (strncmp(place->online, "no: ", 4) == 0)
        buffer_printf(place->out, "The cloud is away, and changes fail at once: %s\n",
                      place->online + 4);
}

/* What a cloud has not been asked yet, and whether it can be asked. */
static void add_cloud(struct place *place, struct catalog *catalog, struct view *view,
                      int64_t image, bool share)
{
    CLEANUP_RECORD struct view_record record = {0};
    CLEANUP_BUFFER struct buffer text = BUFFER_INIT(8192);
    char time[TEXT_TIME_SIZE];

    add_away(place);
    if (view_record(view, image, &record) == 0 && record.owned) {
        if (record.confirmed_ns == 0) {
            buffer_puts(&text, "The cloud was not asked yet with whom the image is shared.\n");
        } else {
            text_time(record.confirmed_ns, 0, time);
            buffer_printf(&text, "The cloud confirmed the image's shares at %s.\n", time);
        }
        int result = share ? decide_image(catalog, view, &record) : 0;
        if (result < 0) {
            buffer_puts(&text, "By what the cloud said last it will refuse: ");
            explain_result(&text, result);
            buffer_puts(&text, "\n");
        } else if (share) {
            buffer_puts(&text, "Whether the account exists, and whether the image may be shared "
                               "with one more, the cloud decides then.\n");
        }
    }
    buffer_append(place->out, &text);
}

/* A line "unsettled_share: IMAGE PIN since TIME" of the file status, from IMAGE on. */
static int add_unsettled(const char *rest, void *context)
{
    struct place *place = context;
    CLEANUP_BUFFER struct buffer start = BUFFER_INIT(2048);

    buffer_printf(&start, "%s ", place->parts[1]);
    text_escape(&start, place->parts[3]);
    buffer_puts(&start, " since ");
    if (!buffer_failed(&start) && strncmp(rest, buffer_text(&start), start.length) == 0)
        buffer_printf(place->out,
                      "A change of it has had no answer since %.*s; what became of it is being "
                      "found out, and another waits for that.\n",
                      (int)strcspn(rest + start.length, "\n"), rest + start.length);
    return 0;
}

/* Whether RESULT is no decision, but says that none could be made. */
static bool is_undecided(int result)
{
    const struct refusal_row *row = refusal_of(result);

    return result < 0 && (!row || refusal_is_fault(row->refusal));
}

static int explain_share(struct place *place, struct catalog *catalog, struct view *view,
                         int64_t image)
{
    struct change share = {0};
    struct change cancel = {0};
    struct view_share entry = {0};
    int shared = view_share_by_pin(view, image, place->parts[3], &entry);

    if (shared < 0 && shared != -ENOENT)
        return shared;
    if (shared == -ENOENT) {
        int result = decide(place, catalog, image, CHANGE_SHARE, &share);
        if (is_undecided(result))
            return result;
        add_outcome(place, "touch", result,
                    is_cloud(place) ? "would ask the cloud to share " : "would share ");
        if (place->allow[0])
            buffer_printf(
                place->out,
                "This mount has an allow-list of %s; a pin that is not on it is refused.\n",
                place->allow);
        if (is_cloud(place) && result >= 0)
            add_cloud(place, catalog, view, image, true);
        return 0;
    }
    char time[TEXT_TIME_SIZE];
    text_time(entry.created_ns, 0, time);
    int result = decide(place, catalog, image, CHANGE_CANCEL, &cancel);
    if (is_undecided(result))
        return result;
    const char *cancels = is_cloud(place) ? ", rm asks the cloud to cancel it" : ", rm cancels it";
    text_escape(place->out, place->parts[3]);
    buffer_printf(place->out, " has it since %s: touch changes nothing%s\n", time,
                  result == 0 ? cancels : "");
    if (result < 0)
        add_outcome(place, "rm", result, "");
    else if (is_cloud(place))
        add_cloud(place, catalog, view, image, false);
    return 0;
}

static int explain_image(struct place *place, struct catalog *catalog, struct view *view,
                         int64_t image)
{
    CLEANUP_RECORD struct view_record record = {0};
    CLEANUP_BUFFER struct buffer text = BUFFER_INIT(8192);
    int result = view_record(view, image, &record);

    if (result < 0)
        return result;
    buffer_printf(&text, "%s: an image of ", record.id);
    text_escape(&text, record.owner);
    result = decide_image(catalog, view, &record);
    if (is_undecided(result))
        return result;
    if (result < 0) {
        buffer_puts(&text, " that cannot be shared: ");
        explain_result(&text, result);
    } else {
        buffer_puts(&text, " that can be shared: touch ");
        text_escape(&text, place->mount->point);
        buffer_printf(&text, "/private/%s/shares/PIN", record.id);
    }
    buffer_puts(&text, "\n");
    buffer_append(place->out, &text);
    if (is_cloud(place))
        add_away(place);
    return 0;
}

/* An image, one of its files, or one of its shares, by what the registry holds. */
static int explain_stored(struct place *place, struct catalog *catalog)
{
    struct view view = {0};
    struct view_image image = {0};
    enum view_scope scope = strcmp(place->parts[0], "private") == 0 ? VIEW_PRIVATE : VIEW_SHARED;
    int result = catalog_view(catalog, &view, place->error);

    if (result < 0)
        return result;
    result = view_image_by_id(&view, scope, place->parts[1], &image);
    if (result == -ENOENT) {
        text_escape(place->error, place->path);
        buffer_printf(place->error, ": no image ");
        text_escape(place->error, place->parts[1]);
        buffer_printf(place->error, " in %s/", place->parts[0]);
    }
    if (result == 0 && place->count == 4) {
        result = explain_share(place, catalog, &view, image.row);
        mount_lines(place->status, "unsettled_", add_unsettled, place);
    } else if (result == 0)
        result = explain_image(place, catalog, &view, image.row);
    if (result == 0)
        result = add_last_refusal(place, &view, image.row);
    view_close(&view);
    if (result < 0 && place->error->length == 0)
        return store_explain(&catalog->store, &catalog->store.connection, result, place->error);
    return -refusal_errno(result);
}

/* The same by what the mount itself says: the registry, or the replica, cannot be read by this user, or
 * for the reason WHY. */
static void explain_shown(struct place *place, int result, const struct buffer *why)
{
    static const char *const names[] = {"shareable", "last_refusal"};

    if (result == -EACCES || result == -EPERM) {
        text_escape(place->out, is_cloud(place) ? place->replica : place->mount->source);
        buffer_puts(place->out, ": this user cannot read it");
    } else {
        buffer_append(place->out, why);
    }
    buffer_puts(place->out, "; what the mount itself says:\n");
    add_away(place);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        CLEANUP_BUFFER struct buffer file = BUFFER_INIT(4096);
        CLEANUP_BUFFER struct buffer text = BUFFER_INIT(8192);
        char content[4096] = "";
        buffer_printf(&file, "%s/%s/%s", place->parts[0], place->parts[1], names[i]);
        if (read_file(place->mount, buffer_text(&file), content, sizeof(content)) < 0 || !*content)
            continue;
        content[strcspn(content, "\n")] = '\0';
        buffer_printf(&text, "%s: ", names[i]);
        text_escape(&text, content);
        buffer_puts(&text, "\n");
        buffer_append(place->out, &text);
    }
}

static bool is_of_image(const struct place *place)
{
    if (place->count < 2 ||
        (strcmp(place->parts[0], "private") != 0 && strcmp(place->parts[0], "shared") != 0))
        return false;
    return place->count <= 3 || (place->count == 4 && strcmp(place->parts[2], "shares") == 0);
}

static int explain_place(struct place *place)
{
    struct catalog *catalog = NULL;
    int result = cut_path(place);

    if (result == -ENOENT || (result == 0 && !is_of_image(place))) {
        explain_thing(place);
        return 0;
    }
    if (result == 0)
        result = ask_mount(place);
    if (result < 0)
        return result;
    struct catalog_options options = {
        .path = is_cloud(place) ? place->replica : place->mount->source,
        .open = is_cloud(place) ? replica_reader_open : NULL,
        .account = place->pin,
        .no_cancel = place->no_cancel,
    };
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(4096);
    result = catalog_open(&options, &error, &catalog);
    if (result == -ENOMEM)
        return result;
    if (result < 0) {
        explain_shown(place, result, &error);
        return 0;
    }
    result = explain_stored(place, catalog);
    catalog_close(catalog);
    return result;
}

int explain_path(const char *path, struct buffer *out, struct buffer *error)
{
    CLEANUP_MOUNT struct mount mount = {0};
    struct place place = {.path = path, .mount = &mount, .out = out, .error = error};
    int result = mount_find(path, &mount, error);

    if (result == 0)
        result = explain_place(&place);
    free(place.words);
    free(place.status);
    if (result < 0 && error->length == 0)
        buffer_puts(error, strerrordesc_np(-result));
    return result;
}
