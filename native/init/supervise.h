/* The supervisor: one per container; starts or adopts it, keeps its log and its state, restarts and stops it. */
#ifndef TSBOX_SUPERVISE_H
#define TSBOX_SUPERVISE_H
#include "spec.h"
/* The exit code; or -1 with the fault set when the container could not be started (reported by the caller). */
int supervise_main(struct spec *spec);
/* What ps shows of this process: `text` and `more`. */
void set_title(const char *text, const char *more);
#endif
