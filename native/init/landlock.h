/* What a process allows itself of files, ports and other processes: man 7 landlock. */
#ifndef TSBOX_LANDLOCK_H
#define TSBOX_LANDLOCK_H
#include "spec.h"

#define LANDLOCK_NONE (-2)
/* The description's rules as a ruleset, its paths looked up in the root we are in; LANDLOCK_NONE, or -1 with the fault set. */
int landlock_build(const struct spec *spec);
/* Puts this process under it, for ever; needs no_new_privs or CAP_SYS_ADMIN. Closes the ruleset. */
int landlock_enter(int ruleset);

bool decode_landlock(struct cursor p);
bool decode_landlock_rule(struct cursor p, uint32_t tag);

#endif
