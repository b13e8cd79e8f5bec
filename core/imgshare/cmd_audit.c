/* imgshare audit: shares that no list allows, images that are open to everyone, images of strangers.
 */
#include "core/imgshare/command.h"

#include "core/base/text.h"
#include "core/imgshare/mount_read.h"
#include "core/rules/pin_list.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum option_value {
    OPTION_ALLOW = COMMAND_OPTION,
    OPTION_TRUST,
};

static const struct option options[] = {
    {"allow", required_argument, NULL, OPTION_ALLOW},
    {"trust", required_argument, NULL, OPTION_TRUST},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

/* 1 says that something was found. */
#define STATUS_NOT_AUDITED 3

struct audit {
    struct mount_reader reader;
    struct pin_list *allow;
    struct pin_list *trust; /* NULL: the mount's own */
    size_t findings;
    struct buffer error;
};

static void audit_dispose(struct audit *audit)
{
    mount_close(&audit->reader);
    pin_list_free(audit->allow);
    pin_list_free(audit->trust);
    buffer_dispose(&audit->error);
}

/* A finding: "KIND: ID (NAME) REST". Without a NAME it is left out. 0 or -ENOMEM. */
static int found(struct audit *audit, const char *kind, const char *id, const char *name,
                 const char *rest)
{
    CLEANUP_BUFFER struct buffer line = BUFFER_INIT(4 * MOUNT_TEXT_MAX);

    buffer_printf(&line, "%s: ", kind);
    text_escape(&line, id);
    if (name) {
        buffer_puts(&line, " (");
        text_escape(&line, name);
        buffer_puts(&line, ")");
    }
    buffer_puts(&line, *rest ? " " : "");
    text_escape(&line, rest);
    if (buffer_failed(&line))
        return -ENOMEM;
    (void)puts(buffer_text(&line));
    audit->findings++;
    return 0;
}

/* Whether SCOPE/ID is gone meanwhile, so that nothing need be said of it. */
static bool is_gone(const struct audit *audit, const char *scope, const char *id)
{
    CLEANUP_BUFFER struct buffer path = BUFFER_INIT(MOUNT_PATH_MAX);
    struct stat status;

    buffer_printf(&path, "%s/%s", scope, id);
    return !buffer_failed(&path) &&
           fstatat(audit->reader.fd, buffer_text(&path), &status, 0) != 0 && errno == ENOENT;
}

/* Reads SCOPE/ID/FILE into OUT. 0, or a negative errno with the audit's error set. */
static int read_value(struct audit *audit, const char *scope, const char *id, const char *file,
                      struct buffer *out)
{
    CLEANUP_BUFFER struct buffer path = BUFFER_INIT(MOUNT_PATH_MAX);

    buffer_printf(&path, "%s/%s/%s", scope, id, file);
    int result = mount_file(&audit->reader, buffer_text(&path), out);
    return result < 0 ? mount_explain(&audit->reader, buffer_text(&path), result, &audit->error)
                      : 0;
}

static int audit_own(struct audit *audit, const char *id)
{
    CLEANUP_BUFFER struct buffer path = BUFFER_INIT(MOUNT_PATH_MAX);
    CLEANUP_BUFFER struct buffer name = BUFFER_INIT(MOUNT_PATH_MAX);
    CLEANUP_BUFFER struct buffer exposure = BUFFER_INIT(MOUNT_PATH_MAX);
    CLEANUP_NAMES struct names pins = {0};
    int result = mount_refresh_shares(&audit->reader, id, &audit->error);

    if (result == 0)
        result = read_value(audit, "private", id, "name", &name);
    if (result == 0)
        result = read_value(audit, "private", id, "exposure", &exposure);
    if (result < 0)
        return result;
    result = mount_names(&audit->reader, mount_path(&path, id, "shares"), &pins);
    if (result < 0)
        return mount_explain(&audit->reader, buffer_text(&path), result, &audit->error);
    if (strcmp(buffer_text(&exposure), "everyone") == 0)
        result = found(audit, "everyone", id, buffer_text(&name), "");
    for (size_t i = 0; i < pins.count && result == 0; i++)
        if (!pin_list_has(audit->allow, pins.items[i]))
            result = found(audit, "unlisted", id, buffer_text(&name), pins.items[i]);
    return result;
}

static int audit_received(struct audit *audit, const char *id)
{
    CLEANUP_BUFFER struct buffer name = BUFFER_INIT(MOUNT_PATH_MAX);
    CLEANUP_BUFFER struct buffer owner = BUFFER_INIT(MOUNT_PATH_MAX);
    CLEANUP_BUFFER struct buffer trusted = BUFFER_INIT(MOUNT_PATH_MAX);
    int result = read_value(audit, "shared", id, "name", &name);

    if (result == 0)
        result = read_value(audit, "shared", id, "owner", &owner);
    if (result == 0)
        result = read_value(audit, "shared", id, "trusted", &trusted);
    if (result < 0)
        return result;
    bool good = audit->trust ? pin_list_has(audit->trust, buffer_text(&owner))
                             : strcmp(buffer_text(&trusted), "yes") == 0;
    return good ? 0 : found(audit, "untrusted", id, buffer_text(&name), buffer_text(&owner));
}

/* All images of SCOPE, sorted. */
static int audit_images(struct audit *audit, const char *scope,
                        int (*image)(struct audit *audit, const char *id))
{
    CLEANUP_NAMES struct names ids = {0};
    int result = mount_names(&audit->reader, scope, &ids);

    if (result < 0)
        return mount_explain(&audit->reader, scope, result, &audit->error);
    for (size_t i = 0; i < ids.count; i++) {
        result = image(audit, ids.items[i]);
        if (result < 0 && !is_gone(audit, scope, ids.items[i]))
            return result;
        buffer_clear(&audit->error);
    }
    return 0;
}

/* "ID PIN": what no file name can be is on no list. The text is escaped already. */
static int found_unlistable(const char *rest, void *context)
{
    struct audit *audit = context;

    (void)printf("unlistable: %s\n", rest);
    audit->findings++;
    return 0;
}

/* "ID PIN since TIME": it may be shared. */
static int found_unsettled(const char *rest, void *context)
{
    struct audit *audit = context;
    const char *pin = strchr(rest, ' ');
    const char *end = NULL;

    /* The last: an allow-list may allow pins with blanks. */
    for (const char *since = pin; since && (since = strstr(since, " since ")); since++)
        end = since;
    CLEANUP_FREE char *name = end && end > pin ? strndup(pin + 1, (size_t)(end - pin - 1)) : NULL;
    if (!name && end && end > pin)
        return -ENOMEM;
    if (name && pin_list_has(audit->allow, name))
        return 0;
    (void)printf("unsettled: %s\n", rest);
    audit->findings++;
    return 0;
}

static int audit_status(struct audit *audit)
{
    CLEANUP_BUFFER struct buffer status = BUFFER_INIT((size_t)64 << 20);
    int result = mount_file(&audit->reader, "status", &status);

    if (result == 0)
        result = mount_lines(buffer_text(&status), "unlistable", found_unlistable, audit);
    if (result == 0)
        result = mount_lines(buffer_text(&status), "unsettled_share", found_unsettled, audit);
    return result < 0 ? mount_explain(&audit->reader, "status", result, &audit->error) : 0;
}

static int audit_mount(struct audit *audit, const char *path)
{
    int result = mount_open(path, &audit->reader, &audit->error);

    if (result < 0)
        return result;
    mount_begin(&audit->reader);
    result = mount_refresh(&audit->reader, "private", &audit->error);
    if (result == 0)
        result = mount_refresh(&audit->reader, "shared", &audit->error);
    mount_settle(&audit->reader);
    if (result == 0)
        result = audit_images(audit, "private", audit_own);
    if (result == 0)
        result = audit_images(audit, "shared", audit_received);
    return result == 0 ? audit_status(audit) : result;
}

static int run(const struct command *command, int argc, char **argv)
{
    __attribute__((cleanup(audit_dispose))) struct audit audit = {
        .reader = {.fd = -1}, .error = BUFFER_INIT(COMMAND_ERROR_MAX)};
    const char *allow = NULL;
    const char *trust = NULL;
    int option = 0;

    while ((option = command_option(command, argc, argv, options)) > 0 && option != '?')
        *(option == OPTION_ALLOW ? &allow : &trust) = optarg;
    if (option != -1)
        return command_end(option);
    if (!command_words(command, argc, argv, 1, 1, "MOUNT"))
        return STATUS_USAGE;
    if (!allow)
        return command_wrong(command, "--allow FILE is missing");
    if (pin_list_read(allow, &audit.error, &audit.allow) < 0 ||
        (trust && pin_list_read(trust, &audit.error, &audit.trust) < 0) ||
        audit_mount(&audit, argv[optind]) < 0) {
        (void)command_failed(&audit.error);
        return STATUS_NOT_AUDITED;
    }
    return command_written(audit.findings > 0 ? STATUS_FAILED : STATUS_OK, STATUS_NOT_AUDITED);
}

const struct command command_audit = {
    .name = "audit",
    .words = "MOUNT --allow FILE [--trust FILE]",
    .summary = "Lists shares that no list allows, and what is open or of strangers",
    .help =
        "  --allow FILE   the accounts that images may be shared with: a pin a line, as allow= of\n"
        "                 imgsharefs takes it\n"
        "  --trust FILE   the accounts whose images are trusted; without it the mount's own list\n"
        "                 counts, its trust=\n"
        "\n"
        "A line for each finding: \"unlisted: IMAGE (NAME) PIN\", a share with an account that is "
        "not\n"
        "in FILE; \"everyone: IMAGE (NAME)\", an own image that is open to everyone; \"untrusted:\n"
        "IMAGE (NAME) OWNER\", an image that an account shares that is not trusted; \"unlistable:\n"
        "IMAGE PIN\", a share that no file name can be; \"unsettled: IMAGE PIN since TIME\", a "
        "share\n"
        "with an account that is not in FILE whose outcome is not known. The exit status is 0 "
        "where\n"
        "nothing was found, 1 where something was, 3 where it could not be found out.\n",
    .run = run,
};
