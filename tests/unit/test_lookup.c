/* test_lookup.c - names of hosts, with name servers that do not answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <h5swim/error.h>

#include "core/clock.h"
#include "lock/redis_lookup.h"

static sem_t may_answer, has_answered;

static struct redis_wait within_ms(int64_t ms)
{
    return (struct redis_wait){.until_ns = swim_clock_mono_ns() + ms * 1000000};
}

/* A name server that answers when it is allowed to. */
static int silent(const char *host, const char *port, const struct addrinfo *hints,
                  struct addrinfo **list)
{
    (void)host;
    if (hints->ai_flags & AI_NUMERICHOST)
        return EAI_NONAME;
    sem_wait(&may_answer);
    int rc = getaddrinfo("127.0.0.9", port, hints, list);
    sem_post(&has_answered);
    return rc;
}

static int setup(void **state)
{
    (void)state;
    return sem_init(&may_answer, 0, 0) || sem_init(&has_answered, 0, 0);
}

static void numbers_need_no_name_server(void **state)
{
    const struct redis_wait none = {0}; /* any wait would be over */
    struct addrinfo *list = NULL;
    const char *why = NULL;

    (void)state;
    assert_int_equal(redis_lookup("::1", "7", getaddrinfo, &none, &list, &why),
                     SWIM_OK);
    assert_int_equal(list->ai_family, AF_INET6);
    freeaddrinfo(list);
}

static void a_name_has_addresses(void **state)
{
    const struct redis_wait wait = within_ms(20000);
    struct addrinfo *list = NULL;
    const char *why = NULL;

    (void)state;
    assert_int_equal(redis_lookup("localhost", "7", getaddrinfo, &wait, &list, &why),
                     SWIM_OK);
    assert_non_null(list);
    freeaddrinfo(list);
}

static void an_unknown_name_is_said(void **state)
{
    const struct redis_wait wait = within_ms(60000);
    struct addrinfo *list = NULL;
    const char *why = NULL;

    (void)state;
    assert_int_equal(redis_lookup("no such host", "7", getaddrinfo, &wait, &list, &why),
                     SWIM_ERR_IO);
    assert_null(list);
    assert_non_null(why);
}

static void a_silent_name_server_is_left_alone(void **state)
{
    const struct redis_wait wait = within_ms(50);
    struct addrinfo *list = NULL;
    const char *why = NULL;

    (void)state;
    assert_int_equal(redis_lookup("host", "7", silent, &wait, &list, &why),
                     SWIM_ERR_IO);
    assert_non_null(strstr(why, "in time"));
    assert_null(list);
    /* What it says later is forgotten. */
    sem_post(&may_answer);
    sem_wait(&has_answered);
}

static void waiting_for_a_name_can_be_ended(void **state)
{
    int fd = eventfd(1, EFD_CLOEXEC);
    struct redis_wait wait = within_ms(60000);
    struct addrinfo *list = NULL;
    const char *why = NULL;

    (void)state;
    wait.fds = &fd;
    wait.fds_count = 1;
    assert_int_equal(redis_lookup("host", "7", silent, &wait, &list, &why),
                     SWIM_ERR_CANCELLED);
    close(fd);
    sem_post(&may_answer);
    sem_wait(&has_answered);
}

static void an_answer_that_comes_in_time_is_taken(void **state)
{
    const struct redis_wait wait = within_ms(60000);
    struct addrinfo *list = NULL;
    const char *why = NULL;
    char text[64];

    (void)state;
    sem_post(&may_answer);
    assert_int_equal(redis_lookup("host", "80", silent, &wait, &list, &why), SWIM_OK);
    sem_wait(&has_answered);
    assert_int_equal(list->ai_family, AF_INET);
    const struct sockaddr_in *in = (const struct sockaddr_in *)(void *)list->ai_addr;
    assert_int_equal(ntohs(in->sin_port), 80);
    assert_string_equal(inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text)),
                        "127.0.0.9");
    freeaddrinfo(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(numbers_need_no_name_server, setup),
        cmocka_unit_test_setup(a_name_has_addresses, setup),
        cmocka_unit_test_setup(an_unknown_name_is_said, setup),
        cmocka_unit_test_setup(a_silent_name_server_is_left_alone, setup),
        cmocka_unit_test_setup(waiting_for_a_name_can_be_ended, setup),
        cmocka_unit_test_setup(an_answer_that_comes_in_time_is_taken, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
