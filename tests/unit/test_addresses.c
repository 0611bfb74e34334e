/* test_addresses.c - by which addresses hosts reach a server on one of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "lock/addresses.h"

/* "eth0 10.0.0.1/24, ..." */
static struct host_addresses host_of(const char *name, const char *list)
{
    struct host_addresses host = {.n = 0};
    char text[64], interface[16];
    unsigned prefix;
    int used = 0;

    snprintf(host.host, sizeof(host.host), "%s", name);
    snprintf(host.stack, sizeof(host.stack), "stack of %s", name);
    while (sscanf(list, " %15s %63[0-9a-f.:]/%u%n", interface, text, &prefix, &used) ==
           3) {
        struct address *at = &host.at[host.n++];
        at->is_v6 = strchr(text, ':') != NULL;
        at->prefix = (uint8_t)prefix;
        snprintf(at->interface, sizeof(at->interface), "%s", interface);
        assert_int_equal(inet_pton(at->is_v6 ? AF_INET6 : AF_INET, text, at->bytes), 1);
        list += used;
        list += strspn(list, ",");
    }
    return host;
}

static int choose(const char *self, const char *interface, const char *const *others,
                  uint32_t n, char *text, size_t size)
{
    struct host_addresses list[4], me = host_of("h0", self), chosen;
    char one[ADDRESS_TEXT_MAX];
    swim_error_t err = {0};

    for (uint32_t i = 0; i < n; i++) {
        snprintf(one, sizeof(one), "h%u", i + 1);
        list[i] = host_of(one, others[i]);
    }
    text[0] = '\0';
    int rc = addresses_choose(&me, interface, list, n, &chosen, &err);
    for (uint32_t i = 0; i < chosen.n; i++) {
        size_t used = strlen(text);
        snprintf(text + used, size - used, "%s%s", i ? " " : "",
                 address_text(&chosen.at[i], one));
    }
    if (rc != SWIM_OK)
        snprintf(text, size, "%s", err.text);
    return rc;
}

/* h0 has self, one other host has other: h0's server listens at these. */
static void chosen_are(const char *self, const char *other, const char *these)
{
    char text[640];

    assert_int_equal(choose(self, NULL, &other, 1, text, sizeof(text)), SWIM_OK);
    assert_string_equal(text, these);
}

static void the_network_that_both_are_in_is_taken(void **state)
{
    (void)state;
    chosen_are("eth0 10.0.0.1/24, eth1 192.168.1.1/24", "eth0 10.0.0.2/24", "10.0.0.1");
    chosen_are("eth0 10.0.0.1/24, ib0 10.1.0.1/16", "a 10.1.9.9/16, b 10.0.0.2/24",
               "10.0.0.1 10.1.0.1");
    chosen_are("eth0 10.0.1.1/23, eth1 10.0.3.1/23", "eth0 10.0.0.2/23", "10.0.1.1");
    chosen_are("eth0 10.0.0.1/24, eth0 2001:db8:1::1/64", "eth0 2001:db8:1::2/64",
               "2001:db8:1::1");
}

static void an_address_that_both_have_leads_nowhere(void **state)
{
    (void)state;
    chosen_are("docker0 172.17.0.1/16, eth0 10.0.0.1/24",
               "docker0 172.17.0.1/16, eth0 10.0.0.2/24", "10.0.0.1");
    chosen_are("docker0 172.17.0.1/16, eth0 10.0.0.1/24",
               "docker0 172.17.0.1/16, eth0 10.0.9.2/24", "10.0.0.1");
}

static void over_a_router_all_may_lead_there(void **state)
{
    (void)state;
    chosen_are("eth0 10.0.0.1/24, eth1 10.0.1.1/24", "eth0 10.0.2.1/24",
               "10.0.0.1 10.0.1.1");
    chosen_are("eth0 10.0.0.1/32", "eth0 10.0.0.2/32", "10.0.0.1");
}

static void each_host_has_its_own_way(void **state)
{
    const char *const others[] = {"eth0 10.0.0.2/24", "ib0 10.1.0.3/24"};
    char text[640];

    (void)state;
    assert_int_equal(choose("eth0 10.0.0.1/24, ib0 10.1.0.1/24, x 10.2.0.1/24", NULL,
                            others, 2, text, sizeof(text)),
                     SWIM_OK);
    assert_string_equal(text, "10.0.0.1 10.1.0.1");
}

static void an_interface_or_an_address_can_be_named(void **state)
{
    static const char self[] =
        "eth0 10.0.0.1/24, eth1 10.1.0.1/24, eth1 2001:db8::1/64";
    const char *const other = "eth0 10.0.0.2/24";
    char text[640];

    (void)state;
    assert_int_equal(choose(self, "eth1", &other, 1, text, sizeof(text)), SWIM_OK);
    assert_string_equal(text, "10.1.0.1 2001:db8::1");
    assert_int_equal(choose(self, "10.1.0.1", &other, 1, text, sizeof(text)), SWIM_OK);
    assert_string_equal(text, "10.1.0.1");
    assert_int_equal(choose(self, "2001:db8:0::1", &other, 1, text, sizeof(text)),
                     SWIM_OK);
    assert_string_equal(text, "2001:db8::1");
    assert_int_equal(choose(self, "", &other, 1, text, sizeof(text)), SWIM_OK);
    assert_string_equal(text, "10.0.0.1");
    assert_int_equal(choose(self, "eth", &other, 1, text, sizeof(text)), SWIM_ERR_ARG);
    assert_non_null(strstr(text, "eth1 10.1.0.1"));
}

static void hosts_that_share_a_network_stack_need_no_network(void **state)
{
    struct host_addresses self = host_of("h0", "eth0 10.0.0.1/24"), other = self,
                          chosen;
    char text[ADDRESS_TEXT_MAX];

    (void)state;
    snprintf(other.host, sizeof(other.host), "h1");
    assert_int_equal(addresses_choose(&self, NULL, &other, 1, &chosen, NULL), SWIM_OK);
    assert_int_equal(chosen.n, 1);
    assert_string_equal(address_text(&chosen.at[0], text), "127.0.0.1");
}

static void a_host_without_an_address_cannot_be_reached(void **state)
{
    const char *const other = "eth0 10.0.0.2/24", *const same = "br0 172.17.0.1/16";
    char text[640];

    (void)state;
    assert_int_equal(choose("", NULL, &other, 1, text, sizeof(text)), SWIM_ERR_IO);
    assert_int_equal(choose(same, NULL, &same, 1, text, sizeof(text)), SWIM_ERR_IO);
    assert_non_null(strstr(text, "SWIM_REDIS_URL"));
}

static void this_host_has_a_name_and_a_stack(void **state)
{
    struct host_addresses a, b;

    (void)state;
    assert_int_equal(addresses_look(NULL, &a, NULL), SWIM_OK);
    assert_int_equal(addresses_look(NULL, &b, NULL), SWIM_OK);
    assert_true(a.host[0] && strchr(a.stack, ':'));
    assert_string_equal(a.stack, b.stack);
    for (uint32_t i = 0; i < a.n; i++) {
        assert_true(address_is_of(&a.at[i], &b) && address_is_near(&a.at[i], &b));
        assert_string_not_equal(a.at[i].interface, "lo");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_network_that_both_are_in_is_taken),
        cmocka_unit_test(an_address_that_both_have_leads_nowhere),
        cmocka_unit_test(over_a_router_all_may_lead_there),
        cmocka_unit_test(each_host_has_its_own_way),
        cmocka_unit_test(an_interface_or_an_address_can_be_named),
        cmocka_unit_test(hosts_that_share_a_network_stack_need_no_network),
        cmocka_unit_test(a_host_without_an_address_cannot_be_reached),
        cmocka_unit_test(this_host_has_a_name_and_a_stack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
