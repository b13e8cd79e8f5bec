/* A graph of numbers of images: see graph_group.h. */
#include "core/imgshare/graph_group.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* An account on one side of the picture. */
struct side_account {
    const char *pin;
    int64_t weight; /* what puts it before others: images that it owns, or can use */
    size_t place;   /* from 0; those beyond GRAPH_ACCOUNTS share that place */
};

/* How many owners are named at an account. */
#define OWNERS_NAMED 3

struct side {
    struct side_account *all; /* by pin */
    size_t count;
    size_t places;
};

static void dispose(struct side *side)
{
    free(side->all);
}

static int compare_pins(const void *left, const void *right)
{
    return strcmp(((const struct side_account *)left)->pin,
                  ((const struct side_account *)right)->pin);
}

static int compare_weights(const void *left, const void *right)
{
    const struct side_account *one = left;
    const struct side_account *other = right;

    if (one->weight != other->weight)
        return one->weight > other->weight ? -1 : 1;
    return strcmp(one->pin, other->pin);
}

static struct side_account *find(const struct side *side, const char *pin)
{
    const struct side_account key = {.pin = pin};

    return bsearch(&key, side->all, side->count, sizeof(*side->all), compare_pins);
}

/* A side of the accounts PINS, which are sorted. */
static int make_side(const struct names *pins, struct side *side)
{
    side->all = calloc(pins->count + 1, sizeof(*side->all));
    if (!side->all)
        return -ENOMEM;
    side->count = pins->count;
    for (size_t i = 0; i < pins->count; i++)
        side->all[i].pin = pins->items[i];
    return 0;
}

/* Gives each account its place: the heaviest one of its own. */
static void place_side(struct side *side)
{
    qsort(side->all, side->count, sizeof(*side->all), compare_weights);
    /* One more than fit need no place for the others. */
    size_t own = side->count > GRAPH_ACCOUNTS + 1 ? GRAPH_ACCOUNTS : side->count;
    for (size_t i = 0; i < side->count; i++)
        side->all[i].place = i < own ? i : own;
    side->places = side->count > own ? own + 1 : own;
    qsort(side->all, side->count, sizeof(*side->all), compare_pins);
}

struct numbers {
    const struct graph *graph;
    struct side owners, recipients;
    int64_t *cells; /* owners.places rows of recipients.places + 1; the last is everyone */
};

static int64_t *cell(const struct numbers *numbers, size_t owner, size_t recipient)
{
    return &numbers->cells[owner * (numbers->recipients.places + 1) + recipient];
}

static int count(struct numbers *numbers)
{
    const struct graph *graph = numbers->graph;

    numbers->cells = calloc(numbers->owners.places * (numbers->recipients.places + 1) + 1,
                            sizeof(*numbers->cells));
    if (!numbers->cells)
        return -ENOMEM;
    for (size_t i = 0; i < graph->count; i++) {
        const struct graph_group *group = graph->groups[i];
        size_t owner = find(&numbers->owners, group->owner)->place;
        if (group->everyone)
            *cell(numbers, owner, numbers->recipients.places) += group->count;
        for (size_t j = 0; j < group->pins.count; j++)
            *cell(numbers, owner, find(&numbers->recipients, group->pins.items[j])->place) +=
                group->count;
    }
    return 0;
}

/* What an owner, or all those that share a place, has. */
struct owned {
    int64_t accounts, images, shared, everyone, blocked, stale, refused;
};

static void add_owned(const struct numbers *numbers, size_t place, struct owned *owned)
{
    const char *last = "";

    *owned = (struct owned){0};
    for (size_t i = 0; i < numbers->graph->count; i++) {
        const struct graph_group *group = numbers->graph->groups[i];
        if (find(&numbers->owners, group->owner)->place != place)
            continue;
        owned->accounts += strcmp(last, group->owner) != 0;
        last = group->owner;
        owned->images += group->count;
        owned->shared += group->pins.count > 0 ? group->count : 0;
        owned->everyone += group->everyone ? group->count : 0;
        owned->blocked += group->obstacle[0] && !group->everyone ? group->count : 0;
        owned->stale += group->stale ? group->count : 0;
        owned->refused += group->refused[0] ? group->count : 0;
    }
}

static void add_number(struct buffer *out, int64_t number, const char *what)
{
    if (number > 0)
        buffer_printf(out, "\\n%lld %s", (long long)number, what);
}

/* The account of SIDE that has PLACE for its own. */
static const struct side_account *at_place(const struct side *side, size_t place)
{
    for (size_t i = 0; i < side->count; i++)
        if (side->all[i].place == place)
            return &side->all[i];
    return NULL;
}

static bool is_shared(const struct side *side, size_t place)
{
    return side->count > side->places && place + 1 == side->places;
}

static void print_owner(const struct numbers *numbers, size_t place, struct buffer *out)
{
    CLEANUP_BUFFER struct buffer label = BUFFER_INIT(1 << 16);
    const struct graph *graph = numbers->graph;
    const char *pin = at_place(&numbers->owners, place)->pin;
    struct owned owned;

    add_owned(numbers, place, &owned);
    if (is_shared(&numbers->owners, place))
        buffer_printf(&label, "%lld more accounts", (long long)owned.accounts);
    else
        graph_escape(&label, pin);
    add_number(&label, owned.images, "images");
    add_number(&label, owned.shared, "shared");
    add_number(&label, owned.everyone, "open to everyone");
    add_number(&label, owned.blocked, "not shareable now");
    add_number(&label, owned.stale, "stale");
    add_number(&label, owned.refused, "refused");
    graph_owner(out, place + 1, &label, graph->self && strcmp(graph->self, pin) == 0);
}

/* Appends whose images the account of PLACE can use, if that is not one owner's only: those of the
 * most. */
static void add_owners(const struct numbers *numbers, size_t place, struct buffer *out)
{
    int64_t above = INT64_MAX;
    size_t above_owner = 0;

    for (size_t listed = 0; listed < OWNERS_NAMED; listed++) {
        size_t best = SIZE_MAX;
        int64_t most = 0;
        /* The next after the last one: fewer images, or as many and further down. */
        for (size_t i = 0; i < numbers->owners.places; i++) {
            int64_t images = *cell(numbers, i, place);
            bool after = images < above || (images == above && i > above_owner);
            if (images > most && (listed == 0 || after)) {
                most = images;
                best = i;
            }
        }
        if (best == SIZE_MAX)
            return;
        buffer_puts(out, listed > 0 ? ", " : "\\n");
        if (is_shared(&numbers->owners, best))
            buffer_puts(out, "others");
        else
            graph_escape(out, at_place(&numbers->owners, best)->pin);
        buffer_printf(out, " %lld", (long long)most);
        above = most;
        above_owner = best;
    }
}

static void print_recipient(const struct numbers *numbers, size_t place, struct buffer *out)
{
    const struct side *side = &numbers->recipients;
    const struct graph *graph = numbers->graph;
    const struct side_account *account = at_place(side, place);

    if (is_shared(side, place)) {
        int64_t shares = 0;
        for (size_t i = 0; i < numbers->owners.places; i++)
            shares += *cell(numbers, i, place);
        buffer_printf(
            out,
            "  account%zu [style=\"filled,rounded\" fillcolor=\"#dce9f7\" label=\"%zu more "
            "accounts: %lld shares",
            place + 1, side->count - place, (long long)shares);
    } else {
        buffer_printf(
            out, "  account%zu [style=\"filled,rounded\" fillcolor=\"#dce9f7\"%s label=\"",
            place + 1, graph->self && strcmp(graph->self, account->pin) == 0 ? " penwidth=3" : "");
        graph_escape(out, account->pin);
        buffer_printf(out, ": %lld", (long long)account->weight);
    }
    if (numbers->owners.count > 1)
        add_owners(numbers, place, out);
    buffer_puts(out, "\"]\n");
}

/* As wide as the number has digits, in a colour of the owner's. */
static void print_arrow(const struct numbers *numbers, size_t owner, size_t recipient,
                        struct buffer *out)
{
    static const char *const colors[] = {"#555555", "#1f77b4", "#2ca02c", "#9467bd",
                                         "#8c564b", "#e377c2", "#bcbd22", "#17becf"};
    int64_t images = *cell(numbers, owner, recipient);
    double width = 0.5;

    if (images == 0)
        return;
    for (; images > 9; images /= 10)
        width += 0.5;
    buffer_printf(out, "  owner%zu:e -> ", owner + 1);
    if (recipient == numbers->recipients.places)
        buffer_puts(out, "everyone:w");
    else
        buffer_printf(out, "account%zu:w", recipient + 1);
    buffer_printf(out, " [penwidth=%.1f color=\"%s\"]\n", width,
                  colors[owner % (sizeof(colors) / sizeof(colors[0]))]);
}

/* Who owns images, and who can use some, with their weights. */
static int find_sides(struct numbers *numbers, struct names *owners, struct names *recipients)
{
    const struct graph *graph = numbers->graph;
    int result = 0;

    for (size_t i = 0; result == 0 && i < graph->count; i++) {
        result = names_add(owners, graph->groups[i]->owner);
        for (size_t j = 0; result == 0 && j < graph->groups[i]->pins.count; j++)
            result = names_add(recipients, graph->groups[i]->pins.items[j]);
    }
    names_sort(owners);
    names_sort(recipients);
    if (result == 0)
        result = make_side(owners, &numbers->owners);
    if (result == 0)
        result = make_side(recipients, &numbers->recipients);
    for (size_t i = 0; result == 0 && i < graph->count; i++) {
        const struct graph_group *group = graph->groups[i];
        find(&numbers->owners, group->owner)->weight += group->count;
        for (size_t j = 0; j < group->pins.count; j++)
            find(&numbers->recipients, group->pins.items[j])->weight += group->count;
    }
    return result;
}

static void print(const struct numbers *numbers, struct buffer *out)
{
    int64_t everyone = 0;

    buffer_puts(out, "  splines=line nodesep=0.1 ranksep=3\n  node [height=0.3]\n");
    for (size_t i = 0; i < numbers->owners.places; i++)
        print_owner(numbers, i, out);
    for (size_t i = 0; i < numbers->recipients.places; i++)
        print_recipient(numbers, i, out);
    for (size_t i = 0; i < numbers->owners.places; i++)
        everyone += *cell(numbers, i, numbers->recipients.places);
    if (everyone > 0)
        buffer_printf(out,
                      "  everyone [shape=octagon fillcolor=\"#f7c59f\" label=\"everyone: %lld\"]\n",
                      (long long)everyone);
    for (size_t i = 0; i < numbers->owners.places; i++)
        for (size_t j = 0; j <= numbers->recipients.places; j++)
            print_arrow(numbers, i, j, out);
}

int graph_print_numbers(const struct graph *graph, struct buffer *out)
{
    struct numbers numbers = {.graph = graph};
    CLEANUP_NAMES struct names owners = {0};
    CLEANUP_NAMES struct names recipients = {0};
    int result = find_sides(&numbers, &owners, &recipients);

    if (result == 0) {
        place_side(&numbers.owners);
        place_side(&numbers.recipients);
        result = count(&numbers);
    }
    if (result == 0)
        print(&numbers, out);
    free(numbers.cells);
    dispose(&numbers.owners);
    dispose(&numbers.recipients);
    return result;
}
