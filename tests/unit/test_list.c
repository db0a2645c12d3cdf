/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "base/list.h"
#include "cases.h"
#include <stdlib.h>
#include <string.h>

struct item {
    int value;
    struct list_node node;
};

/* The list must hold exactly `count` values, forwards and backwards. */
static void expect_list(struct list_node *head, const int *values, size_t count)
{
    struct list_node *node = head->next;

    for (size_t i = 0; i < count; i++, node = node->next) {
        cr_assert_neq(node, head, "list ends after %zu of %zu", i, count);
        cr_assert_eq(list_entry(node, struct item, node)->value, values[i]);
    }
    cr_assert_eq(node, head);
    node = head->prev;
    for (size_t i = count; i > 0; i--, node = node->prev) {
        cr_assert_neq(node, head);
        cr_assert_eq(list_entry(node, struct item, node)->value, values[i - 1]);
    }
    cr_assert_eq(node, head);
    cr_assert_eq(list_empty(head), count == 0);
}

CASE(list, starts_empty)
{
    struct list_node head;

    list_init(&head);
    cr_assert(list_empty(&head));
    expect_list(&head, NULL, 0);
}

CASE(list, insert_at_both_ends_and_between)
{
    struct list_node head;
    struct item a = {.value = 1}, b = {.value = 2}, c = {.value = 3};

    list_init(&head);
    list_insert_before(&head, &b.node);
    list_insert_before(head.next, &a.node);
    list_insert_before(&head, &c.node);
    expect_list(&head, (const int[]){1, 2, 3}, 3);
}

CASE(list, removing_twice_is_harmless)
{
    struct list_node head;
    struct item a = {.value = 1}, b = {.value = 2};

    list_init(&head);
    list_insert_before(&head, &a.node);
    list_insert_before(&head, &b.node);
    list_remove(&a.node);
    cr_assert(list_empty(&a.node));
    list_remove(&a.node);
    expect_list(&head, (const int[]){2}, 1);
    list_remove(&b.node);
    cr_assert(list_empty(&head));
}

#define MODEL_ITEMS 24

CASE(list, random_operations_against_an_array)
{
    struct item items[MODEL_ITEMS];
    int model[MODEL_ITEMS];
    size_t count = 0;
    struct list_node head;

    srand(2);
    list_init(&head);
    for (int i = 0; i < MODEL_ITEMS; i++) {
        items[i].value = i;
        list_init(&items[i].node);
    }
    for (int step = 0; step < 5000; step++) {
        int pick = rand() % MODEL_ITEMS;
        size_t at = 0;
        while (at < count && model[at] != pick)
            at++;
        if (at < count) {
            list_remove(&items[pick].node);
            memmove(model + at, model + at + 1, (count - at - 1) * sizeof(model[0]));
            count--;
        } else {
            size_t pos = (size_t)rand() % (count + 1);
            struct list_node *before = pos == count ? &head : &items[model[pos]].node;
            list_insert_before(before, &items[pick].node);
            memmove(model + pos + 1, model + pos, (count - pos) * sizeof(model[0]));
            model[pos] = pick;
            count++;
        }
        expect_list(&head, model, count);
    }
}

CASES_RUN(list, NULL, NULL)
