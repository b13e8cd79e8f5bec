/*
 * The replica of a cloud that somebody else keeps, only looked at: the rules, on what a mount has
 * heard. Nobody is asked, and nothing is changed.
 */
#ifndef CORE_SOURCE_REPLICA_READER_H
#define CORE_SOURCE_REPLICA_READER_H

#include "core/source/source.h"

/* For catalog_options: opens the replica at options.path for reading, whoever has it mounted, for
 * the account options.account. Changes are not to be asked of that catalog. */
int replica_reader_open(struct catalog *catalog, struct buffer *error) MUST_CHECK;

/* The source's quota: what the replica knows of the limit, and of snapshots what the service
 * refuses. Of a source that mounts a replica, too. */
int replica_reader_quota(struct source *source, struct view *view, const struct view_record *record,
                         int64_t *limit, enum snapshot_policy *policy);

#endif
