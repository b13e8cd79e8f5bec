/* Finding a mount: see the header. */
#include "core/imgshare/mount_find.h"

#include "core/base/text.h"

#include <errno.h>
#include <libgen.h>
#include <string.h>

/* What the kernel calls our file systems (mount -t fuse.imgsharefs). */
#define MOUNT_TYPE "fuse.imgsharefs"

void mount_dispose(struct mount *mount)
{
    free(STEAL(mount->point));
    free(STEAL(mount->source));
    free(STEAL(mount->inside));
}

/* Undoes \040 and the like, in place. */
static void unescape(char *text)
{
    char *to = text;

    while (*text) {
        if (text[0] == '\\' && strspn(text + 1, "01234567") >= 3) {
            *to++ = (char)((text[1] - '0') * 64 + (text[2] - '0') * 8 + (text[3] - '0'));
            text += 4;
        } else {
            *to++ = *text++;
        }
    }
    *to = '\0';
}

/* Whether PATH is POINT or below it. */
static bool is_below(const char *path, const char *point)
{
    size_t length = strlen(point);

    if (strcmp(point, "/") == 0)
        return true;
    return strncmp(path, point, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

/* A line of mountinfo, cut up: the words point into the line. */
struct line {
    char *point, *options, *type, *source, *super_options;
};

/* "36 35 98:0 /root /point options [tags...] - type source super-options" */
static bool cut_line(char *text, struct line *out)
{
    char *rest = text;
    char *word = NULL;

    *out = (struct line){0};
    for (int i = 0; (word = strsep(&rest, " \n")) && strcmp(word, "-") != 0; i++) {
        if (i == 4)
            out->point = word;
        else if (i == 5)
            out->options = word;
    }
    out->type = strsep(&rest, " \n");
    out->source = strsep(&rest, " \n");
    out->super_options = strsep(&rest, " \n");
    if (!word || !out->options || !out->source || !out->super_options)
        return false;
    unescape(out->point);
    unescape(out->source);
    return true;
}

/* Whether OPTIONS, separated by commas, begin with ro, as a mount's do. */
static bool is_read_only(const char *options)
{
    return strcmp(options, "ro") == 0 || strncmp(options, "ro,", 3) == 0;
}

/* Takes over what LINE says of the mount that PATH is below. */
static int take_line(const struct line *line, const char *path, struct mount *out)
{
    const char *inside = path + (strcmp(line->point, "/") == 0 ? 0 : strlen(line->point));

    mount_dispose(out);
    out->point = strdup(line->point);
    out->source = strdup(line->source);
    out->inside = strdup(inside + strspn(inside, "/"));
    out->read_only = is_read_only(line->options) || is_read_only(line->super_options);
    return out->point && out->source && out->inside ? 0 : -ENOMEM;
}

/* Finds the mount that PATH is in, ours or not: the deepest, and of those in one place the last. */
static int find_mount(const char *path, bool *ours, struct mount *out)
{
    CLEANUP_FCLOSE FILE *file = fopen("/proc/self/mountinfo", "re");
    CLEANUP_FREE char *text = NULL;
    size_t size = 0;
    size_t depth = 0;
    struct line line;
    int result = 0;

    *ours = false;
    if (!file)
        return -errno;
    while (result == 0 && getline(&text, &size, file) >= 0) {
        if (!cut_line(text, &line) || !is_below(path, line.point) || strlen(line.point) < depth)
            continue;
        depth = strlen(line.point);
        *ours = strcmp(line.type, MOUNT_TYPE) == 0;
        result = take_line(&line, path, out);
    }
    return result == 0 && !feof(file) ? -errno : result;
}

/* Where PATH leads. NULL with errno set where that cannot be known. */
static char *resolve(const char *path)
{
    char *whole = realpath(path, NULL);

    if (whole || errno == ENOTCONN)
        return whole;
    /* The last part need not exist. */
    CLEANUP_FREE char *for_parent = strdup(path);
    CLEANUP_FREE char *for_name = strdup(path);
    if (!for_parent || !for_name)
        return NULL;
    CLEANUP_FREE char *parent = realpath(dirname(for_parent), NULL);
    if (!parent || asprintf(&whole, "%s/%s", parent, basename(for_name)) < 0)
        return NULL;
    return whole;
}

int mount_find(const char *path, struct mount *out, struct buffer *error)
{
    CLEANUP_FREE char *resolved = resolve(path);
    bool ours = false;

    *out = (struct mount){0};
    if (!resolved) {
        int result = errno ? -errno : -ENOMEM;
        text_escape(error, path);
        buffer_printf(error, ": %s", strerrordesc_np(-result));
        if (result == -ENOTCONN)
            buffer_puts(error, "; the mount's daemon has died: umount it, and mount it again");
        return result;
    }
    int result = find_mount(resolved, &ours, out);
    if (result < 0)
        buffer_printf(error, "/proc/self/mountinfo: %s", strerrordesc_np(-result));
    if (result == 0 && !ours) {
        text_escape(error, path);
        buffer_puts(error, ": not inside a mount of imgsharefs");
        result = -ENODEV;
    }
    if (result < 0)
        mount_dispose(out);
    return result;
}
