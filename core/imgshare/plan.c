/* Plans: see the header. */
#include "core/imgshare/plan.h"

#include "core/base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

struct plan_image *plan_add(struct plan *plan, const char *id, const char *name)
{
    if (plan->count == plan->size) {
        size_t size = plan->size ? plan->size * 2 : 16;
        struct plan_image *images = realloc(plan->images, size * sizeof(*images));
        if (!images)
            return NULL;
        plan->images = images;
        plan->size = size;
    }
    struct plan_image *image = &plan->images[plan->count];
    *image = (struct plan_image){.id = strdup(id), .name = strdup(name)};
    plan->count++; /* so that plan_dispose() frees what there is of it */
    return image->id && image->name ? image : NULL;
}

static void dispose_image(struct plan_image *image)
{
    free(image->id);
    free(image->name);
    free(image->list);
    free(image->obstacle);
    names_dispose(&image->now);
    names_dispose(&image->then);
    names_dispose(&image->shares);
    names_dispose(&image->cancels);
}

void plan_dispose(struct plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        dispose_image(&plan->images[i]);
    free(plan->images);
    buffer_dispose(&plan->problems);
    *plan = (struct plan){0};
}

void plan_print_image(const struct plan_image *image, struct buffer *out)
{
    text_escape(out, image->id);
    buffer_puts(out, " (");
    text_escape(out, image->name);
    buffer_puts(out, ")");
}

void plan_problem(struct plan *plan, const struct plan_image *image, const char *format, ...)
{
    CLEANUP_FREE char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (image) {
        plan_print_image(image, &plan->problems);
        buffer_puts(&plan->problems, ": ");
    }
    if (length >= 0)
        buffer_puts(&plan->problems, text);
    else
        text = NULL; /* it is not defined then */
    buffer_puts(&plan->problems, "\n");
}

static void print_lines(const struct plan_image *image, const struct names *pins, const char *verb,
                        struct buffer *out)
{
    for (size_t i = 0; i < pins->count; i++) {
        buffer_puts(out, verb);
        plan_print_image(image, out);
        buffer_puts(out, " ");
        text_escape(out, pins->items[i]);
        buffer_puts(out, "\n");
    }
}

void plan_print(const struct plan *plan, struct buffer *out)
{
    for (size_t i = 0; i < plan->count; i++) {
        print_lines(&plan->images[i], &plan->images[i].shares, "+ share ", out);
        print_lines(&plan->images[i], &plan->images[i].cancels, "- cancel ", out);
    }
}

static int compare_images(const void *left, const void *right)
{
    const struct plan_image *one = left;
    const struct plan_image *other = right;
    int order = strcmp(one->id, other->id);

    return order != 0 || !one->list || !other->list ? order : strcmp(one->list, other->list);
}

static void check_image(struct plan *plan, const struct plan_image *image,
                        const struct plan_bounds *bounds)
{
    int64_t shares = (int64_t)image->shares.count;
    int64_t cancels = (int64_t)image->cancels.count;
    int64_t after = image->used + shares - cancels;

    if (image->unsettled)
        plan_problem(plan, image,
                     "a change of it has an unknown outcome, see status; try again when it is "
                     "settled");
    if (shares > 0 && image->obstacle)
        plan_problem(plan, image, "cannot be shared: %s", image->obstacle);
    else if (shares > 0 && image->limit > 0 && after > image->limit)
        plan_problem(plan, image, "would be shared with %lld accounts, and %lld are allowed",
                     (long long)after, (long long)image->limit);
    if (cancels > 0 && bounds->no_cancel)
        plan_problem(plan, image, "this mount does not cancel shares (nocancel)");
    else if (bounds->mount_cancels > 0 && cancels > bounds->mount_cancels)
        plan_problem(plan, image,
                     "%lld cancels, and this mount allows a process %lld of one image in a minute "
                     "(maxcancel)",
                     (long long)cancels, (long long)bounds->mount_cancels);
}

int plan_finish(struct plan *plan, const struct plan_bounds *bounds)
{
    if (plan->count > 0)
        qsort(plan->images, plan->count, sizeof(*plan->images), compare_images);
    for (size_t i = 0; i < plan->count; i++) {
        struct plan_image *image = &plan->images[i];
        if (i > 0 && strcmp(plan->images[i - 1].id, image->id) == 0) {
            plan_problem(plan, image, "has two lists: %s and %s",
                         plan->images[i - 1].list ? plan->images[i - 1].list : "",
                         image->list ? image->list : "");
            continue;
        }
        names_sort(&image->then);
        if (names_minus(&image->then, &image->now, &image->shares) < 0 ||
            names_minus(&image->now, &image->then, &image->cancels) < 0)
            return -ENOMEM;
        plan->shares += image->shares.count;
        plan->cancels += image->cancels.count;
        check_image(plan, image, bounds);
    }
    if (bounds->read_only && plan->shares + plan->cancels > 0)
        plan_problem(plan, NULL, "the mount or its store is read-only");
    if ((int64_t)plan->cancels > bounds->cancels)
        plan_problem(plan, NULL,
                     "%zu cancels, and --max-cancel allows %lld; if they are meant: --max-cancel "
                     "%zu",
                     plan->cancels, (long long)bounds->cancels, plan->cancels);
    return 0;
}
