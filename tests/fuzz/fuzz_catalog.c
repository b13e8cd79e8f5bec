/*
 * The catalog of a registry, driven by the bytes of the input, against a model of sets.
 *
 * Each byte asks for something: a change of one of two mounts (of two accounts as a rule), an
 * import, an account, other options or lists, another time, a listing, a look. After each the
 * answer, the tables, their counters, times and feed are what the model says. At the end the
 * registry is whole, and now and then comes back by export and import.
 */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/world.h"

#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

struct input {
    const uint8_t *data;
    size_t left;
    char name[16]; /* that was typed */
};

static unsigned byte(struct input *input)
{
    if (input->left == 0)
        return 0;
    input->left--;
    return *input->data++;
}

/* A number below BOUND. */
static int below(struct input *input, unsigned bound)
{
    return (int)(byte(input) % bound);
}

static uint32_t pins_of(struct input *input)
{
    uint32_t low = byte(input);

    return (low | byte(input) << 8) & ((1U << MODEL_PINS) - 1);
}

/* Any name of ASCII that the kernel may send. */
static void type_name(struct input *input)
{
    size_t length = 1 + byte(input) % (sizeof(input->name) - 1);

    memset(input->name, 0, sizeof(input->name));
    for (size_t i = 0; i < length; i++) {
        char letter = (char)(byte(input) & 0x7f);
        input->name[i] = (char)(letter && letter != '/' ? letter : 'x');
    }
}

static struct model_name name_of(struct input *input)
{
    static const char *const others[] = {
        "4913",     "tmp.a",    "tmp.",         "x.bak",      "x.tmp", "-rf",         "a b",
        "sedAbc12", "sedA.12x", "cores.orig",   "nobody",     "~",     "13900139000", "a\177b",
        ".",        "..",       "desktop.ini.", "x.dpkg-old", "ALICE", "Thumbs.db",   "autorun.inf",
    };
    unsigned which = byte(input);

    if (which < 200)
        return (struct model_name){.pin = (int)(which % MODEL_PINS),
                                   .text = model_pin((int)(which % MODEL_PINS))};
    if (which < 240)
        return (struct model_name){.pin = -1, .text = others[which % COUNT_OF(others)]};
    type_name(input);
    for (int pin = 0; pin < MODEL_PINS; pin++)
        if (strcmp(input->name, model_pin(pin)) == 0)
            return (struct model_name){.pin = pin, .text = model_pin(pin)};
    return (struct model_name){.pin = -1, .text = input->name};
}

static const char *mobile_of(struct input *input)
{
    static const char *const mobiles[] = {NULL, "13800138000", "13900139000", "12345"};

    return mobiles[below(input, COUNT_OF(mobiles))];
}

/* --- changes --- */

static struct world_change change_of(struct input *input, int mount)
{
    unsigned how = byte(input);
    struct world_change change = {
        .kind = how % 16 < 9    ? WORLD_SHARE
                : how % 16 < 14 ? WORLD_CANCEL
                                : WORLD_OTHER,
        .mount = mount,
        .exclusive = how >> 4 == 1,
        .interrupted = how >> 4 == 2,
    };

    change.process = how >> 4 < 8 ? 0 : below(input, MODEL_PROCESSES);
    change.image = below(input, MODEL_IMAGES + 1);
    change.name = name_of(input);
    if (change.kind == WORLD_OTHER) {
        change.interrupted = false;
        change.kind = how >> 7 ? WORLD_REMOVE : WORLD_OTHER;
    }
    return change;
}

static void run_change(struct world *world, struct input *input)
{
    struct world_change change = change_of(input, below(input, MODEL_MOUNTS));

    world_change(world, &change, 1);
}

static void run_batch(struct world *world, struct input *input)
{
    struct world_change changes[WORLD_BATCH];
    struct input names[WORLD_BATCH];
    int mount = below(input, MODEL_MOUNTS);
    int count = 2 + below(input, WORLD_BATCH - 1);

    for (int i = 0; i < count; i++) {
        changes[i] = change_of(input, mount);
        names[i] = *input; /* each typed name has a place of its own */
        if (changes[i].name.text == input->name)
            changes[i].name.text = names[i].name;
    }
    world_change(world, changes, count);
}

/* --- the program imgshare --- */

static void item_of(const struct world *world, struct input *input, struct model_item *item)
{
    unsigned how = byte(input);
    struct model_record *record = &item->record;

    *item = (struct model_item){.kind = MODEL_ITEM_IMAGE, .twice = -1};
    if (how < 40) {
        item->kind = MODEL_ITEM_ACCOUNT;
        item->pin = below(input, MODEL_PINS);
        item->mobile = mobile_of(input);
        return;
    }
    if (how < 70) {
        item->kind = MODEL_ITEM_SETTINGS;
        item->limit = 1 + below(input, 6);
        item->policy = (enum model_policy)below(input, 3);
        return;
    }
    int image = below(input, MODEL_IMAGES);
    *record = world->model.images[image].record; /* as it is, but for what follows */
    record->image = image;
    if (!world->model.images[image].there || how > 250)
        record->owner = below(input, MODEL_PINS);
    if (how & 1)
        record->status = (enum model_status)below(input, 4);
    if (how & 2)
        record->title = below(input, MODEL_TITLES);
    if (how & 4)
        record->released = below(input, 4) == 0;
    if (how & 8)
        record->snapshot = below(input, 3);
    if (how & 16)
        record->description = below(input, 3);
    if (how & 32)
        item->pins = pins_of(input);
    if (how & 32)
        item->pins &= pins_of(input); /* few */
    if (how == 249)
        for (int pin = 0; pin < MODEL_PINS && item->twice < 0; pin++)
            item->twice = item->pins >> pin & 1 ? pin : -1;
}

static void run_import(struct world *world, struct input *input)
{
    struct model_file file = {.count = 1 + below(input, MODEL_FILE_ITEMS)};

    for (int i = 0; i < file.count; i++)
        item_of(world, input, &file.items[i]);
    world_import(world, &file);
}

/* --- mounts --- */

static void run_mount(struct world *world, struct input *input)
{
    int number = below(input, MODEL_MOUNTS);
    unsigned how = byte(input);
    struct model_mount wanted = {
        .pin = world->mounts[number].model.pin,
        .no_cancel = how >> 4 == 1,
        .has_allow = how & 4,
        .has_trust = how & 8,
    };

    if (!(how & 1))
        wanted.pin = below(input, MODEL_PINS);
    if (how & 2)
        wanted.max_cancel = 1 + below(input, 3);
    if (wanted.has_allow)
        wanted.allow = pins_of(input);
    if (wanted.has_trust)
        wanted.trust = pins_of(input);
    world_mount(world, number, &wanted);
}

static void run_reload(struct world *world, struct input *input)
{
    int number = below(input, MODEL_MOUNTS);
    uint32_t allow = pins_of(input);
    uint32_t trust = pins_of(input);

    world_reload(world, number, allow, trust, below(input, 8) == 0);
}

static void run_clock(struct world *world, struct input *input)
{
    static const int64_t second = 1000000000;
    const int64_t steps[] = {1,           1000000,     second,       5 * second, 20 * second,
                             59 * second, 61 * second, 700 * second, -1,         -2 * second};

    world_set_clock(world, world->now + steps[below(input, COUNT_OF(steps))]);
}

/* --- looking --- */

static void between_pages(struct world *world, void *context)
{
    struct input *input = context;
    unsigned what = byte(input);

    if (what & 1)
        run_change(world, input);
    if (what >> 4 == 15)
        run_import(world, input);
}

static void run_list(struct world *world, struct input *input)
{
    struct world_pages pages = {.between = between_pages, .context = input};

    pages.kind = (enum world_listing)below(input, WORLD_LISTINGS);
    pages.mount = below(input, MODEL_MOUNTS);
    pages.image = below(input, MODEL_IMAGES);
    pages.pin = below(input, MODEL_PINS);
    pages.page = 1 + below(input, 4);
    /* Whose shares they are the caller of view_shares() has made sure of. */
    if (pages.kind == WORLD_LIST_SHARES && !world->model.images[pages.image].there)
        return;
    world_list(world, &pages);
}

static void run_look(struct world *world, struct input *input)
{
    int mount = below(input, MODEL_MOUNTS);
    int image = below(input, MODEL_IMAGES);

    world_look(world, mount, image, below(input, MODEL_PINS));
}

static void run_account(struct world *world, struct input *input)
{
    int pin = below(input, MODEL_PINS);

    world_add_account(world, pin, mobile_of(input));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Changes, as often as all else. An import costs as much as ten of them, a mount more. */
    static void (*const runs[])(struct world *, struct input *) = {
        run_change, run_batch,  run_change, run_look,   run_change, run_list,   run_change,
        run_clock,  run_change, run_list,   run_change, run_change, run_change, run_batch,
        run_look,   run_change, run_change, run_look,   run_change, run_look,   run_change,
        run_list,   run_change, run_change, run_change, run_list,   run_change, run_clock,
        run_change, run_look,   run_change, run_import,
    };
    static void (*const rare[])(struct world *, struct input *) = {run_mount, run_reload,
                                                                   run_account, run_import};
    struct input input = {.data = data, .left = size};
    struct world world;

    world_open(&world);
    while (input.left > 0) {
        unsigned what = byte(&input);
        if (what >= 0xf0)
            rare[what % COUNT_OF(rare)](&world, &input);
        else
            runs[what % COUNT_OF(runs)](&world, &input);
    }
    world_close(&world, size % 4 == 0);
    return 0;
}
