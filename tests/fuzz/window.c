/* A window into a registry's tables: see the header. */
#include "tests/fuzz/window.h"

#include "tests/fuzz/fuzz.h"

#include <string.h>

enum { READ_ACCOUNTS, READ_IMAGES, READ_SHARES, READ_RECIPIENTS, READ_FEED };

static const char *const queries[] = {
    [READ_ACCOUNTS] =
        ("SELECT pin, id, images, received, private_ns, names_ns, received_ns, owners_ns,"
         " recipients_ns, events_end, mobile FROM account"),
    [READ_IMAGES] = "SELECT image_id, id, shares, shares_ns, added_ns, changed_ns FROM image",
    [READ_SHARES] = "SELECT pin, image, id, created_ns FROM share",
    [READ_RECIPIENTS] = "SELECT pin, owner, id, images, changed_ns FROM recipient",
    [READ_FEED] = "SELECT pin, id, writer, kind, first, last FROM feed WHERE id > ?1 ORDER BY id",
};

/* How much later than it must a time may be: a change may touch a directory in several steps. */
#define STEPS_NS 8

void window_open(struct window *window, const char *path)
{
    memset(window, 0, sizeof(*window));
    REQUIRE(sqlite3_open_v2(path, &window->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) ==
            SQLITE_OK);
    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++)
        REQUIRE(sqlite3_prepare_v2(window->db, queries[i], -1, &window->statements[i], NULL) ==
                SQLITE_OK);
}

void window_close(struct window *window)
{
    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++)
        (void)sqlite3_finalize(window->statements[i]);
    REQUIRE(sqlite3_close(window->db) == SQLITE_OK);
}

/* --- reading --- */

static bool step(sqlite3_stmt *use)
{
    int rc = sqlite3_step(use);

    REQUIRE(rc == SQLITE_ROW || rc == SQLITE_DONE);
    if (rc == SQLITE_DONE)
        REQUIRE(sqlite3_reset(use) == SQLITE_OK);
    return rc == SQLITE_ROW;
}

static int pin_of(sqlite3_stmt *use)
{
    const char *text = (const char *)sqlite3_column_text(use, 0);

    REQUIRE(text);
    for (int i = 0; i < MODEL_PINS; i++)
        if (strcmp(model_pin(i), text) == 0)
            return i;
    fuzz_fail(__FILE__, __LINE__, "a pin that nobody made");
}

static int account_of(const struct window_state *state, int64_t row)
{
    for (int i = 0; i < MODEL_PINS; i++)
        if (state->accounts[i].row == row)
            return i;
    fuzz_fail(__FILE__, __LINE__, "a row that is no account's");
}

static int image_of(const struct window_state *state, int64_t row)
{
    for (int i = 0; i < MODEL_IMAGES; i++)
        if (state->images[i].row == row)
            return i;
    fuzz_fail(__FILE__, __LINE__, "a row that is no image's");
}

static void read_accounts(sqlite3_stmt *use, const struct model *model, struct window_state *state)
{
    while (step(use)) {
        int pin = pin_of(use);
        const char *mobile = (const char *)sqlite3_column_text(use, 10);
        struct window_account *account = &state->accounts[pin];
        account->row = sqlite3_column_int64(use, 1);
        account->images = sqlite3_column_int64(use, 2);
        account->received = sqlite3_column_int64(use, 3);
        for (int i = 0; i < WINDOW_DIRECTORIES; i++)
            account->times[i] = sqlite3_column_int64(use, 4 + i);
        account->events_end = sqlite3_column_int64(use, 9);
        REQUIRE((mobile == NULL) == (model->mobiles[pin] == NULL));
        REQUIRE(!mobile || strcmp(mobile, model->mobiles[pin]) == 0);
    }
}

static void read_images(sqlite3_stmt *use, struct window_state *state)
{
    while (step(use)) {
        const char *id = (const char *)sqlite3_column_text(use, 0);
        REQUIRE(id && strncmp(id, "img-", 4) == 0 && id[4] >= '0' && id[4] < '0' + MODEL_IMAGES);
        state->images[id[4] - '0'] = (struct window_image){
            .row = sqlite3_column_int64(use, 1),
            .shares = sqlite3_column_int64(use, 2),
            .shares_ns = sqlite3_column_int64(use, 3),
            .added_ns = sqlite3_column_int64(use, 4),
            .changed_ns = sqlite3_column_int64(use, 5),
        };
    }
}

static void read_shares(struct window *window, struct window_state *state)
{
    sqlite3_stmt *use = window->statements[READ_SHARES];

    while (step(use)) {
        int image = image_of(state, sqlite3_column_int64(use, 1));
        struct window_share *share = &state->shares[image][pin_of(use)];
        share->row = sqlite3_column_int64(use, 2);
        share->created_ns = sqlite3_column_int64(use, 3);
        if (share->row > state->last_share)
            state->last_share = share->row;
    }
    use = window->statements[READ_RECIPIENTS];
    while (step(use)) {
        int owner = account_of(state, sqlite3_column_int64(use, 1));
        struct window_recipient *recipient = &state->recipients[owner][pin_of(use)];
        recipient->row = sqlite3_column_int64(use, 2);
        recipient->images = sqlite3_column_int64(use, 3);
        recipient->changed_ns = sqlite3_column_int64(use, 4);
    }
}

/* --- what a change touches --- */

/* Whether PIN sees other entries of OWNER under by-name/ than before. */
static bool are_names_changed(const struct model *before, const struct model *after, int owner,
                              int pin)
{
    uint32_t then = model_seen(before, owner, pin);
    uint32_t now = model_seen(after, owner, pin);

    if (then != now)
        return true;
    for (int i = 0; i < MODEL_IMAGES; i++)
        if ((now >> i & 1) && before->images[i].record.title != after->images[i].record.title)
            return true;
    return false;
}

static bool is_record_same(const struct model_record *one, const struct model_record *other)
{
    return one->owner == other->owner && one->title == other->title &&
           one->status == other->status && one->released == other->released &&
           one->snapshot == other->snapshot && one->description == other->description;
}

void window_touch(struct window_touched *touched, const struct model *before,
                  const struct model *after)
{
    for (int pin = 0; pin < MODEL_PINS; pin++) {
        int *account = touched->accounts[pin];
        account[WINDOW_PRIVATE] += model_owned(before, pin) != model_owned(after, pin);
        account[WINDOW_NAMES] += are_names_changed(before, after, pin, pin);
        account[WINDOW_RECEIVED] += model_received(before, pin) != model_received(after, pin);
        account[WINDOW_OWNERS] += model_owners(before, pin) != model_owners(after, pin);
        account[WINDOW_RECIPIENTS] += model_recipients(before, pin) != model_recipients(after, pin);
        for (int owner = 0; owner < MODEL_PINS; owner++)
            if (owner != pin)
                touched->recipients[owner][pin] += are_names_changed(before, after, owner, pin);
    }
    for (int i = 0; i < MODEL_IMAGES; i++) {
        const struct model_image *one = &before->images[i];
        const struct model_image *other = &after->images[i];
        touched->images[i] += one->shares != other->shares;
        touched->records[i] += one->there && !is_record_same(&one->record, &other->record);
    }
}

uint32_t window_changed(const struct model *before, const struct model *after)
{
    struct window_touched touched = {0};
    uint32_t set = 0;

    window_touch(&touched, before, after);
    for (int i = 0; i < MODEL_IMAGES; i++)
        if (after->images[i].there &&
            (!before->images[i].there || touched.images[i] || touched.records[i]))
            set |= 1U << i;
    return set;
}

/* --- comparing --- */

/* TIME was OLD (0: is new), and was touched TIMES times at NOW. */
static void require_time(int64_t old, int64_t time, int times, int64_t now)
{
    int64_t least = old > 0 && old >= now ? old + 1 : now;

    if (old > 0 && times == 0)
        REQUIRE(time == old);
    else
        REQUIRE(time >= least && time < least + STEPS_NS);
}

static void require_accounts(const struct window_state *old, const struct window_state *state,
                             const struct model *model, const struct window_touched *touched,
                             int64_t now)
{
    for (int pin = 0; pin < MODEL_PINS; pin++) {
        const struct window_account *account = &state->accounts[pin];
        const struct window_account *before = &old->accounts[pin];
        REQUIRE((account->row > 0) == (model->accounts >> pin & 1));
        if (account->row == 0)
            continue;
        REQUIRE(before->row == 0 || before->row == account->row);
        REQUIRE(account->events_end >= before->events_end);
        REQUIRE(account->images == model_count(model_owned(model, pin)));
        REQUIRE(account->received == model_count(model_received(model, pin)));
        for (int i = 0; i < WINDOW_DIRECTORIES; i++)
            require_time(before->times[i], account->times[i], touched->accounts[pin][i], now);
    }
}

static void require_images(const struct window_state *old, const struct window_state *state,
                           const struct model *model, const struct window_touched *touched,
                           int64_t now)
{
    for (int i = 0; i < MODEL_IMAGES; i++) {
        const struct window_image *image = &state->images[i];
        const struct window_image *before = &old->images[i];
        REQUIRE((image->row > 0) == model->images[i].there);
        if (image->row == 0)
            continue;
        REQUIRE(before->row == 0 || before->row == image->row);
        REQUIRE(image->shares == model_count(model->images[i].shares));
        require_time(before->shares_ns, image->shares_ns, touched->images[i], now);
        require_time(before->added_ns, image->added_ns, 0, now);
        require_time(before->changed_ns, image->changed_ns, touched->records[i], now);
    }
}

static void require_shares(const struct window_state *old, const struct window_state *state,
                           const struct model *model, const struct window_touched *touched,
                           int64_t now)
{
    for (int i = 0; i < MODEL_IMAGES; i++) {
        for (int pin = 0; pin < MODEL_PINS; pin++) {
            const struct window_share *share = &state->shares[i][pin];
            const struct window_share *before = &old->shares[i][pin];
            REQUIRE((share->row > 0) == (model->images[i].shares >> pin & 1));
            if (share->row == 0 || share->row == before->row) {
                REQUIRE(share->row == 0 || share->created_ns == before->created_ns);
                continue;
            }
            REQUIRE(share->row > old->last_share); /* or an inode number would come back */
            REQUIRE(share->created_ns == now);
        }
    }
    for (int owner = 0; owner < MODEL_PINS; owner++) {
        for (int pin = 0; pin < MODEL_PINS; pin++) {
            const struct window_recipient *recipient = &state->recipients[owner][pin];
            const struct window_recipient *before = &old->recipients[owner][pin];
            REQUIRE(recipient->row > 0 || before->row == 0);
            REQUIRE(recipient->images ==
                    (owner == pin ? 0 : model_count(model_between(model, owner, pin))));
            if (recipient->row == 0)
                continue;
            REQUIRE(before->row == 0 || before->row == recipient->row);
            require_time(before->changed_ns, recipient->changed_ns, touched->recipients[owner][pin],
                         now);
        }
    }
}

static void require_news(struct window *window, struct window_state *state,
                         const struct window_news *news)
{
    sqlite3_stmt *use = window->statements[READ_FEED];
    uint32_t imported = 0;
    int count = 0;

    REQUIRE(sqlite3_bind_int64(use, 1, state->last_feed) == SQLITE_OK);
    while (step(use)) {
        int64_t kind = sqlite3_column_int64(use, 3);
        int64_t first = sqlite3_column_int64(use, 4);
        int64_t last = sqlite3_column_int64(use, 5);
        REQUIRE(sqlite3_column_int64(use, 1) == state->last_feed + 1);
        state->last_feed++;
        if (news->import) {
            REQUIRE(kind == 3 && sqlite3_column_int64(use, 2) == 0 && first <= last);
            for (int64_t row = first; row <= last; row++)
                imported |= 1U << image_of(state, row);
            continue;
        }
        REQUIRE(count < news->count);
        REQUIRE(kind == (news->changes[count].cancel ? 2 : 1));
        REQUIRE(first == last && image_of(state, first) == news->changes[count].image);
        REQUIRE(pin_of(use) == news->changes[count].pin);
        REQUIRE(sqlite3_column_int64(use, 2) == news->changes[count].writer);
        count++;
    }
    REQUIRE(count == news->count);
    REQUIRE(imported == news->images);
}

void window_require(struct window *window, const struct model *model,
                    const struct window_touched *touched, const struct window_news *news,
                    int64_t now)
{
    const struct window_state *old = &window->state;
    struct window_state state = {.last_share = old->last_share, .last_feed = old->last_feed};

    REQUIRE(sqlite3_exec(window->db, "BEGIN", NULL, NULL, NULL) == SQLITE_OK);
    read_accounts(window->statements[READ_ACCOUNTS], model, &state);
    read_images(window->statements[READ_IMAGES], &state);
    read_shares(window, &state);
    require_news(window, &state, news);
    REQUIRE(sqlite3_exec(window->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK);
    require_accounts(old, &state, model, touched, now);
    require_images(old, &state, model, touched, now);
    require_shares(old, &state, model, touched, now);
    window->state = state;
}
