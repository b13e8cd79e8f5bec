/* The picture of who has what: grouping, and Graphviz' language. */
#include "core/imgshare/graph.h"

#include "tests/unit/support.h"

#include <string.h>

/* Adds an image that the pins (words of TEXT) can use. LIKE has the rest. */
static void add(struct graph *graph, const char *id, const char *text,
                const struct graph_image *like)
{
    CLEANUP_NAMES struct names pins = {0};
    struct graph_image image = *like;
    char words[256] = "";
    char *rest = words;

    (void)snprintf(words, sizeof(words), "%s", text);
    for (char *word = NULL; (word = strsep(&rest, " "));)
        if (*word)
            assert_int_equal(names_add(&pins, word), 0);
    names_sort(&pins);
    image.id = id;
    image.name = image.name ? image.name : "web";
    image.owner = image.owner ? image.owner : "me";
    image.status = image.status ? image.status : "available";
    image.obstacle = image.obstacle ? image.obstacle : "";
    image.refused = image.refused ? image.refused : "";
    image.refused_error = image.refused_error ? image.refused_error : "";
    image.pins = &pins;
    assert_int_equal(graph_add(graph, &image), 0);
}

#define ADD(graph, id, pins, ...) add(graph, id, pins, &(const struct graph_image){__VA_ARGS__})

static char *print(struct graph *graph)
{
    struct buffer out = BUFFER_INIT(1 << 20);

    assert_int_equal(graph_print(graph, "source", &out), 0);
    return out.text;
}

/* How often WORD is in TEXT. */
static int count_of(const char *text, const char *word)
{
    int count = 0;

    for (const char *at = text; (at = strstr(at, word)); at++)
        count++;
    return count;
}

static void images_of_one_set_of_accounts_are_one_node(void **state)
{
    CLEANUP_GRAPH struct graph graph = {0};

    (void)state;
    ADD(&graph, "img-3", "alice bob", .name = "c");
    ADD(&graph, "img-1", "bob alice", .name = "a");
    ADD(&graph, "img-2", "alice", .name = "b");
    CLEANUP_FREE char *text = print(&graph);
    assert_holds(text, "label=\"source: 3 images, 5 shares, 3 accounts\\n");
    assert_holds(text, "label=\"2 images\\na (img-1)\\nc (img-3)\"");
    assert_holds(text, "label=\"b (img-2)\"");
    assert_int_equal(count_of(text, "  owner1 -> images"), 2);
    assert_int_equal(count_of(text, " -> account"), 3);
}

static void what_differs_is_another_node(void **state)
{
    CLEANUP_GRAPH struct graph graph = {0};

    (void)state;
    ADD(&graph, "img-1", "alice", .name = "a");
    ADD(&graph, "img-2", "alice", .name = "a", .owner = "you");
    ADD(&graph, "img-3", "alice", .name = "a", .status = "pending", .obstacle = "EBUSY");
    ADD(&graph, "img-4", "alice", .name = "a", .obstacle = "EDQUOT");
    ADD(&graph, "img-5", "alice", .name = "a", .stale = true);
    ADD(&graph, "img-6", "alice", .name = "a", .everyone = true, .obstacle = "EOPNOTSUPP");
    ADD(&graph, "img-7", "alice", .name = "a", .refused = "bob", .refused_error = "ENXIO");
    ADD(&graph, "img-8", "alice", .name = "a", .obstacle = "EOPNOTSUPP");
    CLEANUP_FREE char *text = print(&graph);
    assert_int_equal(count_of(text, "(img-"), 8);
    assert_int_equal(count_of(text, "images\\n"), 0);
    assert_holds(text, "a (img-3)\\npending\"");
    assert_holds(text, "a (img-4)\\nfull\"");
    assert_holds(text, "a (img-5)\\nnot confirmed lately\"");
    assert_holds(text, "a (img-8)\\ncannot be shared: EOPNOTSUPP\"");
    assert_int_equal(count_of(text, ",dashed"), 1);
    assert_int_equal(count_of(text, "-> everyone"), 1);
    assert_int_equal(count_of(text, "style=dashed label=\"ENXIO\""), 1);
    assert_holds(text, "; dashed: not confirmed lately; red: the last share, which was refused\"");
}

static void a_share_that_was_refused_and_made_since_is_no_refusal(void **state)
{
    CLEANUP_GRAPH struct graph graph = {0};

    (void)state;
    ADD(&graph, "img-1", "alice", .refused = "alice", .refused_error = "EBUSY");
    CLEANUP_FREE char *text = print(&graph);
    assert_int_equal(count_of(text, "EBUSY"), 0);
}

static void accounts_that_can_use_the_same_are_one_node(void **state)
{
    CLEANUP_GRAPH struct graph graph = {0};

    (void)state;
    ADD(&graph, "img-1", "alice bob carol", .name = "a");
    ADD(&graph, "img-2", "carol", .name = "b");
    assert_int_equal(graph_add_account(&graph, "zoe"), 0);
    assert_int_equal(graph_add_account(&graph, "alice"), 0);
    CLEANUP_FREE char *text = print(&graph);
    assert_holds(text, "label=\"2 accounts\\nalice\\nbob\"");
    assert_holds(text, "label=\"carol\"");
    assert_holds(text, "label=\"zoe\\nno image, no share\"");
    assert_int_equal(count_of(text, " -> account"), 3);
}

static void nothing_is_a_graph_too(void **state)
{
    CLEANUP_GRAPH struct graph graph = {0};

    (void)state;
    CLEANUP_FREE char *text = print(&graph);
    assert_holds(text, "source: 0 images, 0 shares, 0 accounts");
    assert_string_equal(text + strlen(text) - 2, "}\n");
}

static void names_cannot_leave_their_quotes(void **state)
{
    CLEANUP_GRAPH struct graph graph = {0};

    (void)state;
    ADD(&graph, "img-1", "a\"]b", .name = "x\"\\\n\x1b");
    CLEANUP_FREE char *text = print(&graph);
    assert_holds(text, "label=\"x\\\"\\\\\\\\x0a\\\\x1b (img-1)\"");
    assert_holds(text, "label=\"a\\\"]b\"");
}

static void a_long_list_of_names_is_cut(void **state)
{
    CLEANUP_GRAPH struct graph graph = {0};

    (void)state;
    for (int i = 9; i >= 0; i--) {
        char id[16];
        (void)snprintf(id, sizeof(id), "img-%d", i);
        ADD(&graph, id, "");
    }
    CLEANUP_FREE char *text = print(&graph);
    assert_holds(text,
                 "label=\"10 images\\nweb (img-0)\\nweb (img-1)\\nweb (img-2)\\nweb (img-3)\\n"
                 "web (img-4)\\n...\"");
}

/* COUNT images of two owners, image N with the accounts N, N+1 and 2N of 100, in the order of STEP. */
static char *many(int count, int step)
{
    CLEANUP_GRAPH struct graph graph = {0};

    for (int i = 0; i < count; i++) {
        int number = i * step % count;
        char id[16];
        char pins[64];
        (void)snprintf(id, sizeof(id), "img-%04d", number);
        (void)snprintf(pins, sizeof(pins), "p%02d p%02d p%02d", number % 100, (number + 1) % 100,
                       number * 2 % 100);
        ADD(&graph, id, pins, .owner = number % 3 ? "me" : "you", .everyone = number % 50 == 0);
    }
    return print(&graph);
}

static void the_order_of_adding_does_not_matter(void **state)
{
    CLEANUP_FREE char *few = many(31, 1);
    CLEANUP_FREE char *few_again = many(31, 7);
    CLEANUP_FREE char *text = many(2000, 1);
    CLEANUP_FREE char *again = many(2000, 7);

    (void)state;
    assert_string_equal(few, few_again);
    assert_string_equal(text, again);
}

static void too_many_nodes_become_numbers(void **state)
{
    CLEANUP_FREE char *text = many(2000, 1);

    (void)state;
    assert_holds(text, "Right: how many images an account can use, and whose");
    assert_int_equal(count_of(text, "shape=ellipse"), 2);
    assert_holds(text, "label=\"me\\n1333 images\\n1333 shared\\n26 open to everyone\"");
    assert_holds(text, "label=\"you\\n667 images\\n667 shared\\n14 open to everyone\"");
    assert_holds(text, "label=\"everyone: 40\"");
    /* 40 accounts of their own, and the others. */
    assert_int_equal(count_of(text, "  account"), GRAPH_ACCOUNTS + 1);
    assert_holds(text, "label=\"60 more accounts: ");
    assert_holds(text, "\\nme ");
}

static void one_account_more_than_fits_needs_no_place_for_others(void **state)
{
    CLEANUP_GRAPH struct graph graph = {0};

    (void)state;
    for (int i = 0; i < GRAPH_ACCOUNTS + 1; i++)
        for (int j = 0; j < 2; j++) {
            char id[16];
            char pins[64];
            (void)snprintf(id, sizeof(id), "img-%02d-%d", i, j);
            (void)snprintf(pins, sizeof(pins), "p%02d p%02d", i,
                           (i + 1 + j) % (GRAPH_ACCOUNTS + 1));
            ADD(&graph, id, pins);
        }
    CLEANUP_FREE char *text = print(&graph);
    assert_int_equal(count_of(text, "  account"), GRAPH_ACCOUNTS + 1);
    assert_int_equal(count_of(text, "more accounts"), 0);
    assert_int_equal(count_of(text, ": 4\""), GRAPH_ACCOUNTS + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(images_of_one_set_of_accounts_are_one_node),
        cmocka_unit_test(what_differs_is_another_node),
        cmocka_unit_test(a_share_that_was_refused_and_made_since_is_no_refusal),
        cmocka_unit_test(accounts_that_can_use_the_same_are_one_node),
        cmocka_unit_test(nothing_is_a_graph_too),
        cmocka_unit_test(names_cannot_leave_their_quotes),
        cmocka_unit_test(a_long_list_of_names_is_cut),
        cmocka_unit_test(the_order_of_adding_does_not_matter),
        cmocka_unit_test(too_many_nodes_become_numbers),
        cmocka_unit_test(one_account_more_than_fits_needs_no_place_for_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
