/* A registry as sets in memory: see the header. */
#include "tests/fuzz/model.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define MINUTE_NS (60 * 1000000000LL)
/* maxcancel counts in steps of a few seconds: so long either answer is right. */
#define STEP_NS (6 * 1000000000LL)

#define COUNT_OF(array) (int)(sizeof(array) / sizeof((array)[0]))

static const struct {
    const char *code;
    int error;
} refusals[MODEL_REFUSALS] = {
    [MODEL_PENDING] = {"image-pending", EBUSY},
    [MODEL_DELETING] = {"image-deleting", EOPNOTSUPP},
    [MODEL_ERROR] = {"image-error", EOPNOTSUPP},
    [MODEL_SNAPSHOT] = {"image-snapshot", EOPNOTSUPP},
    [MODEL_ENCRYPTED] = {"image-encrypted", EOPNOTSUPP},
    [MODEL_RELEASED] = {"image-released", EOPNOTSUPP},
    [MODEL_LIMIT] = {"image-limit", EDQUOT},
    [MODEL_GONE] = {"image-gone", ENOENT},
    [MODEL_NOT_OWNER] = {"not-owner", EACCES},
    [MODEL_NO_ACCOUNT] = {"no-account", ENXIO},
    [MODEL_MOBILE] = {"mobile-number", EINVAL},
    [MODEL_OWN_PIN] = {"own-pin", EINVAL},
    [MODEL_INVALID] = {"pin-invalid", EINVAL},
    [MODEL_LEFTOVER] = {"pin-leftover", EINVAL},
    [MODEL_UNLISTED] = {"pin-unlisted", EPERM},
    [MODEL_SHARED] = {"already-shared", EEXIST},
    [MODEL_NOT_SHARED] = {"not-shared", ENOENT},
    [MODEL_CANCEL_OFF] = {"cancel-off", EPERM},
    [MODEL_CANCEL_LIMIT] = {"cancel-limit", EPERM},
    [MODEL_RECURSIVE] = {"cancel-recursive", EPERM},
};

/* The last ones come by import only: whatever the source lists is shown and can be cancelled. */
static const struct {
    const char *text;
    enum model_look look;
} pins[MODEL_PINS] = {
    {"me", MODEL_FINE},
    {"alice", MODEL_FINE},
    {"bob", MODEL_FINE},
    {"Alice", MODEL_FINE},
    {"数据标注", MODEL_FINE},
    {"13800138000", MODEL_FINE},
    {"a@b.c=d+e:f^g%h_i-j", MODEL_FINE},
    {"cores", MODEL_FINE},
    {"two words", MODEL_IS_INVALID},
    {".hidden", MODEL_IS_INVALID},
    {"zero\xe2\x80\x8bwidth", MODEL_IS_INVALID},
    {"semi;colon", MODEL_IS_INVALID},
    {"core", MODEL_IS_LEFTOVER},
    {"sedXy12Zw", MODEL_IS_LEFTOVER},
};

static const struct {
    const char *text;
    bool is_name;
} titles[MODEL_TITLES] = {
    {"golden", true}, {"web", true},  {"web@img-1", true}, /* as image img-1 would be listed, were it one of two called web */
    {"", false},      {"a/b", false}, {"@img-2", true},    {"..", false},
};

const char *model_code(int refusal)
{
    return refusals[refusal].code;
}

int model_errno(int refusal)
{
    return refusals[refusal].error;
}

const char *model_pin(int pin)
{
    return pins[pin].text;
}

const char *model_title(int title)
{
    return titles[title].text;
}

bool model_title_is_name(int title)
{
    return titles[title].is_name;
}

/* --- names that somebody typed --- */

static bool ends_with(const char *name, const char *end)
{
    size_t length = strlen(name);

    return length >= strlen(end) && strcmp(name + length - strlen(end), end) == 0;
}

static bool is_alphanumeric(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9');
}

/* sed and six characters, as mkstemp(3) makes them. */
static bool is_of_sed(const char *name)
{
    if (strncmp(name, "sed", 3) != 0 || strlen(name) != 9)
        return false;
    for (size_t i = 3; i < 9; i++)
        if (!is_alphanumeric(name[i]))
            return false;
    return true;
}

enum model_look model_look_of(const char *name)
{
    static const char *const whole[] = {"4913",        "core",      "nohup.out",
                                        "desktop.ini", "Thumbs.db", "autorun.inf"};
    static const char *const ends[] = {".tmp", ".part", ".swp", ".bak", ".orig", ".rej"};

    if (*name == '.' || *name == '-')
        return MODEL_IS_INVALID;
    for (const char *at = name; *at; at++)
        if (*at <= ' ' || *at > '~' || strchr("*?[]{}()$\\\"'<>|;&,~#!`", *at))
            return MODEL_IS_INVALID;
    for (int i = 0; i < COUNT_OF(whole); i++)
        if (strcmp(name, whole[i]) == 0)
            return MODEL_IS_LEFTOVER;
    for (int i = 0; i < COUNT_OF(ends); i++)
        if (ends_with(name, ends[i]))
            return MODEL_IS_LEFTOVER;
    if (strstr(name, ".dpkg-"))
        return MODEL_IS_LEFTOVER;
    return is_of_sed(name) || (strncmp(name, "tmp.", 4) == 0 && name[4]) ? MODEL_IS_LEFTOVER
                                                                         : MODEL_FINE;
}

/* --- sets --- */

int model_count(uint32_t set)
{
    return __builtin_popcount(set);
}

static bool has(uint32_t set, int member)
{
    return member >= 0 && (set >> member & 1) != 0;
}

uint32_t model_owned(const struct model *model, int pin)
{
    uint32_t set = 0;

    for (int i = 0; i < MODEL_IMAGES; i++)
        if (model->images[i].there && model->images[i].record.owner == pin)
            set |= 1U << i;
    return set;
}

uint32_t model_received(const struct model *model, int pin)
{
    uint32_t set = 0;

    for (int i = 0; i < MODEL_IMAGES; i++)
        if (has(model->images[i].shares, pin))
            set |= 1U << i;
    return set;
}

uint32_t model_between(const struct model *model, int owner, int pin)
{
    return model_owned(model, owner) & model_received(model, pin);
}

uint32_t model_recipients(const struct model *model, int owner)
{
    uint32_t set = 0;

    for (int i = 0; i < MODEL_IMAGES; i++)
        if (model->images[i].record.owner == owner)
            set |= model->images[i].shares;
    return set;
}

uint32_t model_owners(const struct model *model, int pin)
{
    uint32_t set = 0;

    for (int i = 0; i < MODEL_IMAGES; i++)
        if (has(model->images[i].shares, pin))
            set |= 1U << model->images[i].record.owner;
    return set;
}

uint32_t model_seen(const struct model *model, int owner, int pin)
{
    return owner == pin ? model_owned(model, owner) : model_between(model, owner, pin);
}

/* --- by-name/ --- */

static bool is_title_twice(const struct model *model, uint32_t scope, int image)
{
    for (int i = 0; i < MODEL_IMAGES; i++)
        if (i != image && has(scope, i) &&
            model->images[i].record.title == model->images[image].record.title)
            return true;
    return false;
}

/* Whether the title of IMAGE is what another image could be listed as: its title, or nothing, and
 * its id behind an @. */
static bool reads_as_another(const struct model *model, uint32_t scope, int image)
{
    const char *own = model_title(model->images[image].record.title);
    char form[256];

    for (int i = 0; i < MODEL_IMAGES; i++) {
        if (i == image || !has(scope, i))
            continue;
        (void)snprintf(form, sizeof(form), "%s@img-%d", model_title(model->images[i].record.title),
                       i);
        if (strcmp(own, form) == 0 || strcmp(own, strrchr(form, '@')) == 0)
            return true;
    }
    return false;
}

void model_entry(const struct model *model, uint32_t scope, int image, char out[256])
{
    int title = model->images[image].record.title;

    if (!model_title_is_name(title))
        (void)snprintf(out, 256, "@img-%d", image);
    else if (is_title_twice(model, scope, image) || reads_as_another(model, scope, image))
        (void)snprintf(out, 256, "%s@img-%d", model_title(title), image);
    else
        (void)snprintf(out, 256, "%s", model_title(title));
}

/* --- changes --- */

/* What the image's own state refuses. */
static uint32_t refused_by_image(const struct model *model, const struct model_image *image)
{
    const struct model_record *record = &image->record;
    uint32_t set = 0;

    if (record->status == MODEL_IS_PENDING)
        set |= 1U << MODEL_PENDING;
    if (record->status == MODEL_IS_DELETING)
        set |= 1U << MODEL_DELETING;
    if (record->status == MODEL_IS_ERROR)
        set |= 1U << MODEL_ERROR;
    if (record->snapshot > 0 && model->policy == MODEL_ANY)
        set |= 1U << MODEL_SNAPSHOT;
    if (record->snapshot == 2 && model->policy != MODEL_NONE)
        set |= 1U << MODEL_ENCRYPTED;
    if (record->released)
        set |= 1U << MODEL_RELEASED;
    if (model_count(image->shares) >= model->limit)
        set |= 1U << MODEL_LIMIT;
    return set;
}

/* What the name refuses, for an account that does not have the image yet. */
static uint32_t refused_by_name(const struct model *model, const struct model_mount *mount,
                                const struct model_name *name)
{
    enum model_look look = name->pin >= 0 ? pins[name->pin].look : model_look_of(name->text);
    bool listed = mount->has_allow && has(mount->allow, name->pin);
    uint32_t set = 0;

    if (look == MODEL_IS_INVALID && !listed)
        set |= 1U << MODEL_INVALID;
    if (look == MODEL_IS_LEFTOVER && !listed)
        set |= 1U << MODEL_LEFTOVER;
    if (mount->has_allow && !listed)
        set |= 1U << MODEL_UNLISTED;
    if (name->pin == mount->pin)
        set |= 1U << MODEL_OWN_PIN;
    if (has(model->accounts, name->pin))
        return set;
    for (int i = 0; i < MODEL_PINS; i++)
        if (model->mobiles[i] && strcmp(model->mobiles[i], name->text) == 0)
            return set | 1U << MODEL_MOBILE;
    return set | 1U << MODEL_NO_ACCOUNT;
}

struct model_verdict model_share(const struct model *model, const struct model_mount *mount,
                                 int image, const struct model_name *name, bool exclusive)
{
    struct model_verdict verdict = {0};

    if (image < 0) {
        verdict.refusals = 1U << MODEL_GONE;
        return verdict;
    }
    const struct model_image *at = &model->images[image];
    bool owned = at->record.owner == mount->pin;
    bool visible = owned || name->pin == mount->pin;

    if (has(at->shares, name->pin) && visible) {
        verdict.done = !exclusive;
        verdict.refusals = exclusive ? 1U << MODEL_SHARED : 0;
        return verdict;
    }
    verdict.refusals = refused_by_name(model, mount, name);
    verdict.refusals |= owned ? refused_by_image(model, at) : 1U << MODEL_NOT_OWNER;
    /* Whose image it is comes before what it is: its state is its owner's business. */
    if (!owned)
        verdict.refusals = 1U << MODEL_NOT_OWNER;
    verdict.done = verdict.changes = verdict.refusals == 0;
    return verdict;
}

/* The cancels of the last SPAN. */
static int count_cancels(const struct model_deeds *deeds, int64_t now, int64_t span)
{
    int count = 0;

    for (int i = 0; i < deeds->count; i++)
        count += now - deeds->cancels_ns[i] < span;
    return count;
}

struct model_verdict model_cancel(const struct model *model, const struct model_mount *mount,
                                  int image, const struct model_name *name, int process,
                                  int64_t now)
{
    struct model_verdict verdict = {0};

    if (image < 0) {
        verdict.refusals = 1U << MODEL_GONE;
        return verdict;
    }
    const struct model_image *at = &model->images[image];
    const struct model_deeds *deeds = &mount->deeds[process][image];

    if (at->record.owner != mount->pin) {
        verdict.refusals = 1U << MODEL_NOT_OWNER;
        return verdict;
    }
    if (!has(at->shares, name->pin)) {
        verdict.refusals = 1U << MODEL_NOT_SHARED;
        return verdict;
    }
    if (mount->no_cancel)
        verdict.refusals |= 1U << MODEL_CANCEL_OFF;
    if (deeds->refused_ns > 0 && now - deeds->refused_ns < MINUTE_NS)
        verdict.refusals |= 1U << MODEL_RECURSIVE;
    bool limited = mount->max_cancel > 0;
    bool used_up = limited && count_cancels(deeds, now, MINUTE_NS) >= mount->max_cancel;
    bool almost = limited && count_cancels(deeds, now, MINUTE_NS + STEP_NS) >= mount->max_cancel;
    verdict.done = verdict.changes = verdict.refusals == 0 && !used_up;
    if (almost)
        verdict.refusals |= 1U << MODEL_CANCEL_LIMIT;
    return verdict;
}

void model_note_cancel(struct model_mount *mount, int process, int image, int64_t now)
{
    struct model_deeds *deeds = &mount->deeds[process][image];

    if (deeds->count == COUNT_OF(deeds->cancels_ns)) {
        deeds->count--;
        memmove(deeds->cancels_ns, deeds->cancels_ns + 1,
                (size_t)deeds->count * sizeof(deeds->cancels_ns[0]));
    }
    deeds->cancels_ns[deeds->count++] = now;
}

struct model_verdict model_shareable(const struct model *model, const struct model_mount *mount,
                                     int image)
{
    const struct model_image *at = &model->images[image];
    struct model_verdict verdict = {0};

    verdict.refusals =
        at->record.owner == mount->pin ? refused_by_image(model, at) : 1U << MODEL_NOT_OWNER;
    verdict.done = verdict.refusals == 0;
    return verdict;
}

/* --- import --- */

static bool is_mobile_of_another(const struct model *model, int pin, const char *mobile)
{
    for (int i = 0; i < MODEL_PINS; i++)
        if (i != pin && model->mobiles[i] && strcmp(model->mobiles[i], mobile) == 0)
            return true;
    return false;
}

/* What is wrong with ITEM, were it alone in the file. */
static bool is_item_wrong(const struct model *model, const struct model_item *item, int64_t limit)
{
    const struct model_image *known = &model->images[item->record.image];

    switch (item->kind) {
    case MODEL_ITEM_ACCOUNT:
        return item->mobile && is_mobile_of_another(model, item->pin, item->mobile);
    case MODEL_ITEM_SETTINGS:
        for (int i = 0; i < MODEL_IMAGES; i++)
            if (model_count(model->images[i].shares) > item->limit)
                return true;
        return false;
    case MODEL_ITEM_IMAGE:
    default:
        if (item->twice >= 0 || has(item->pins, item->record.owner))
            return true;
        if (known->there && known->record.owner != item->record.owner)
            return true;
        if (item->record.released && (item->pins || known->shares))
            return true;
        return item->pins && model_count(item->pins | known->shares) > limit;
    }
}

static bool is_pair_wrong(const struct model_item *one, const struct model_item *other)
{
    if (one->kind != other->kind)
        return false;
    switch (one->kind) {
    case MODEL_ITEM_ACCOUNT:
        return one->pin == other->pin ||
               (one->mobile && other->mobile && strcmp(one->mobile, other->mobile) == 0);
    case MODEL_ITEM_IMAGE:
        return one->record.image == other->record.image;
    case MODEL_ITEM_SETTINGS:
    default:
        return false; /* the last one holds */
    }
}

bool model_import(struct model *model, const struct model_file *file)
{
    struct model_item settings = {
        .kind = MODEL_ITEM_SETTINGS, .limit = model->limit, .policy = model->policy};

    for (int i = 0; i < file->count; i++)
        if (file->items[i].kind == MODEL_ITEM_SETTINGS)
            settings = file->items[i];
    if (settings.limit < model->limit && is_item_wrong(model, &settings, 0))
        return false;
    for (int i = 0; i < file->count; i++) {
        if (file->items[i].kind != MODEL_ITEM_SETTINGS &&
            is_item_wrong(model, &file->items[i], settings.limit))
            return false;
        for (int j = 0; j < i; j++)
            if (is_pair_wrong(&file->items[j], &file->items[i]))
                return false;
    }
    model->limit = settings.limit;
    model->policy = settings.policy;
    for (int i = 0; i < file->count; i++) {
        const struct model_item *item = &file->items[i];
        if (item->kind == MODEL_ITEM_ACCOUNT) {
            model->accounts |= 1U << item->pin;
            if (item->mobile)
                model->mobiles[item->pin] = item->mobile;
        } else if (item->kind == MODEL_ITEM_IMAGE) {
            struct model_image *image = &model->images[item->record.image];
            model->accounts |= item->pins | 1U << item->record.owner;
            image->there = true;
            image->record = item->record;
            image->shares |= item->pins;
        }
    }
    return true;
}

bool model_add_account(struct model *model, int pin, const char *mobile)
{
    if (has(model->accounts, pin) || (mobile && is_mobile_of_another(model, pin, mobile)))
        return false;
    model->accounts |= 1U << pin;
    model->mobiles[pin] = mobile;
    return true;
}
