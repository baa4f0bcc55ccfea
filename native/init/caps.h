/* Capabilities and identity: man 7 capabilities, man 2 capset. */
#ifndef TSBOX_CAPS_H
#define TSBOX_CAPS_H
#include "spec.h"

#define CAP_SYS_ADMIN_ 21

/* Drops from the bounding set what is not in the mask. */
int caps_bound(uint64_t bounding);
/* The other four sets, after the change of identity. */
int caps_set(const struct capability_sets *sets);
/* Supplementary groups, group and user, keeping permitted capabilities for caps_set to cut down. */
int caps_identity(uint32_t uid, uint32_t gid, const uint32_t *groups, uint32_t ngroups);
#endif
