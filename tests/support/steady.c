/* See steady.h. */
#include "steady.h"

struct env *env;

int steady_begin(void **state)
{
	(void)state;
	env = env_fixed_new(STEADY_NOW * 1000000000, 1000, 7);
	return 0;
}

int steady_end(void **state)
{
	(void)state;
	env_fixed_free(env);
	return 0;
}
