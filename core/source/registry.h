/*
 * The registry as a source: the store is itself the authority, and a change is one transaction.
 */
#ifndef CORE_SOURCE_REGISTRY_H
#define CORE_SOURCE_REGISTRY_H

#include "core/source/source.h"

/* The source of the registry that CATALOG has open. Static operations; needs no closing of its own.
 */
void registry_source(struct catalog *catalog, struct source *out);

#endif
