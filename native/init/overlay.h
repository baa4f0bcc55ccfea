#ifndef TSBOX_OVERLAY_H
#define TSBOX_OVERLAY_H
#include "spec.h"
/*
 * The overlay of an op as a detached mount, its lower directories idmapped by `userns` unless that is -1; -1 with the
 * fault set. That of a root has an upper directory, any other (of two directories or more) none and is read-only.
 */
int overlay_prepare(const struct root_op *op, int userns);
#endif
