/* The container's root: man 7 mount_namespaces, man 2 pivot_root, man 2 openat2. */
#ifndef TSBOX_ROOT_H
#define TSBOX_ROOT_H
#include "spec.h"

#define ROOT_OPS_MAX 512
/* One detached mount per op that has a source on the host, -1 for the others. */
struct root_sources {
  int fd[ROOT_OPS_MAX];
  uint32_t n;
  /* The root cannot be pivoted to: said by the ops. */
  bool by_chroot;
  /* What is mounted on the old root and taken away then. */
  uint32_t ndetach;
  struct cursor detach;
  /* User namespaces that mounts are idmapped by: the caller's, one with the container's maps, one with an op's own. */
  int userns, own, other;
  /* root_lock has attached them, below the working directory. */
  bool locked;
};

/*
 * In the parent, with the host's view and privileges: copies the sources. Those that are idmapped by the container's
 * own maps take them from `userns`, or, where that is -1, from the description. 0 or -1 with the fault set.
 */
int root_prepare(const struct spec *spec, int userns, struct root_sources *sources);
void root_release(struct root_sources *sources);

/*
 * In a process between the two, with the host's rights: attaches the sources in a mount namespace of its own, so that the
 * child, whose user namespace is another, gets copies whose flags it cannot take off. man 7 mount_namespaces, "locked"
 */
int root_lock(struct root_sources *sources);

/* In the child: runs the ops. `own_mounts`: the mount namespace was just made. *built is the root for root_enter. */
int root_build(const struct spec *spec, struct root_sources *sources, bool own_mounts, int *built);
/* Makes it the process's root, and lets go of the old one; -1: there is none to enter. */
int root_enter(const struct root_sources *sources, int root);

/*
 * The same for a container that runs, in two parts. In a mount namespace that nobody sees: makes what is to be put
 * there. Then in the container's own, with its root: puts it there, and takes away and changes what the ops say.
 */
int root_make(const struct spec *spec, struct root_sources *sources);
int root_edit(const struct spec *spec, const struct root_sources *sources, int root);

/* An O_PATH descriptor of what `path` is in the root; its parent, with the last component in `name`. */
int root_open(int root, const char *path);
int root_open_parent(int root, const char *path, char *name, size_t size);

/* In a mount namespace just made: leaves the process nothing but an empty, read-only root. */
int root_empty(void);

/* Opens `path` and checks that it is this device; -1 with errno. */
int device_open(const char *path, int flags, char type, unsigned major, unsigned minor);

#endif
