/*
 * The groups of a graph: images that look alike. For graph.c and the two that print.
 */
#ifndef CORE_IMGSHARE_GRAPH_GROUP_H
#define CORE_IMGSHARE_GRAPH_GROUP_H

#include "core/imgshare/graph.h"

struct graph_group {
    char *owner;
    char *status;
    char *obstacle;
    bool everyone;
    bool stale;
    struct names pins;
    char *refused;
    char *refused_error;
    int64_t count;
    struct names examples; /* "NAME (ID)" of the first GRAPH_NAMES by that text, sorted */
};

/* Each group a node, and all accounts of the same groups one. 1 where that would be too many. */
int graph_print_groups(const struct graph *graph, struct buffer *out) MUST_CHECK;

/* Numbers of images between accounts. */
int graph_print_numbers(const struct graph *graph, struct buffer *out) MUST_CHECK;

/* Appends TEXT as it stands between the quotes of a label: safe on a terminal, too. */
void graph_escape(struct buffer *out, const char *text);

/* Appends a label's lines for COUNT things, of which NAMES are the first: how many there are, if
 * several ("12 accounts", WHAT is the word for them), and up to MOST of the names. */
void graph_names(struct buffer *out, const struct names *names, int64_t count, size_t most,
                 const char *what);

/* Appends the node of an account that owns images; SELF: of the mounted one. */
void graph_owner(struct buffer *out, size_t number, const struct buffer *label, bool self);

#endif
