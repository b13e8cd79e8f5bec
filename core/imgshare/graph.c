/* The picture of who has what: see the header. */
#include "core/imgshare/graph_group.h"

#include "core/base/text.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

/* Two names of one image in a label. */
#define EXAMPLE_MAX 4096

static int compare_flags(bool left, bool right)
{
    return (int)left - (int)right;
}

/* In this order the groups are printed. */
static int compare_groups(const void *left, const void *right)
{
    const struct graph_group *one = left;
    const struct graph_group *other = right;
    int order = strcmp(one->owner, other->owner);

    if (order == 0)
        order = compare_flags(other->everyone, one->everyone);
    if (order == 0)
        order = names_compare(&one->pins, &other->pins);
    if (order == 0)
        order = strcmp(one->status, other->status);
    if (order == 0)
        order = strcmp(one->obstacle, other->obstacle);
    if (order == 0)
        order = compare_flags(one->stale, other->stale);
    if (order == 0)
        order = strcmp(one->refused, other->refused);
    return order != 0 ? order : strcmp(one->refused_error, other->refused_error);
}

static void free_group(void *pointer)
{
    struct graph_group *group = pointer;

    free(group->owner);
    free(group->status);
    free(group->obstacle);
    free(group->refused);
    free(group->refused_error);
    names_dispose(&group->pins);
    names_dispose(&group->examples);
    free(group);
}

void graph_dispose(struct graph *graph)
{
    tdestroy(graph->tree, free_group);
    free(graph->groups);
    names_dispose(&graph->accounts);
    *graph = (struct graph){0};
}

static struct graph_group *make_group(const struct graph_image *image)
{
    struct graph_group *group = calloc(1, sizeof(*group));

    if (!group)
        return NULL;
    group->owner = strdup(image->owner);
    group->status = strdup(image->status);
    group->obstacle = strdup(image->obstacle);
    group->everyone = image->everyone;
    group->stale = image->stale;
    group->refused = strdup(image->refused);
    group->refused_error = strdup(image->refused_error);
    int result = 0;
    for (size_t i = 0; result == 0 && i < image->pins->count; i++)
        result = names_add(&group->pins, image->pins->items[i]);
    if (result == 0 && group->owner && group->status && group->obstacle && group->refused &&
        group->refused_error)
        return group;
    free_group(group);
    return NULL;
}

/* Counts IMAGE, and keeps its name if it is one of the first. */
static int count_image(struct graph_group *group, const struct graph_image *image)
{
    CLEANUP_BUFFER struct buffer text = BUFFER_INIT(EXAMPLE_MAX);
    struct names *examples = &group->examples;

    buffer_printf(&text, "%s (%s)", image->name, image->id);
    group->count++;
    int result = buffer_failed(&text) ? -ENOMEM : names_add(examples, buffer_text(&text));
    names_sort(examples);
    if (examples->count > GRAPH_NAMES)
        free(examples->items[--examples->count]);
    return result;
}

int graph_add(struct graph *graph, const struct graph_image *image)
{
    struct graph_group *group = make_group(image);
    struct graph_group **found = NULL;

    if (!group)
        return -ENOMEM;
    found = tsearch(group, &graph->tree, compare_groups);
    if (!found) {
        free_group(group);
        return -ENOMEM;
    }
    if (*found == group) {
        size_t size = graph->count + 1;
        /* Doubled at the powers of two. */
        if ((graph->count & (graph->count - 1)) == 0) {
            struct graph_group **groups =
                realloc(graph->groups, (graph->count ? graph->count * 2 : 1) * sizeof(*groups));
            if (!groups)
                return -ENOMEM; /* the tree has it */
            graph->groups = groups;
        }
        graph->groups[graph->count] = group;
        graph->count = size;
    } else {
        free_group(group);
    }
    graph->images++;
    graph->shares += (int64_t)image->pins->count;
    return count_image(*found, image);
}

int graph_add_account(struct graph *graph, const char *pin)
{
    return names_add(&graph->accounts, pin);
}

void graph_escape(struct buffer *out, const char *text)
{
    CLEANUP_BUFFER struct buffer safe = BUFFER_INIT(1 << 16);

    text_escape(&safe, text);
    out->failed = out->failed || buffer_failed(&safe);
    for (const char *at = buffer_text(&safe); *at;) {
        size_t plain = strcspn(at, "\"\\");
        buffer_add(out, at, plain);
        at += plain;
        if (*at)
            buffer_printf(out, "\\%c", *at++);
    }
}

void graph_names(struct buffer *out, const struct names *names, int64_t count, size_t most,
                 const char *what)
{
    if (count > 1)
        buffer_printf(out, "%lld %s\\n", (long long)count, what);
    for (size_t i = 0; i < names->count && i < most; i++) {
        buffer_puts(out, i > 0 ? "\\n" : "");
        graph_escape(out, names->items[i]);
    }
    if (count > (int64_t)most)
        buffer_puts(out, "\\n...");
}

void graph_owner(struct buffer *out, size_t number, const struct buffer *label, bool self)
{
    out->failed = out->failed || buffer_failed(label);
    buffer_printf(out, "  owner%zu [shape=ellipse fillcolor=\"#dce9f7\"%s label=\"%s\"]\n", number,
                  self ? " penwidth=3" : "", buffer_text(label));
}

static int compare_pointers(const void *left, const void *right)
{
    return compare_groups(*(struct graph_group *const *)left, *(struct graph_group *const *)right);
}

static void print_title(const struct graph *graph, const char *source, size_t accounts,
                        bool numbers, struct buffer *out)
{
    bool stale = false;
    bool refused = false;

    for (size_t i = 0; i < graph->count; i++) {
        stale = stale || graph->groups[i]->stale;
        refused = refused || graph->groups[i]->refused[0];
    }
    buffer_puts(out, "  label=\"");
    graph_escape(out, source);
    buffer_printf(out, ": %lld images, %lld shares, %zu accounts\\n", (long long)graph->images,
                  (long long)graph->shares, accounts);
    buffer_puts(out, numbers ? "Left: owners. Right: how many images an account can use, and whose"
                             : "Left: owners. Middle: images. Right: who can use them");
    if (stale)
        buffer_puts(out,
                    numbers ? "; stale: not confirmed lately" : "; dashed: not confirmed lately");
    if (refused)
        buffer_puts(out, numbers ? "; refused: the last share was"
                                 : "; red: the last share, which was refused");
    buffer_puts(out, "\"\n");
}

int graph_print(struct graph *graph, const char *source, struct buffer *out)
{
    struct names *accounts = &graph->accounts;
    int result = 0;

    if (graph->count > 0)
        qsort(graph->groups, graph->count, sizeof(*graph->groups), compare_pointers);
    for (size_t i = 0; result == 0 && i < graph->count; i++) {
        const struct graph_group *group = graph->groups[i];
        result = names_add(accounts, group->owner);
        for (size_t j = 0; result == 0 && j < group->pins.count; j++)
            result = names_add(accounts, group->pins.items[j]);
    }
    if (result < 0)
        return result;
    names_sort(accounts);
    CLEANUP_BUFFER struct buffer body = BUFFER_INIT(out->maximum);
    result = graph->count > GRAPH_GROUPS ? 1 : graph_print_groups(graph, &body);
    bool numbers = result == 1;
    if (numbers) {
        buffer_clear(&body);
        result = graph_print_numbers(graph, &body);
    }
    if (result < 0)
        return result;
    buffer_puts(out, "digraph imgshare {\n"
                     "  rankdir=LR nodesep=0.2 ranksep=1.2 labelloc=t fontname=\"sans-serif\"\n"
                     "  node [shape=box style=filled fillcolor=white fontname=\"sans-serif\" "
                     "fontsize=11]\n"
                     "  edge [fontname=\"sans-serif\" fontsize=10 color=\"#555555\"]\n");
    print_title(graph, source, accounts->count, numbers, out);
    buffer_puts(out, buffer_text(&body));
    buffer_puts(out, "}\n");
    return buffer_failed(out) || buffer_failed(&body) ? -ENOMEM : 0;
}
