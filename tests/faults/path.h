/*
 * Who has made a call: the frames of the stack, as places in modules, which no start moves.
 */
#pragma once

#include "inject.h"

#include <link.h>

struct path {
    uint64_t hash; /* never 0, but for luck */
    unsigned near;
    unsigned length;
    struct { /* nearest first, without those of this library */
        const struct link_map *module;
        uint64_t offset;
    } frames[INJECT_FRAMES];
};

/* The path of who calls this: the NEAR first frames, and those of the program itself. It makes no system
 * call, allocates nothing and takes no lock, but may do so the first time. */
__attribute__((visibility("hidden"))) void path_find(struct path *path, unsigned near);
