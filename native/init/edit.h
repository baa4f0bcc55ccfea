/* Changes to the mounts of a container that runs. */
#ifndef TSBOX_EDIT_H
#define TSBOX_EDIT_H
#include "spec.h"

/* ESTALE: the mount on the target is not the one that the plan was made from. */
int edit_expect(int root, const struct root_op *op);
/* Takes the topmost mount off the target, with what is mounted below it. */
int edit_unmount(int root, const struct root_op *op);
int edit_remount(int root, const struct root_op *op);
int edit_reconfigure(int root, const struct root_op *op);
/* Puts a detached mount in the place of the one whose root `target` is: without a moment between where the kernel can. */
int mount_swap(int mount, int root, int target, const char *path);

/* The mode: 0, or -1 with the fault set. */
int mounts_main(const struct spec *spec);

#endif
