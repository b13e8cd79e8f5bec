/* From a member to the structure that holds it: how callbacks find their own. */
#ifndef CORE_BASE_CONTAINER_H
#define CORE_BASE_CONTAINER_H

#include <stddef.h>

/* The TYPE whose MEMBER is at POINTER. The cast by way of void says that the alignment is right. */
#define CONTAINER_OF(pointer, type, member)                                                        \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#endif
