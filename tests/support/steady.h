/* The one fixed environment of a program of tests, and cmocka's set-up of its group. */
#ifndef BALE_TESTS_STEADY_H
#define BALE_TESTS_STEADY_H

#include "base/env.h"

#define STEADY_NOW INT64_C(1800000000) /* s: 2027-01-15T08:00:00Z; it moves on by 1 us */

extern struct env *env;

int steady_begin(void **state);
int steady_end(void **state);

#endif
