/*
 * Reading what a graph shows: a registry whole, or what a mount knows.
 *
 * Nothing is refreshed for it: what was not confirmed lately is drawn as stale. Both return 0 or a
 * negative errno with ERROR set.
 */
#ifndef CORE_IMGSHARE_GRAPH_READ_H
#define CORE_IMGSHARE_GRAPH_READ_H

#include "core/imgshare/graph.h"
#include "core/imgshare/mount_read.h"

/* How old, in seconds, a confirmation may be: what a mount itself takes for "no" (maxage). */
#define GRAPH_STALE_S 300

/* All accounts and images of the registry, or replica, PATH. */
int graph_read_registry(struct graph *graph, const char *path, struct buffer *error) MUST_CHECK;

/* The images of the mounted account, those that others share with it, and who can use which. READER
 * must outlive GRAPH. */
int graph_read_mount(struct graph *graph, const struct mount_reader *reader,
                     struct buffer *error) MUST_CHECK;

#endif
