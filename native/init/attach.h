#ifndef TSBOX_ATTACH_H
#define TSBOX_ATTACH_H
#include "spec.h"
/* Mode attach: the container's exit code, 0 when detached by keys; -1 with the fault set. */
int attach_main(const struct spec *spec);
#endif
