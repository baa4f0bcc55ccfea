#ifndef TSBOX_EXEC_H
#define TSBOX_EXEC_H
#include "spec.h"
/* Mode exec: the process's exit code, 128 + signal for a signal; -1 with the fault set when it could not be run. */
int exec_main(const struct spec *spec);
#endif
