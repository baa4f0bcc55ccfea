/* Lines to the systemd journal by its native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL). */
#ifndef TSBOX_JOURNAL_H
#define TSBOX_JOURNAL_H
#include "spec.h"

/* Reaches the journal's socket; 0, or -1 with the fault set. */
int journal_open(const struct spec *spec);
/* One line as one entry. `full` is false for a part of a longer one. A journal that is away loses lines. */
void journal_line(const struct spec *spec, bool error, const char *text, size_t n, bool full);
#endif
