/* second.c - another step, to tell one from the other. */
#define NAME "second"
#include "step.c"
