/*
 * A registry as sets in memory: what the catalog must do, written once more from the contract's
 * table of refusals, and not from core/rules.
 *
 * Pins, images and names of images are small numbers here, so that a set of pins is a word of bits.
 * A verdict holds every refusal that the table allows for a change, since it does not say which of
 * several comes first.
 */
#ifndef TESTS_FUZZ_MODEL_H
#define TESTS_FUZZ_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#define MODEL_PINS 14
#define MODEL_IMAGES 8
#define MODEL_TITLES 7
#define MODEL_PROCESSES 3
#define MODEL_MOUNTS 2

/* Refusals that a change in a registry can meet; as bits of a verdict. */
enum model_refusal {
    MODEL_PENDING,
    MODEL_DELETING,
    MODEL_ERROR,
    MODEL_SNAPSHOT,
    MODEL_ENCRYPTED,
    MODEL_RELEASED,
    MODEL_LIMIT,
    MODEL_GONE,
    MODEL_NOT_OWNER,
    MODEL_NO_ACCOUNT,
    MODEL_MOBILE,
    MODEL_OWN_PIN,
    MODEL_INVALID,
    MODEL_LEFTOVER,
    MODEL_UNLISTED,
    MODEL_SHARED,
    MODEL_NOT_SHARED,
    MODEL_CANCEL_OFF,
    MODEL_CANCEL_LIMIT,
    MODEL_RECURSIVE,
    MODEL_REFUSALS
};

/* The code in the log, and the errno, of a refusal of enum model_refusal. */
const char *model_code(int refusal);
int model_errno(int refusal);

/* What a pin may look like, by the contract's list. */
enum model_look { MODEL_FINE, MODEL_IS_INVALID, MODEL_IS_LEFTOVER };

/* The text of PIN. */
const char *model_pin(int pin);
/* How a name looks that somebody typed: ASCII, without a slash and not empty. */
enum model_look model_look_of(const char *name);
/* The title (the file name) of an image by number, and whether that can be a file name. */
const char *model_title(int title);
bool model_title_is_name(int title);

enum model_status { MODEL_READY, MODEL_IS_PENDING, MODEL_IS_DELETING, MODEL_IS_ERROR };
enum model_policy { MODEL_ANY, MODEL_ENCRYPTED_ONLY, MODEL_NONE };

/* What the record of an image says. */
struct model_record {
    int image;
    int owner; /* pin */
    int title;
    enum model_status status;
    bool released;
    int snapshot;    /* 0 none, 1 plain, 2 encrypted */
    int description; /* of a few; touches nothing but the record */
};

struct model_image {
    bool there;
    struct model_record record;
    uint32_t shares; /* pins */
};

struct model {
    uint32_t accounts;               /* pins that have one */
    const char *mobiles[MODEL_PINS]; /* or NULL */
    struct model_image images[MODEL_IMAGES];
    int64_t limit;
    enum model_policy policy;
};

/* What one process did in one image. */
struct model_deeds {
    int64_t refused_ns; /* 0 = never */
    int count;          /* of cancels, the last ones */
    int64_t cancels_ns[32];
};

struct model_mount {
    int pin;
    bool no_cancel;
    int64_t max_cancel; /* 0 = no limit */
    bool has_allow, has_trust;
    uint32_t allow, trust; /* pins */
    struct model_deeds deeds[MODEL_PROCESSES][MODEL_IMAGES];
};

/* What somebody typed: a pin of the table, or any other name. */
struct model_name {
    int pin; /* or -1 */
    const char *text;
};

/* What a change may come to. */
struct model_verdict {
    bool done;         /* success is allowed */
    bool changes;      /* and changes something */
    uint32_t refusals; /* allowed */
};

/* IMAGE is -1 for one that is not there. Neither changes anything. */
struct model_verdict model_share(const struct model *model, const struct model_mount *mount,
                                 int image, const struct model_name *name, bool exclusive);
struct model_verdict model_cancel(const struct model *model, const struct model_mount *mount,
                                  int image, const struct model_name *name, int process,
                                  int64_t now);
/* What may be in the file shareable; done stands for "yes". */
struct model_verdict model_shareable(const struct model *model, const struct model_mount *mount,
                                     int image);

/* Notes a cancel that PROCESS made in IMAGE. */
void model_note_cancel(struct model_mount *mount, int process, int image, int64_t now);

/* How many bits. */
int model_count(uint32_t set);
/* The images that PIN owns, that are shared with it, that OWNER shares with it; the pins that can
 * use an image of OWNER, and the owners that share with PIN. */
uint32_t model_owned(const struct model *model, int pin);
uint32_t model_received(const struct model *model, int pin);
uint32_t model_between(const struct model *model, int owner, int pin);
uint32_t model_recipients(const struct model *model, int owner);
uint32_t model_owners(const struct model *model, int pin);
/* The images of OWNER that PIN sees: its own, or those shared with it. */
uint32_t model_seen(const struct model *model, int owner, int pin);

/* The entry of IMAGE under by-name/, where the images of SCOPE are. */
void model_entry(const struct model *model, uint32_t scope, int image, char out[256]);

/* --- import --- */

#define MODEL_FILE_ITEMS 6

struct model_item {
    enum { MODEL_ITEM_IMAGE, MODEL_ITEM_ACCOUNT, MODEL_ITEM_SETTINGS } kind;
    struct model_record record; /* of an image */
    uint32_t pins;              /* that it is shared with */
    int twice;                  /* a pin that is there twice, or -1 */
    int pin;                    /* of an account */
    const char *mobile;         /* or NULL */
    int64_t limit;              /* of settings */
    enum model_policy policy;
};

struct model_file {
    int count;
    struct model_item items[MODEL_FILE_ITEMS];
};

/* Whether FILE can be imported; then MODEL is what it is after that. */
bool model_import(struct model *model, const struct model_file *file);

/* Whether an account PIN with MOBILE (or NULL) can be added; then MODEL has it. */
bool model_add_account(struct model *model, int pin, const char *mobile);

#endif
