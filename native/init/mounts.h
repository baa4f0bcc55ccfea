/* The mount calls of Linux 5.2 to 5.12, on descriptors: man 2 open_tree, move_mount, fsopen, mount_setattr. */
#ifndef TSBOX_MOUNTS_H
#define TSBOX_MOUNTS_H
#include <stdbool.h>
#include <stdint.h>

#include "spec.h"

/* MOUNT_ATTR_ bits of an op's flags. */
uint64_t mount_attributes(uint32_t op_flags);

/* A detached copy of what is mounted at a path, or at the descriptor `dir` when the path is ''. */
int mount_clone(int dir, const char *path, bool recursive);
/* Adds attributes and sets the propagation (0: leaves it). Never clears: in a user namespace some are locked. */
int mount_change(int mount, uint64_t attributes, uint64_t propagation, bool recursive);
/* Shows the ids of a detached mount as the user namespace maps them. man 2 mount_setattr, "ID-mapped mounts" */
int mount_idmap(int mount, int userns, bool recursive);
/* The same with attributes to clear, where they are not locked. */
int mount_alter(int mount, uint64_t set, uint64_t clear, uint64_t propagation, bool recursive);
/* Attaches a detached mount on the object behind `target` (or a path with target AT_FDCWD). */
int mount_attach(int mount, int target, const char *path);
/* Slides a detached mount beneath the one whose root `target` is; EINVAL before Linux 6.5. */
int mount_attach_beneath(int mount, int target);
/* The id of the mount that an open object is on, as in mountinfo; 0 with errno. */
uint32_t mount_id(int fd);
/* Changes options of the filesystem behind `target`. */
int mount_reconfigure(int target, struct cursor options, uint32_t noptions);

/* A new filesystem, detached; -1 with errno. On failure `option` (may be NULL) points at the refused option or ''. */
int mount_new(const char *fstype, struct cursor options, uint32_t noptions, uint64_t attributes, const char **option);

#endif
