/* The requests of a minute: see the header. */
#include "core/cloud/limiter.h"

#define MINUTE_MS 60000
/* Two clocks agree if their minutes end within this; the service's is told in whole seconds, late.
 */
#define SLACK_MS 2000

static void turn(struct limiter *limiter, int64_t now_ms)
{
    if (now_ms < limiter->ends_ms)
        return;
    limiter->ends_ms += ((now_ms - limiter->ends_ms) / MINUTE_MS + 1) * MINUTE_MS;
    limiter->used = 0;
    limiter->told = false;
    limiter->exhausted = false;
}

/* When the minute ends whose second is SECOND, at the latest. */
static int64_t minute_end(int second, int64_t now_ms)
{
    return now_ms + MINUTE_MS - (int64_t)(second < 60 ? second : 59) * 1000;
}

void limiter_init(struct limiter *limiter, int64_t limit, int second, int64_t now_ms)
{
    *limiter = (struct limiter){.limit = limit, .ends_ms = minute_end(second, now_ms)};
}

int64_t limiter_when(struct limiter *limiter, enum call_priority priority, int64_t now_ms)
{
    turn(limiter, now_ms);
    int64_t most = priority == CALL_BACKGROUND ? (limiter->limit + 1) / 2 : limiter->limit;
    return limiter->exhausted || limiter->used >= most ? limiter->ends_ms : now_ms;
}

void limiter_count(struct limiter *limiter, int64_t now_ms)
{
    turn(limiter, now_ms);
    limiter->used++;
}

void limiter_learn(struct limiter *limiter, int64_t limit, int64_t remaining, int second, bool rate,
                   int64_t now_ms)
{
    bool moved = false;

    turn(limiter, now_ms);
    if (second >= 0) {
        int64_t ends_ms = minute_end(second, now_ms);
        int64_t apart = ends_ms - limiter->ends_ms;
        moved = apart > SLACK_MS || apart < -SLACK_MS;
        if (moved)
            limiter->ends_ms = ends_ms;
    }
    /* Some calls have a smaller limit of their own, which says nothing of the others. */
    if (limit > 0 && (!limiter->told || limit > limiter->limit)) {
        limiter->limit = limit;
        limiter->told = true;
    }
    /* Answers overtake each other: the highest count is the newest, in one minute. */
    int64_t used = limit - remaining;
    if (limit > 0 && limit == limiter->limit && remaining >= 0 && (moved || used > limiter->used))
        limiter->used = used;
    limiter->exhausted |= rate;
}
