/* addresses.h - the addresses of hosts, and by which of them others reach one. */
#ifndef SWIM_LOCK_ADDRESSES_H
#define SWIM_LOCK_ADDRESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <h5swim/error.h>

#define ADDRESSES_MAX 16
#define ADDRESS_TEXT_MAX 46

struct address {
    uint8_t is_v6;
    uint8_t prefix; /* bits that its network has in common */
    uint8_t bytes[16];
    char interface[16];
};

/* Plain memory: hosts tell each other. */
struct host_addresses {
    char host[64];
    char stack[80]; /* equal: the same network stack, where all addresses are shared */
    uint32_t n;
    struct address at[ADDRESSES_MAX]; /* neither loopback nor of one link alone */
};

/* Those of this host; of more than there is room for those of the interface (a name or
 * an address; NULL or "": none) come first.  SWIM_ERR_IO: they cannot be read. */
int addresses_look(const char *interface, struct host_addresses *out,
                   swim_error_t *err);

/* As people write it. */
const char *address_text(const struct address *address, char text[ADDRESS_TEXT_MAX]);

/* Both are in the network of at. */
bool address_is_near(const struct address *at, const struct host_addresses *host);
bool address_is_of(const struct address *at, const struct host_addresses *host);

/* Where a server on host self listens for the n others, into out (its n and at):
 *
 *   all others share its network stack: 127.0.0.1;
 *   for each other host, the addresses in a network that it is in too, else all that
 *   it might reach over a router.  An address that both have, as those of bridges for
 *   containers, leads to neither from the other.
 *
 * interface: none but this one, by its name or an address; NULL or "": as above.
 * SWIM_ERR_ARG: there is no such interface, or no address. */
int addresses_choose(const struct host_addresses *self, const char *interface,
                     const struct host_addresses *others, uint32_t n_others,
                     struct host_addresses *out, swim_error_t *err);

#endif /* SWIM_LOCK_ADDRESSES_H */
