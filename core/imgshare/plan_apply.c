/* Carrying out a plan: see the header. */
#include "core/imgshare/plan_apply.h"

#include "core/base/text.h"
#include "core/imgshare/command.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

struct work {
    struct plan *plan;
    struct mount_reader *reader;
    size_t made;
    size_t refused;
    bool stopped; /* by a signal */
};

bool plan_refused(const struct plan *plan)
{
    const char *line = buffer_text(&plan->problems);

    while (*line) {
        size_t length = strcspn(line, "\n");
        (void)fprintf(stderr, "imgshare: %.*s\n", (int)length, line);
        line += length + (line[length] == '\n');
    }
    if (buffer_failed(&plan->problems))
        (void)fprintf(stderr, "imgshare: and more\n");
    return plan->problems.length > 0 || buffer_failed(&plan->problems);
}

/* Appends why the change of PIN was refused, as far as the image's last_refusal is about that. */
static void add_reason(const struct work *work, const struct plan_image *image, const char *action,
                       const char *pin, struct buffer *out)
{
    CLEANUP_BUFFER struct buffer path = BUFFER_INIT(MOUNT_PATH_MAX);
    CLEANUP_BUFFER struct buffer text = BUFFER_INIT((size_t)1 << 16);
    CLEANUP_BUFFER struct buffer wanted = BUFFER_INIT(MOUNT_PATH_MAX);

    if (mount_file(work->reader, mount_path(&path, image->id, "last_refusal"), &text) < 0)
        return;
    /* "TIME share PIN: ERRNO: sentence. What to do: ..." */
    buffer_printf(&wanted, " %s ", action);
    text_escape(&wanted, pin);
    buffer_puts(&wanted, ": ");
    const char *after = strchr(buffer_text(&text), ' ');
    if (after && strncmp(after, buffer_text(&wanted), wanted.length) == 0) {
        buffer_puts(out, "; ");
        buffer_puts(out, after + wanted.length);
    }
}

static int make_share(const struct work *work, const char *path)
{
    int fd = openat(work->reader->fd, path,
                    O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);

    if (fd < 0)
        return -errno;
    (void)close(fd);
    return 0;
}

static int make_cancel(const struct work *work, const char *path)
{
    /* What is not there any more need not be cancelled; it is looked at afterwards all the same. */
    return unlinkat(work->reader->fd, path, 0) == 0 || errno == ENOENT ? 0 : -errno;
}

/* One change. Whether it was made. */
static bool change(struct work *work, const struct plan_image *image, bool share, const char *pin)
{
    CLEANUP_BUFFER struct buffer path = BUFFER_INIT(MOUNT_PATH_MAX);
    CLEANUP_BUFFER struct buffer line = BUFFER_INIT((size_t)1 << 17);

    buffer_printf(&path, "private/%s/shares/%s", image->id, pin);
    int result =
        share ? make_share(work, buffer_text(&path)) : make_cancel(work, buffer_text(&path));
    buffer_puts(&line, share ? "share " : "cancel ");
    plan_print_image(image, &line);
    buffer_puts(&line, " ");
    text_escape(&line, pin);
    if (result == 0) {
        (void)printf("%s %s\n", share ? "+" : "-", buffer_text(&line));
        (void)fflush(stdout);
        work->made++;
        return true;
    }
    buffer_printf(&line, ": %s", strerrordesc_np(-result));
    add_reason(work, image, share ? "share" : "cancel", pin, &line);
    (void)fprintf(stderr, "imgshare: %s\n", buffer_text(&line));
    work->refused++;
    return false;
}

/* Shares as long as there is room, then makes room; the other cancels come last. */
static void apply_image(struct work *work, const struct plan_image *image)
{
    int64_t room = image->limit > 0 ? image->limit - image->used : INT64_MAX;
    size_t share = 0;
    size_t cancel = 0;
    bool all = true; /* shares were made */

    while (share < image->shares.count || (all && cancel < image->cancels.count)) {
        work->stopped = command_stop(NULL);
        if (work->stopped)
            return;
        if (share < image->shares.count && (room > 0 || cancel == image->cancels.count || !all)) {
            if (change(work, image, true, image->shares.items[share++]))
                room--;
            else
                all = false;
        } else if (change(work, image, false, image->cancels.items[cancel++])) {
            room++;
        }
    }
}

/* Whether the mount shows IMAGE as it shall be. What it does not is said. */
static bool verify_image(struct work *work, const struct plan_image *image, struct buffer *error)
{
    CLEANUP_BUFFER struct buffer path = BUFFER_INIT(MOUNT_PATH_MAX);
    CLEANUP_NAMES struct names now = {0};
    CLEANUP_NAMES struct names missing = {0};
    CLEANUP_NAMES struct names left = {0};
    int result = mount_refresh(work->reader, mount_path(&path, image->id, "shares"), error);

    if (result < 0)
        return false;
    result = mount_names(work->reader, buffer_text(&path), &now);
    if (result == 0)
        result = names_minus(&image->then, &now, &missing);
    if (result == 0)
        result = names_minus(&now, &image->then, &left);
    if (result < 0) {
        (void)mount_explain(work->reader, buffer_text(&path), result, error);
        return false;
    }
    if (missing.count == 0 && left.count == 0)
        return true;
    plan_print_image(image, error);
    buffer_puts(error, ": is not shared as planned:");
    for (size_t i = 0; i < missing.count + left.count; i++) {
        bool gone = i < missing.count;
        buffer_puts(error, i > 0 ? ", " : " ");
        text_escape(error, gone ? missing.items[i] : left.items[i - missing.count]);
        buffer_puts(error, gone ? " is missing" : " has it");
    }
    return false;
}

/* Looks at what was changed, where nothing was refused. Whether all is as it shall be. */
static bool verify(struct work *work)
{
    bool good = true;

    for (size_t i = 0; i < work->plan->count; i++) {
        CLEANUP_BUFFER struct buffer error = BUFFER_INIT((size_t)1 << 20);
        const struct plan_image *image = &work->plan->images[i];
        if (image->shares.count + image->cancels.count == 0)
            continue;
        if (!verify_image(work, image, &error)) {
            (void)command_failed(&error);
            good = false;
        }
    }
    return good;
}

int plan_apply(struct plan *plan, struct mount_reader *reader)
{
    struct work work = {.plan = plan, .reader = reader};
    size_t total = plan->shares + plan->cancels;

    for (size_t i = 0; i < plan->count && !work.stopped; i++)
        apply_image(&work, &plan->images[i]);
    if (work.stopped)
        (void)fprintf(stderr,
                      "imgshare: stopped by a signal after %zu of %zu changes (%zu refused); the "
                      "same command does the rest\n",
                      work.made, total, work.refused);
    else if (work.refused > 0)
        (void)fprintf(stderr, "imgshare: %zu of %zu changes made, %zu refused, %zu not tried\n",
                      work.made, total, work.refused, total - work.made - work.refused);
    if (work.stopped || work.refused > 0)
        return STATUS_FAILED;
    return verify(&work) ? STATUS_OK : STATUS_FAILED;
}
