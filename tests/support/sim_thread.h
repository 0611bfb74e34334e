/* sim_thread.h - a thread that takes turns with the program, as the dice want it.
 *
 * One of the two runs at a time: at each call of the simulated disk the program lets
 * the thread make some of its own, so that they come between each other in ways that a
 * seed repeats. */
#ifndef SWIM_SUPPORT_SIM_THREAD_H
#define SWIM_SUPPORT_SIM_THREAD_H

#include <pthread.h>

/* Of what comes from now on. */
void sim_thread_seed(unsigned seed);

/* As swim_io has them; now and then there is no thread to be had. */
int sim_thread_start(pthread_t *thread, void *(*fn)(void *), void *arg);
int sim_thread_join(pthread_t thread);

/* A call begins. */
void sim_thread_turn(void);

#endif /* SWIM_SUPPORT_SIM_THREAD_H */
