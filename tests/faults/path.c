/* The path of a call: see the header. */
#include "path.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <unwind.h>

/* The path of a call in a signal's handler, or in an allocation, is found without either: the unwinder of
 * libgcc and the loader's table take no locks. But they are not asked to find a way out of themselves. */
static _Thread_local bool finding __attribute__((tls_model("initial-exec")));

static const struct link_map *own_module;

static const struct link_map *module_of(uintptr_t at)
{
    struct dl_find_object object;

    return _dl_find_object((void *)at, &object) == 0 ? object.dlfo_link_map : NULL;
}

static _Unwind_Reason_Code add_frame(struct _Unwind_Context *context, void *argument)
{
    struct path *path = argument;
    uintptr_t at = _Unwind_GetIP(context);
    const struct link_map *module = module_of(at);

    if (!module || module == own_module)
        return _URC_NO_REASON;
    /* Libraries call themselves in ways without number. */
    if (path->length >= path->near && *module->l_name)
        return _URC_NO_REASON;
    uint64_t offset = at - module->l_addr;
    for (unsigned i = 0; i < path->length; i++) /* recursion is as long as it happens to be */
        if (path->frames[i].offset == offset && path->frames[i].module == module)
            return _URC_NO_REASON;
    if (path->length == INJECT_FRAMES)
        return _URC_END_OF_STACK;
    path->frames[path->length].module = module;
    path->frames[path->length++].offset = offset;
    return _URC_NO_REASON;
}

/* FNV-1a. */
static uint64_t hash_byte(uint64_t hash, unsigned byte)
{
    return (hash ^ byte) * 0x100000001b3;
}

void path_find(struct path *path, unsigned near)
{
    if (!own_module)
        own_module = module_of((uintptr_t)path_find);
    path->near = near;
    path->length = 0;
    path->hash = 0xcbf29ce484222325;
    if (finding)
        return;
    finding = true;
    (void)_Unwind_Backtrace(add_frame, path);
    finding = false;
    for (unsigned i = 0; i < path->length; i++) {
        for (const char *name = path->frames[i].module->l_name; *name; name++)
            path->hash = hash_byte(path->hash, (unsigned char)*name);
        for (unsigned shift = 0; shift < 32; shift += 8)
            path->hash = hash_byte(path->hash, (path->frames[i].offset >> shift) & 0xff);
    }
}
