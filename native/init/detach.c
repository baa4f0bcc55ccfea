#include "detach.h"

#include <string.h>

struct detach detach_keys(const struct spec *spec, bool terminal) {
  return (struct detach){spec->detach_keys, terminal ? spec->detach_n : 0, 0};
}

bool detach_typed(struct detach *d, char c, char *out, size_t *have) {
  while (d->held > 0 && (uint8_t)c != d->keys[d->held]) {
    /* Not these: the first key held was meant as itself, and so are others until the rest is a beginning again. */
    size_t begun = d->held - 1;
    while (begun > 0 && memcmp(d->keys, d->keys + d->held - begun, begun) != 0) begun--;
    memcpy(out + *have, d->keys, d->held - begun);
    *have += d->held - begun;
    d->held = begun;
  }
  if (d->n > 0 && (uint8_t)c == d->keys[d->held]) return ++d->held == d->n;
  out[(*have)++] = c;
  return false;
}
