#ifndef TSBOX_OVERLAY_H
#define TSBOX_OVERLAY_H
#include "spec.h"
/* The overlay of a root-overlay op as a detached mount, its lower directories idmapped by `userns` unless that is -1; -1 with the fault set. */
int overlay_prepare(const struct root_op *op, int userns);
#endif
