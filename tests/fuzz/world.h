/*
 * A registry with mounts of it, and the model beside it: each function does one thing to both, and
 * requires that they agree afterwards.
 *
 * The clock is the world's own: text_now() is wrapped by the linker.
 */
#ifndef TESTS_FUZZ_WORLD_H
#define TESTS_FUZZ_WORLD_H

#include "core/catalog/catalog.h"
#include "tests/fuzz/model.h"
#include "tests/fuzz/window.h"

#include <limits.h>

struct world_mount {
    struct model_mount model;
    struct catalog *catalog;
    struct view view;
    char allow[PATH_MAX], trust[PATH_MAX]; /* paths of the lists */
};

/* The last refused change of an image by an account. */
struct world_refusal {
    int64_t at_ns; /* 0 = never */
    const char *code;
    const char *action;
    char name[32];
};

struct world {
    char path[PATH_MAX];
    int64_t now, latest;
    struct model model;
    struct window window;
    struct store store; /* of the program imgshare */
    struct world_mount mounts[MODEL_MOUNTS];
    struct world_refusal refusals[MODEL_PINS][MODEL_IMAGES];
};

/* A change to be asked for. */
struct world_change {
    enum { WORLD_SHARE, WORLD_CANCEL, WORLD_OTHER, WORLD_REMOVE } kind;
    int mount, image; /* image: MODEL_IMAGES for one that is not there */
    struct model_name name;
    int process;
    bool exclusive, interrupted;
};

/* At most so many changes are asked for at once. */
#define WORLD_BATCH 4

void world_open(struct world *world);
/* Closes all, and requires that the registry is whole; and if COMES_BACK, that it comes back by export
 * and import. */
void world_close(struct world *world, bool comes_back);

void world_set_clock(struct world *world, int64_t now);

/* Asks the mount of the first for COUNT changes; all but the first are committed together. */
void world_change(struct world *world, const struct world_change *changes, int count);

void world_import(struct world *world, const struct model_file *file);
void world_add_account(struct world *world, int pin, const char *mobile);

/* Mounts number NUMBER again as WANTED says; a mount for an account that is not there must fail, and is then
 * for the first. */
void world_mount(struct world *world, int number, const struct model_mount *wanted);

/* Changes the lists of a mount, and has them read. BROKEN: they cannot be, and the old ones stay. */
void world_reload(struct world *world, int number, uint32_t allow, uint32_t trust, bool broken);

/* What the mount says of one image, and of one name. */
void world_look(struct world *world, int number, int image, int pin);

/* A listing in pages, between which the world goes on: see world_look.c. */
enum world_listing {
    WORLD_LIST_PRIVATE,
    WORLD_LIST_SHARED,
    WORLD_LIST_SHARES,     /* of IMAGE */
    WORLD_LIST_RECIPIENTS, /* by-account/ */
    WORLD_LIST_OF_PIN,     /* by-account/PIN/ */
    WORLD_LIST_OWNERS,     /* by-name/shared/ */
    WORLD_LIST_NAMES,      /* by-name/ of PIN */
    WORLD_LISTINGS
};

struct world_pages {
    enum world_listing kind;
    int mount, image, pin;
    int page; /* entries of a page */
    /* Called after each page but the last. */
    void (*between)(struct world *world, void *context);
    void *context;
};

void world_list(struct world *world, const struct world_pages *pages);

#endif
