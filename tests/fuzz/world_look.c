/* What a mount shows of the world, against the model: attributes, look-ups, and listings in pages. */
#include "tests/fuzz/world.h"

#include "core/catalog/attribute.h"
#include "core/catalog/by_name.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <string.h>

/* --- one image --- */

static void require_attribute(struct attribute_image *image, const char *name, const char *wanted)
{
    CLEANUP_BUFFER struct buffer text = BUFFER_INIT(1 << 16);
    const struct attribute *attribute = attribute_find(name);

    REQUIRE(attribute && attribute_format(image, attribute, &text) == 0);
    if (strcmp(buffer_text(&text), wanted) != 0)
        (void)fprintf(stderr, "%s: \"%s\" instead of \"%s\"\n", name, buffer_text(&text), wanted);
    REQUIRE(strcmp(buffer_text(&text), wanted) == 0);
}

/* "yes", or "no: ERRNO: " and a sentence, where the model has such a refusal. */
static void require_shareable(struct attribute_image *image, const struct model_verdict *verdict)
{
    CLEANUP_BUFFER struct buffer text = BUFFER_INIT(1 << 16);
    char begin[64];

    if (verdict->done) {
        require_attribute(image, "shareable", "yes\n");
        return;
    }
    REQUIRE(attribute_format(image, attribute_find("shareable"), &text) == 0);
    for (int i = 0; i < MODEL_REFUSALS; i++) {
        (void)snprintf(begin, sizeof(begin), "no: %s: ", strerrorname_np(model_errno(i)));
        if ((verdict->refusals >> i & 1) && strncmp(buffer_text(&text), begin, strlen(begin)) == 0)
            return;
    }
    fuzz_fail(__FILE__, __LINE__, "a reason that the model has");
}

static void require_attributes(const struct world *world, const struct world_mount *mount,
                               int number, struct attribute_image *image)
{
    static const char *const statuses[] = {"available\n", "pending\n", "deleting\n", "error\n"};
    const struct model_image *wanted = &world->model.images[number];
    struct model_verdict verdict = model_shareable(&world->model, &mount->model, number);
    bool owned = wanted->record.owner == mount->model.pin;
    bool trusted = mount->model.has_trust && (mount->model.trust >> wanted->record.owner & 1);
    int shares = model_count(wanted->shares);
    char text[64];

    require_attribute(image, "status", statuses[wanted->record.status]);
    (void)snprintf(text, sizeof(text), "img-%d\n", number);
    require_attribute(image, "id", text);
    (void)snprintf(text, sizeof(text), "%s\n", model_pin(wanted->record.owner));
    require_attribute(image, "owner", text);
    (void)snprintf(text, sizeof(text), "%s\n", model_title(wanted->record.title));
    require_attribute(image, "name", *model_title(wanted->record.title) ? text : "");
    (void)snprintf(text, sizeof(text), "%d\n", wanted->record.description);
    require_attribute(image, "description", text);
    require_attribute(image, "snapshot", wanted->record.snapshot > 0 ? "snap-1\n" : "");
    require_attribute(image, "trusted", trusted ? "yes\n" : "no\n");
    (void)snprintf(text, sizeof(text), "%d/%lld\n", shares, (long long)world->model.limit);
    require_attribute(image, "quota", owned ? text : "");
    (void)snprintf(text, sizeof(text), "%d account%s\n", shares, shares == 1 ? "" : "s");
    require_attribute(image, "exposure",
                      wanted->record.released ? "everyone\n"
                      : !owned                ? ""
                      : shares == 0           ? "owner\n"
                                              : text);
    require_shareable(image, &verdict);
}

static void require_last_refusal(const struct world *world, struct world_mount *mount, int number)
{
    CLEANUP_REFUSAL struct view_refusal found = {0};
    const struct world_refusal *wanted = &world->refusals[mount->model.pin][number];
    int result = view_refusal(&mount->view, world->window.state.images[number].row, &found);

    REQUIRE(result == (wanted->at_ns > 0 ? 0 : -ENOENT));
    if (result < 0)
        return;
    REQUIRE(found.at_ns == wanted->at_ns);
    REQUIRE(strcmp(found.code, wanted->code) == 0);
    REQUIRE(strcmp(found.action, wanted->action) == 0);
    REQUIRE(strcmp(found.name, wanted->name) == 0);
}

/* The image by row and by id, and the share with PIN by row and by name. */
static void require_found(const struct world *world, struct world_mount *mount, int number, int pin)
{
    const struct window_state *state = &world->window.state;
    const struct model_image *wanted = &world->model.images[number];
    struct view *view = &mount->view;
    struct view_image image = {0};
    struct view_share share = {0};
    int64_t row = wanted->there ? state->images[number].row : 1000;
    bool owned = wanted->there && wanted->record.owner == mount->model.pin;
    bool received = wanted->there && (wanted->shares >> mount->model.pin & 1);
    bool seen = (wanted->shares >> pin & 1) && (owned || pin == mount->model.pin);
    char id[8];

    (void)snprintf(id, sizeof(id), "img-%d", number);
    REQUIRE(view_image_by_id(view, VIEW_PRIVATE, id, &image) == (owned ? 0 : -ENOENT));
    REQUIRE(view_image_by_id(view, VIEW_SHARED, id, &image) == (received ? 0 : -ENOENT));
    REQUIRE(view_image(view, row, &image) == (owned || received ? 0 : -ENOENT));
    if (owned || received) {
        REQUIRE(image.row == row && image.owned == owned && strcmp(image.id, id) == 0);
        REQUIRE(image.shares == model_count(wanted->shares));
        REQUIRE(image.shares_ns == state->images[number].shares_ns);
        REQUIRE(image.added_ns == state->images[number].added_ns);
        REQUIRE(image.changed_ns == state->images[number].changed_ns);
    }
    REQUIRE(view_share_by_pin(view, row, model_pin(pin), &share) == (seen ? 0 : -ENOENT));
    if (!seen)
        return;
    REQUIRE(share.row == state->shares[number][pin].row && share.image == row);
    REQUIRE(share.created_ns == state->shares[number][pin].created_ns);
    REQUIRE(view_share(view, share.row, &share) == 0);
    REQUIRE(strcmp(share.pin, model_pin(pin)) == 0);
}

/* The account's own directories, and those for PIN. */
static void require_accounts(const struct world *world, struct world_mount *mount, int pin)
{
    const struct window_state *state = &world->window.state;
    int own = mount->model.pin;
    const struct window_account *wanted = &state->accounts[own];
    struct view_account account = {0};
    struct view_recipient recipient = {0};
    bool uses = model_between(&world->model, own, pin) != 0;
    bool gives = model_between(&world->model, pin, own) != 0;

    REQUIRE(view_account(&mount->view, &account) == 0);
    REQUIRE(account.images == model_count(model_owned(&world->model, own)));
    REQUIRE(account.received == model_count(model_received(&world->model, own)));
    REQUIRE(account.private_ns == wanted->times[WINDOW_PRIVATE]);
    REQUIRE(account.names_ns == wanted->times[WINDOW_NAMES]);
    REQUIRE(account.received_ns == wanted->times[WINDOW_RECEIVED]);
    REQUIRE(account.owners_ns == wanted->times[WINDOW_OWNERS]);
    REQUIRE(account.recipients_ns == wanted->times[WINDOW_RECIPIENTS]);
    REQUIRE(view_recipient_by_pin(&mount->view, model_pin(pin), &recipient) ==
            (uses ? 0 : -ENOENT));
    REQUIRE(!uses || recipient.row == state->recipients[own][pin].row);
    REQUIRE(view_owner_by_pin(&mount->view, model_pin(pin), &recipient) == (gives ? 0 : -ENOENT));
    REQUIRE(!gives || recipient.row == state->recipients[pin][own].row);
}

static void require_entry(const struct world *world, struct world_mount *mount, int number)
{
    const struct model_image *wanted = &world->model.images[number];
    int owner = wanted->record.owner;
    uint32_t scope = model_seen(&world->model, owner, mount->model.pin);
    struct by_name_entry entry = {0};
    char name[256];

    if (!(scope >> number & 1))
        return;
    model_entry(&world->model, scope, number, name);
    REQUIRE(by_name_find(&mount->view, model_pin(owner), name, &entry) == 0);
    REQUIRE(entry.row == world->window.state.images[number].row);
    REQUIRE(strcmp(entry.name, name) == 0);
}

void world_look(struct world *world, int number, int image, int pin)
{
    struct world_mount *mount = &world->mounts[number];
    const struct model_image *wanted = &world->model.images[image];
    struct attribute_image opened;

    require_found(world, mount, image, pin);
    require_accounts(world, mount, pin);
    if (!wanted->there)
        return;
    bool visible =
        wanted->record.owner == mount->model.pin || (wanted->shares >> mount->model.pin & 1);
    int result = attribute_open(mount->catalog, &mount->view, world->window.state.images[image].row,
                                &opened);
    REQUIRE(result == (visible ? 0 : -ENOENT));
    if (visible)
        require_attributes(world, mount, image, &opened);
    attribute_close(&opened);
    require_last_refusal(world, mount, image);
    require_entry(world, mount, image);
}

/* --- listings --- */

/* A page as it is read. */
struct page {
    const struct world *world;
    const struct world_pages *pages;
    uint32_t found; /* images or pins, over all pages */
    int64_t last;
    int left;
};

static int index_of(const struct page *page, const char *name)
{
    if (page->pages->kind == WORLD_LIST_SHARES || page->pages->kind == WORLD_LIST_RECIPIENTS ||
        page->pages->kind == WORLD_LIST_OWNERS) {
        for (int i = 0; i < MODEL_PINS; i++)
            if (strcmp(model_pin(i), name) == 0)
                return i;
        return -1;
    }
    return strncmp(name, "img-", 4) == 0 ? name[4] - '0' : -1;
}

static int take(struct page *page, int64_t row, const char *name)
{
    int index = index_of(page, name);

    REQUIRE(index >= 0 && index < 32);
    REQUIRE(!(page->found >> index & 1)); /* none twice */
    REQUIRE(row > page->last);
    page->found |= 1U << index;
    page->last = row;
    return --page->left == 0;
}

static int take_entry(const struct view_entry *entry, void *context)
{
    return take(context, entry->row, entry->name);
}

static int take_name(const struct by_name_entry *entry, void *context)
{
    const struct page *page = context;
    const struct world *world = page->world;
    int own = world->mounts[page->pages->mount].model.pin;
    char name[256];

    int image = index_of(page, entry->id);
    REQUIRE(image >= 0 && image < MODEL_IMAGES);
    model_entry(&world->model, model_seen(&world->model, page->pages->pin, own), image, name);
    REQUIRE(strcmp(entry->name, name) == 0);
    return take(context, entry->row, entry->id);
}

/* What the listing must hold now. */
static uint32_t wanted_now(const struct world *world, const struct world_pages *pages)
{
    const struct model *model = &world->model;
    int own = world->mounts[pages->mount].model.pin;

    switch (pages->kind) {
    case WORLD_LIST_PRIVATE:
        return model_owned(model, own);
    case WORLD_LIST_SHARED:
        return model_received(model, own);
    case WORLD_LIST_SHARES:
        return model->images[pages->image].shares;
    case WORLD_LIST_RECIPIENTS:
        return model_recipients(model, own);
    case WORLD_LIST_OF_PIN:
        return model_between(model, own, pages->pin);
    case WORLD_LIST_OWNERS:
        return model_owners(model, own);
    case WORLD_LIST_NAMES:
    case WORLD_LISTINGS:
    default:
        return model_seen(model, pages->pin, own);
    }
}

static int read_page(struct world *world, struct page *page)
{
    const struct world_pages *pages = page->pages;
    struct view *view = &world->mounts[pages->mount].view;
    const char *pin = model_pin(pages->pin);

    page->left = pages->page;
    switch (pages->kind) {
    case WORLD_LIST_PRIVATE:
        return view_images(view, VIEW_PRIVATE, page->last, take_entry, page);
    case WORLD_LIST_SHARED:
        return view_images(view, VIEW_SHARED, page->last, take_entry, page);
    case WORLD_LIST_SHARES:
        return view_shares(view, world->window.state.images[pages->image].row, page->last,
                           take_entry, page);
    case WORLD_LIST_RECIPIENTS:
        return view_recipients(view, page->last, take_entry, page);
    case WORLD_LIST_OF_PIN:
        return view_recipient_images(view, pin, page->last, take_entry, page);
    case WORLD_LIST_OWNERS:
        return view_owners(view, page->last, take_entry, page);
    case WORLD_LIST_NAMES:
    case WORLD_LISTINGS:
    default:
        return by_name_list(view, pin, page->last, take_name, page);
    }
}

void world_list(struct world *world, const struct world_pages *pages)
{
    struct page page = {.world = world, .pages = pages};
    uint32_t always = wanted_now(world, pages);
    uint32_t ever = always;

    for (;;) {
        bool known = pages->kind != WORLD_LIST_NAMES || (world->model.accounts >> pages->pin & 1);
        REQUIRE(read_page(world, &page) == (known ? 0 : -ENOENT));
        if (page.left > 0)
            break;
        pages->between(world, pages->context);
        uint32_t now = wanted_now(world, pages);
        always &= now;
        ever |= now;
    }
    /* What was there all the time is listed, and nothing that never was. */
    REQUIRE((page.found & always) == always);
    REQUIRE((page.found & ~ever) == 0);
}
