/* Identity maps of a created user namespace: man 7 user_namespaces. */
#ifndef TSBOX_IDMAP_H
#define TSBOX_IDMAP_H
#include <sys/types.h>

#include "spec.h"

/* Written by the parent: the maps of `pid`'s user namespace can be written once, from its parent namespace. */
int idmap_write(pid_t pid, const struct spec *spec);
/* A user namespace that is there only for its maps, to show mounts by; a descriptor, or -1 with the fault set. */
int idmap_namespace(const char *uid_map, const char *gid_map);
/* In the child: become id 0 of the namespace, so that what it creates in its own filesystems has a valid owner. */
int idmap_become_root(void);
/* The host's id for `id` in the user namespace of `pid`; -1 when unmapped. `map` is "uid_map" or "gid_map". */
int64_t idmap_to_host(pid_t pid, const char *map, uint32_t id);

#endif
