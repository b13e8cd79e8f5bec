/*
 * The picture of who has what, as a graph in Graphviz' language.
 *
 * Images that look alike (same owner, state and recipients) are one node, and so are accounts that
 * can use the same images: nothing of the sharing is lost by that. Where there are still too many
 * nodes for a picture, it shows numbers of images between accounts instead, and of the accounts
 * those with the most. Pure, but for memory; the same images give the same text, in whatever order
 * they were added.
 */
#ifndef CORE_IMGSHARE_GRAPH_H
#define CORE_IMGSHARE_GRAPH_H

#include "core/base/buffer.h"
#include "core/base/names.h"

#include <stdint.h>

struct graph_image {
    const char *owner; /* pin */
    const char *id;
    const char *name;
    const char *status;        /* "available", ... */
    const char *obstacle;      /* errno that sharing it gives, "" = none */
    bool everyone;             /* open to everyone */
    bool stale;                /* its shares were not confirmed lately */
    const struct names *pins;  /* sorted: who can use it */
    const char *refused;       /* pin that it was last refused to be shared with, "" = none */
    const char *refused_error; /* that errno */
};

/* How many names a node has, and how many nodes a column, before the picture shows numbers. */
#define GRAPH_NAMES 5
#define GRAPH_GROUPS 60
/* Accounts on each side of a picture of numbers. */
#define GRAPH_ACCOUNTS 40

struct graph {
    void *tree; /* of groups */
    struct graph_group **groups;
    size_t count;
    int64_t images, shares;
    struct names accounts; /* all, those with nothing too */
    const char *self;      /* the account that is mounted, NULL: all alike */
};

/* Adds an image, or an account that may have none. 0 or -ENOMEM. */
int graph_add(struct graph *graph, const struct graph_image *image) MUST_CHECK;
int graph_add_account(struct graph *graph, const char *pin) MUST_CHECK;

/* Appends the graph, which nothing is added to any more; SOURCE goes into its title. 0 or -ENOMEM.
 */
int graph_print(struct graph *graph, const char *source, struct buffer *out) MUST_CHECK;

void graph_dispose(struct graph *graph);

#define CLEANUP_GRAPH __attribute__((cleanup(graph_dispose)))

#endif
