/* Sets of names: see the header. */
#include "core/base/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

int names_add(struct names *names, const char *name)
{
    if (names->count == names->size) {
        size_t size = names->size ? names->size * 2 : 16;
        char **items = realloc(names->items, size * sizeof(*items));
        if (!items)
            return -ENOMEM;
        names->items = items;
        names->size = size;
    }
    names->items[names->count] = strdup(name);
    return names->items[names->count] ? (names->count++, 0) : -ENOMEM;
}

void names_sort(struct names *names)
{
    size_t kept = 0;

    if (names->count == 0)
        return;
    qsort(names->items, names->count, sizeof(*names->items), compare);
    for (size_t i = 0; i < names->count; i++) {
        if (kept > 0 && strcmp(names->items[kept - 1], names->items[i]) == 0)
            free(names->items[i]);
        else
            names->items[kept++] = names->items[i];
    }
    names->count = kept;
}

bool names_has(const struct names *names, const char *name)
{
    return names->count > 0 &&
           bsearch(&name, names->items, names->count, sizeof(*names->items), compare) != NULL;
}

int names_minus(const struct names *from, const struct names *without, struct names *out)
{
    int result = 0;

    for (size_t i = 0; result == 0 && i < from->count; i++)
        if (!names_has(without, from->items[i]))
            result = names_add(out, from->items[i]);
    return result;
}

int names_compare(const struct names *left, const struct names *right)
{
    size_t common = left->count < right->count ? left->count : right->count;

    for (size_t i = 0; i < common; i++) {
        int order = strcmp(left->items[i], right->items[i]);
        if (order != 0)
            return order;
    }
    return left->count < right->count ? -1 : left->count > right->count;
}

void names_dispose(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->items[i]);
    free(names->items);
    *names = (struct names){0};
}
