/* scripts.c - the Lua scripts, put in at build time. */
#include "lock_private.h"

#include "scripts.h"
