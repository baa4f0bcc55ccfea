/* The keys that leave a terminal behind, typed among others: what may begin them is held back until the next. */
#ifndef TSBOX_DETACH_H
#define TSBOX_DETACH_H
#include "spec.h"

struct detach {
  const uint8_t *keys;
  size_t n, held;
};

/* Those of the description; none where nothing is typed on a terminal. */
struct detach detach_keys(const struct spec *spec, bool terminal);
/*
 * Takes one byte and appends to `out` what is to be passed on: of all bytes together never more than those typed and
 * those held before. True when the keys are whole.
 */
bool detach_typed(struct detach *d, char c, char *out, size_t *have);
#endif
