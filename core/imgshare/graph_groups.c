/* A graph whose nodes are groups of images: see graph_group.h. */
#include "core/imgshare/graph_group.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Who can use images, or was refused some, and of which groups that is so: "NUMBER" and "!NUMBER". */
struct recipient {
    const char *pin;
    struct names groups;
};

struct recipients {
    struct recipient *all;
    size_t count;
};

static void dispose(struct recipients *recipients)
{
    for (size_t i = 0; i < recipients->count; i++)
        names_dispose(&recipients->all[i].groups);
    free(recipients->all);
}

static int compare_recipients(const void *left, const void *right)
{
    const struct recipient *one = left;
    const struct recipient *other = right;
    int order = names_compare(&one->groups, &other->groups);

    return order != 0 ? order : strcmp(one->pin, other->pin);
}

/* Whether GROUP was refused to an account that does not have it. */
static bool is_refused(const struct graph_group *group)
{
    return group->refused[0] && !names_has(&group->pins, group->refused);
}

/* Notes that the recipient PIN has, or was refused, group NUMBER. */
static int note(struct recipients *recipients, const struct names *pins, const char *pin,
                size_t number, bool refused)
{
    size_t low = 0;
    size_t high = pins->count;
    char text[32];

    while (low + 1 < high) {
        size_t middle = (low + high) / 2;
        if (strcmp(pins->items[middle], pin) <= 0)
            low = middle;
        else
            high = middle;
    }
    (void)snprintf(text, sizeof(text), "%s%06zu", refused ? "!" : "", number);
    return names_add(&recipients->all[low].groups, text);
}

/* Finds the recipients, those of the same groups beside each other. */
static int find_recipients(const struct graph *graph, struct names *pins,
                           struct recipients *recipients)
{
    int result = 0;

    for (size_t i = 0; result == 0 && i < graph->count; i++) {
        const struct graph_group *group = graph->groups[i];
        for (size_t j = 0; result == 0 && j < group->pins.count; j++)
            result = names_add(pins, group->pins.items[j]);
        if (result == 0 && is_refused(group))
            result = names_add(pins, group->refused);
    }
    if (result < 0 || pins->count == 0)
        return result;
    names_sort(pins);
    recipients->all = calloc(pins->count, sizeof(*recipients->all));
    if (!recipients->all)
        return -ENOMEM;
    recipients->count = pins->count;
    for (size_t i = 0; i < pins->count; i++)
        recipients->all[i].pin = pins->items[i];
    for (size_t i = 0; result == 0 && i < graph->count; i++) {
        const struct graph_group *group = graph->groups[i];
        for (size_t j = 0; result == 0 && j < group->pins.count; j++)
            result = note(recipients, pins, group->pins.items[j], i, false);
        if (result == 0 && is_refused(group))
            result = note(recipients, pins, group->refused, i, true);
    }
    for (size_t i = 0; i < recipients->count; i++)
        names_sort(&recipients->all[i].groups);
    qsort(recipients->all, recipients->count, sizeof(*recipients->all), compare_recipients);
    return result;
}

static void print_group(const struct graph_group *group, size_t number, size_t most,
                        struct buffer *out)
{
    const char *color = group->everyone                           ? "#f7c59f"
                        : strcmp(group->status, "available") != 0 ? "#e0e0e0"
                        : group->obstacle[0]                      ? "#fff2b3"
                                                                  : "#e3f4e1";

    buffer_printf(out, "  images%zu [fillcolor=\"%s\" style=\"filled%s\" label=\"", number, color,
                  group->stale ? ",dashed" : "");
    graph_names(out, &group->examples, group->count, most, "images");
    if (strcmp(group->status, "available") != 0) {
        buffer_puts(out, "\\n");
        graph_escape(out, group->status);
    } else if (strcmp(group->obstacle, "EDQUOT") == 0) {
        buffer_puts(out, "\\nfull");
    } else if (group->obstacle[0] && !group->everyone) {
        buffer_puts(out, "\\ncannot be shared: ");
        graph_escape(out, group->obstacle);
    }
    if (group->stale)
        buffer_puts(out, "\\nnot confirmed lately");
    buffer_puts(out, "\"]\n");
}

/* Puts the nodes NAME1 to NAME<COUNT> into one column; RANK is Graphviz' word for which. */
static void print_column(const char *rank, const char *name, size_t count, struct buffer *out)
{
    if (count == 0)
        return;
    buffer_printf(out, "  { rank=%s;", rank);
    for (size_t i = 1; i <= count; i++)
        buffer_printf(out, " %s%zu;", name, i);
    buffer_puts(out, " }\n");
}

/* Owners and their groups; groups come by owner. */
static void print_owners(const struct graph *graph, struct buffer *out)
{
    size_t owner = 0;

    for (size_t i = 0; i < graph->count; i++) {
        const struct graph_group *group = graph->groups[i];
        if (i == 0 || strcmp(graph->groups[i - 1]->owner, group->owner) != 0) {
            CLEANUP_BUFFER struct buffer label = BUFFER_INIT(1 << 16);
            owner++;
            graph_escape(&label, group->owner);
            graph_owner(out, owner, &label, graph->self && strcmp(graph->self, group->owner) == 0);
        }
        print_group(group, i + 1, graph->count > GRAPH_GROUPS / 3 ? 2 : GRAPH_NAMES, out);
        buffer_printf(out, "  owner%zu -> images%zu [arrowhead=none]\n", owner, i + 1);
    }
    print_column("min", "owner", owner, out);
    print_column("same", "images", graph->count, out);
}

/* The arrows into recipient NUMBER, which stands for all that have GROUPS. */
static void print_arrows(const struct graph *graph, const struct names *groups, size_t number,
                         struct buffer *out)
{
    for (size_t i = 0; i < groups->count; i++) {
        const char *text = groups->items[i];
        bool refused = text[0] == '!';
        size_t group = (size_t)strtoul(text + refused, NULL, 10);
        buffer_printf(out, "  images%zu -> account%zu", group + 1, number);
        if (refused) {
            buffer_puts(out, " [color=\"#cc0000\" fontcolor=\"#cc0000\" style=dashed label=\"");
            graph_escape(out, graph->groups[group]->refused_error);
            buffer_puts(out, "\"]");
        }
        buffer_puts(out, "\n");
    }
}

static int print_recipients(const struct graph *graph, const struct recipients *recipients,
                            struct buffer *out)
{
    size_t number = 0;

    for (size_t i = 0; i < recipients->count;) {
        CLEANUP_NAMES struct names pins = {0};
        const struct recipient *first = &recipients->all[i];
        bool self = false;
        for (; i < recipients->count &&
               names_compare(&first->groups, &recipients->all[i].groups) == 0;
             i++) {
            const char *pin = recipients->all[i].pin;
            self = self || (graph->self && strcmp(graph->self, pin) == 0);
            if (names_add(&pins, pin) < 0)
                return -ENOMEM;
        }
        buffer_printf(out, "  account%zu [%s fillcolor=\"#dce9f7\"%s label=\"", ++number,
                      pins.count > 1 ? "style=\"filled,rounded\"" : "shape=ellipse",
                      self ? " penwidth=3" : "");
        graph_names(out, &pins, (int64_t)pins.count, GRAPH_NAMES, "accounts");
        buffer_puts(out, "\"]\n");
        print_arrows(graph, &first->groups, number, out);
    }
    print_column("max", "account", number, out);
    return 0;
}

static void print_everyone(const struct graph *graph, struct buffer *out)
{
    bool named = false;

    for (size_t i = 0; i < graph->count; i++) {
        if (!graph->groups[i]->everyone)
            continue;
        if (!named)
            buffer_puts(
                out,
                "  everyone [shape=octagon fillcolor=\"#f7c59f\"]\n  { rank=max; everyone; }\n");
        named = true;
        buffer_printf(out, "  images%zu -> everyone\n", i + 1);
    }
}

/* Accounts that neither own nor can use anything. */
static int print_others(const struct graph *graph, const struct names *pins, struct buffer *out)
{
    CLEANUP_NAMES struct names owners = {0};
    CLEANUP_NAMES struct names rest = {0};
    CLEANUP_NAMES struct names others = {0};
    int result = 0;

    for (size_t i = 0; result == 0 && i < graph->count; i++)
        result = names_add(&owners, graph->groups[i]->owner);
    names_sort(&owners);
    if (result == 0)
        result = names_minus(&graph->accounts, pins, &rest);
    if (result == 0)
        result = names_minus(&rest, &owners, &others);
    if (result < 0 || others.count == 0)
        return result;
    buffer_puts(out, "  others [style=\"filled,rounded,dotted\" label=\"");
    graph_names(out, &others, (int64_t)others.count, GRAPH_NAMES, "accounts");
    buffer_puts(out, "\\nno image, no share\"]\n  { rank=max; others; }\n");
    return 0;
}

/* How many nodes RECIPIENTS take. */
static size_t count_nodes(const struct recipients *recipients)
{
    size_t count = recipients->count > 0;

    for (size_t i = 1; i < recipients->count; i++)
        count += names_compare(&recipients->all[i - 1].groups, &recipients->all[i].groups) != 0;
    return count;
}

int graph_print_groups(const struct graph *graph, struct buffer *out)
{
    __attribute__((cleanup(dispose))) struct recipients recipients = {0};
    CLEANUP_NAMES struct names pins = {0};
    int result = find_recipients(graph, &pins, &recipients);

    if (result < 0)
        return result;
    if (count_nodes(&recipients) > GRAPH_GROUPS)
        return 1;
    print_owners(graph, out);
    print_everyone(graph, out);
    result = print_recipients(graph, &recipients, out);
    return result < 0 ? result : print_others(graph, &pins, out);
}
