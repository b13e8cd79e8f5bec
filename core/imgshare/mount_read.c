/* Reading a mount: see the header. */
#include "core/imgshare/mount_read.h"

#include "core/base/text.h"
#include "core/imgshare/command.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* The largest file that is read whole: status, with all that is unsettled; image.json. */
#define FILE_MAX_BYTES ((size_t)64 << 20)

/* Within this what a refresh has found shows in directories that the kernel keeps. */
#define SETTLE_MS 250

/* How old a list may be that cannot be refreshed from here: what the mount itself takes for "no". */
#define AGE_MAX_S 300

#define NANOSECONDS 1000000000LL

int mount_explain(const struct mount_reader *reader, const char *path, int result,
                  struct buffer *error)
{
    text_escape(error, reader->mount.point);
    buffer_puts(error, "/");
    text_escape(error, path);
    buffer_printf(error, ": %s", strerrordesc_np(-result));
    return result;
}

const char *mount_path(struct buffer *out, const char *id, const char *file)
{
    buffer_clear(out);
    buffer_printf(out, "private/%s/%s", id, file);
    return buffer_text(out);
}

int mount_file(const struct mount_reader *reader, const char *path, struct buffer *out)
{
    CLEANUP_CLOSE int fd = openat(reader->fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    size_t begin = out->length;
    char text[4096];
    ssize_t got = 0;

    if (fd < 0)
        return -errno;
    while ((got = read(fd, text, sizeof(text))) > 0)
        buffer_add(out, text, (size_t)got);
    if (got < 0)
        return -errno;
    if (buffer_failed(out))
        return -EFBIG;
    if (out->length > begin && out->text[out->length - 1] == '\n')
        out->text[--out->length] = '\0';
    return 0;
}

static void close_directory(DIR **directory)
{
    if (*directory)
        (void)closedir(*directory);
}

int mount_names(const struct mount_reader *reader, const char *path, struct names *out)
{
    int fd = openat(reader->fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    __attribute__((cleanup(close_directory))) DIR *directory = fdopendir(fd);
    if (!directory) {
        int result = -errno;
        (void)close(fd);
        return result;
    }
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(directory);
        if (!entry)
            break;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        int result = names_add(out, entry->d_name);
        if (result < 0)
            return result;
    }
    if (errno != 0)
        return -errno;
    names_sort(out);
    return 0;
}

bool mount_value(const char *text, const char *key, struct buffer *out)
{
    size_t length = strlen(key);

    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, length) == 0 && strncmp(line + length, ": ", 2) == 0) {
            line += length + 2;
            buffer_add(out, line, strcspn(line, "\n"));
            return true;
        }
    }
    return false;
}

int mount_lines(const char *text, const char *key, mount_line visit, void *context)
{
    size_t length = strlen(key);
    int result = 0;

    while (*text && result == 0) {
        size_t line = strcspn(text, "\n");
        CLEANUP_FREE char *copy = strndup(text, line);
        if (!copy)
            return -ENOMEM;
        const char *rest = strncmp(copy, key, length) == 0 ? strstr(copy, ": ") : NULL;
        if (rest)
            result = visit(rest + 2, context);
        text += line + (text[line] == '\n');
    }
    return result;
}

/* What status says of the mount. */
static void take_status(struct mount_reader *reader, const char *status)
{
    CLEANUP_BUFFER struct buffer source = BUFFER_INIT(MOUNT_PATH_MAX);
    CLEANUP_BUFFER struct buffer cancel = BUFFER_INIT(64);
    CLEANUP_BUFFER struct buffer limit = BUFFER_INIT(64);
    CLEANUP_BUFFER struct buffer access = BUFFER_INIT(64);
    CLEANUP_BUFFER struct buffer allow = BUFFER_INIT(64);
    long number = 0;

    (void)mount_value(status, "source", &source);
    reader->cloud = strncmp(buffer_text(&source), "registry ", strlen("registry ")) != 0;
    (void)mount_value(status, "cancel", &cancel);
    reader->no_cancel = strcmp(buffer_text(&cancel), "off") == 0;
    if (mount_value(status, "maxcancel", &limit) &&
        command_number(buffer_text(&limit), 0, INT32_MAX, &number))
        reader->max_cancel = number;
    if (mount_value(status, "access", &access) && strcmp(buffer_text(&access), "read-only") == 0)
        reader->mount.read_only = true;
    reader->has_allow_list = mount_value(status, "allow_list", &allow);
}

int mount_open(const char *path, struct mount_reader *out, struct buffer *error)
{
    CLEANUP_BUFFER struct buffer status = BUFFER_INIT(FILE_MAX_BYTES);
    CLEANUP_BUFFER struct buffer pin = BUFFER_INIT(MOUNT_PATH_MAX);

    *out = (struct mount_reader){.fd = -1, .opened_ns = text_now()};
    int result = mount_find(path, &out->mount, error);
    if (result < 0)
        return result;
    if (*out->mount.inside) {
        text_escape(error, path);
        buffer_puts(error, ": not where imgsharefs is mounted; that is ");
        text_escape(error, out->mount.point);
        return -EINVAL;
    }
    out->fd = open(out->mount.point, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (out->fd < 0)
        return mount_explain(out, "", -errno, error);
    result = mount_file(out, "status", &status);
    if (result < 0)
        return mount_explain(out, "status", result, error);
    take_status(out, buffer_text(&status));
    result = mount_file(out, "account/pin", &pin);
    if (result < 0)
        return mount_explain(out, "account/pin", result, error);
    out->pin = strdup(buffer_text(&pin));
    return out->pin ? 0 : mount_explain(out, "account/pin", -ENOMEM, error);
}

void mount_close(struct mount_reader *reader)
{
    if (reader->fd >= 0)
        (void)close(reader->fd);
    reader->fd = -1;
    free(STEAL(reader->pin));
    mount_dispose(&reader->mount);
}

/* How old the list of PATH is, in seconds; negative where nobody knows. */
static int64_t age_of(const struct mount_reader *reader, const char *path)
{
    CLEANUP_BUFFER struct buffer text = BUFFER_INIT(FILE_MAX_BYTES);
    CLEANUP_BUFFER struct buffer value = BUFFER_INIT(64);
    CLEANUP_BUFFER struct buffer name = BUFFER_INIT(MOUNT_PATH_MAX);
    const char *shares = strstr(path, "/shares");
    int64_t at_ns = 0;

    if (shares) {
        CLEANUP_NAMES struct names asked = {0};
        buffer_printf(&name, "%.*s/confirmed", (int)(shares - path), path);
        /* Opening the directory asks the cloud, where it was long ago. */
        if (mount_names(reader, path, &asked) < 0 ||
            mount_file(reader, buffer_text(&name), &text) < 0 ||
            text_time_parse(buffer_text(&text), &at_ns) < 0)
            return -1;
        return (text_now() - at_ns) / NANOSECONDS;
    }
    buffer_printf(&name, "%s_age", path);
    if (mount_file(reader, "status", &text) < 0 ||
        !mount_value(buffer_text(&text), buffer_text(&name), &value) || value.length == 0)
        return -1;
    char *end = NULL;
    long long age = strtoll(value.text, &end, 10);
    return end == value.text ? -1 : age;
}

static bool may_not(int error)
{
    return error == EROFS || error == EACCES || error == EPERM;
}

int mount_refresh(struct mount_reader *reader, const char *path, struct buffer *error)
{
    if (!reader->cloud)
        return 0;
    reader->settling = true;
    /* Both times "now": what touch does. */
    if (utimensat(reader->fd, path, NULL, 0) == 0)
        return 0;
    int result = -errno;
    if (may_not(-result)) {
        int64_t age = age_of(reader, path);
        if (age >= 0 && age <= AGE_MAX_S)
            return 0;
        (void)mount_explain(reader, path, result, error);
        if (age < 0)
            buffer_puts(error,
                        "; it cannot be refreshed from here, and nobody knows how old it is");
        else
            buffer_printf(error,
                          "; it cannot be refreshed from here, and is from %lld seconds ago (%d at "
                          "most)",
                          (long long)age, AGE_MAX_S);
        return result;
    }
    (void)mount_explain(reader, path, result, error);
    buffer_puts(error, "; the list could not be refreshed, and an old one is not believed");
    return result;
}

int mount_refresh_shares(struct mount_reader *reader, const char *id, struct buffer *error)
{
    CLEANUP_BUFFER struct buffer path = BUFFER_INIT(MOUNT_PATH_MAX);
    CLEANUP_BUFFER struct buffer text = BUFFER_INIT(MOUNT_PATH_MAX);
    int64_t at_ns = 0;

    if (!reader->cloud)
        return 0;
    if (mount_file(reader, mount_path(&path, id, "confirmed"), &text) == 0 &&
        text_time_parse(buffer_text(&text), &at_ns) == 0 && at_ns >= reader->opened_ns)
        return 0;
    return mount_refresh(reader, mount_path(&path, id, "shares"), error);
}

void mount_begin(struct mount_reader *reader)
{
    int64_t now = text_now();
    const struct timespec rest = {.tv_nsec = (long)(NANOSECONDS - 1 - now % NANOSECONDS)};

    reader->opened_ns = now;
    if (!reader->cloud)
        return;
    reader->opened_ns = (now / NANOSECONDS + 1) * NANOSECONDS;
    while (nanosleep(&rest, NULL) != 0 || text_now() < reader->opened_ns)
        ;
}

void mount_settle(struct mount_reader *reader)
{
    const struct timespec pause = {.tv_nsec = SETTLE_MS * 1000000L};

    if (reader->settling)
        (void)nanosleep(&pause, NULL);
    reader->settling = false;
}
