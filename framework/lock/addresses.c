/* addresses.c - the addresses of hosts, and by which of them others reach one. */
#include "addresses.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "process.h"

static uint8_t bits_of(const uint8_t *mask, size_t size)
{
    unsigned bits = 0;

    for (size_t i = 0; i < size; i++)
        bits += (unsigned)__builtin_popcount(mask[i]);
    return (uint8_t)bits;
}

/* False: not one that another host can be told. */
static bool address_take(const struct ifaddrs *from, struct address *out)
{
    if (!from->ifa_addr || !from->ifa_netmask || !(from->ifa_flags & IFF_UP) ||
        (from->ifa_flags & IFF_LOOPBACK))
        return false;
    memset(out, 0, sizeof(*out));
    snprintf(out->interface, sizeof(out->interface), "%s", from->ifa_name);
    if (from->ifa_addr->sa_family == AF_INET) {
        struct sockaddr_in at, mask;
        memcpy(&at, from->ifa_addr, sizeof(at));
        memcpy(&mask, from->ifa_netmask, sizeof(mask));
        memcpy(out->bytes, &at.sin_addr, sizeof(at.sin_addr));
        out->prefix = bits_of((const uint8_t *)&mask.sin_addr, sizeof(mask.sin_addr));
        return out->bytes[0] != 127 && !(out->bytes[0] == 169 && out->bytes[1] == 254);
    }
    if (from->ifa_addr->sa_family == AF_INET6) {
        struct sockaddr_in6 at, mask;
        memcpy(&at, from->ifa_addr, sizeof(at));
        memcpy(&mask, from->ifa_netmask, sizeof(mask));
        memcpy(out->bytes, &at.sin6_addr, sizeof(at.sin6_addr));
        out->prefix = bits_of(mask.sin6_addr.s6_addr, sizeof(mask.sin6_addr));
        out->is_v6 = 1;
        return !IN6_IS_ADDR_LINKLOCAL(&at.sin6_addr) &&
               !IN6_IS_ADDR_LOOPBACK(&at.sin6_addr);
    }
    return false;
}

/* The network stack: its namespace, in this run of this system.  (Behind the / in boot
 * is the namespace of pids, which has nothing to do with it.) */
static void stack_name(char *text, size_t size, const char *boot)
{
    struct stat st = {0};

    (void)stat("/proc/self/ns/net", &st);
    snprintf(text, size, "%.*s:%llu", (int)strcspn(boot, "/"), boot,
             (unsigned long long)st.st_ino);
}

const char *address_text(const struct address *a, char text[ADDRESS_TEXT_MAX])
{
    if (!inet_ntop(a->is_v6 ? AF_INET6 : AF_INET, a->bytes, text, ADDRESS_TEXT_MAX))
        text[0] = '\0';
    return text;
}

static bool addresses_agree(const struct address *a, const struct address *b,
                            unsigned bits)
{
    if (a->is_v6 != b->is_v6 || memcmp(a->bytes, b->bytes, bits / 8) != 0)
        return false;
    unsigned rest = bits % 8;
    return rest == 0 || (a->bytes[bits / 8] ^ b->bytes[bits / 8]) >> (8 - rest) == 0;
}

/* By name, or by address. */
static bool interface_fits(const struct address *at, const char *wanted)
{
    char text[ADDRESS_TEXT_MAX];
    struct address other = {.is_v6 = strchr(wanted, ':') != NULL};

    if (strcmp(at->interface, wanted) == 0)
        return true;
    return inet_pton(other.is_v6 ? AF_INET6 : AF_INET, wanted, other.bytes) == 1 &&
           strcmp(address_text(at, text), "") != 0 &&
           addresses_agree(at, &other, other.is_v6 ? 128 : 32);
}

/* Those that fit the interface, or those that do not. */
static void addresses_take(const struct ifaddrs *list, const char *interface, bool fit,
                           struct host_addresses *out)
{
    for (const struct ifaddrs *i = list; i && out->n < ADDRESSES_MAX; i = i->ifa_next)
        if (address_take(i, &out->at[out->n]) &&
            interface_fits(&out->at[out->n], interface) == fit)
            out->n++;
    if (out->n < ADDRESSES_MAX)
        memset(&out->at[out->n], 0, sizeof(out->at[out->n]));
}

int addresses_look(const char *interface, struct host_addresses *out, swim_error_t *err)
{
    struct process_id self;
    struct ifaddrs *list = NULL;

    memset(out, 0, sizeof(*out));
    process_self(&self);
    memcpy(out->host, self.host, sizeof(out->host));
    stack_name(out->stack, sizeof(out->stack), self.boot);
    if (getifaddrs(&list) != 0)
        return swim_error_sys(err, errno, "look at the network interfaces of %s",
                              out->host);
    addresses_take(list, interface ? interface : "", true, out);
    addresses_take(list, interface ? interface : "", false, out);
    freeifaddrs(list);
    return SWIM_OK;
}

bool address_is_near(const struct address *at, const struct host_addresses *host)
{
    bool near = false;

    for (uint32_t i = 0; i < host->n; i++)
        near = near || addresses_agree(at, &host->at[i], at->prefix);
    return near;
}

bool address_is_of(const struct address *at, const struct host_addresses *host)
{
    bool is = false;

    for (uint32_t i = 0; i < host->n; i++)
        is = is || addresses_agree(at, &host->at[i], at->is_v6 ? 128 : 32);
    return is;
}

static void choose_for(const struct host_addresses *self,
                       const struct host_addresses *other, bool chosen[ADDRESSES_MAX])
{
    bool useful[ADDRESSES_MAX] = {false}, any_near = false;

    for (uint32_t i = 0; i < self->n; i++) {
        useful[i] = !address_is_of(&self->at[i], other);
        any_near = any_near || (useful[i] && address_is_near(&self->at[i], other));
    }
    for (uint32_t i = 0; i < self->n; i++)
        if (useful[i] && (!any_near || address_is_near(&self->at[i], other)))
            chosen[i] = true;
}

static void keep(const struct host_addresses *self, const bool chosen[ADDRESSES_MAX],
                 struct host_addresses *out)
{
    for (uint32_t i = 0; i < self->n; i++)
        if (chosen[i])
            out->at[out->n++] = self->at[i];
}

/* "eth0 10.0.0.1, ib0 10.1.0.1" */
static void describe(const struct host_addresses *host, char *text, size_t size)
{
    char one[ADDRESS_TEXT_MAX];
    size_t used = 0;

    snprintf(text, size, "no address but its own");
    for (uint32_t i = 0; i < host->n && used + 80 < size; i++)
        used +=
            (size_t)snprintf(text + used, size - used, "%s%s %s", i ? ", " : "",
                             host->at[i].interface, address_text(&host->at[i], one));
}

int addresses_choose(const struct host_addresses *self, const char *interface,
                     const struct host_addresses *others, uint32_t n_others,
                     struct host_addresses *out, swim_error_t *err)
{
    static const struct address loopback = {
        .prefix = 8, .bytes = {127, 0, 0, 1}, .interface = "lo"};
    bool chosen[ADDRESSES_MAX] = {false}, all_here = true;
    bool named = interface && interface[0];
    char has[400];

    *out = *self;
    memset(out->at, 0, sizeof(out->at));
    out->n = 0;
    for (uint32_t i = 0; i < n_others; i++) {
        if (strcmp(self->stack, others[i].stack) == 0)
            continue;
        all_here = false;
        choose_for(self, &others[i], chosen);
    }
    if (all_here && !named) {
        out->at[out->n++] = loopback;
        return SWIM_OK;
    }
    for (uint32_t i = 0; i < self->n && named; i++)
        chosen[i] = interface_fits(&self->at[i], interface);
    keep(self, chosen, out);
    if (out->n > 0)
        return SWIM_OK;
    describe(self, has, sizeof(has));
    if (named)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "use SWIM_INTERFACE=%.60s for the lock server of this "
                              "job: host %s has %s",
                              interface, self->host, has);
    return swim_error_set(
        err, SWIM_ERR_IO,
        "start a lock server for this job: no other host can reach %s, which has %s "
        "(give a server by --redis URL or SWIM_REDIS_URL, see slurm/redis.sbatch)",
        self->host, has);
}
