/* Text into fixed buffers: printf(3) would bring the locale machinery, and its memory, into every supervisor. */
#ifndef TSBOX_TEXT_H
#define TSBOX_TEXT_H
#include <stddef.h>
#include <stdint.h>

/* Appends stop at the buffer's end; the text is always NUL-terminated. */
struct text {
  char *start, *at, *end;
};

struct text text_into(char *buf, size_t size);
void text_bytes(struct text *t, const char *s, size_t n);
void text_str(struct text *t, const char *s);
void text_num(struct text *t, int64_t n);
/* Decimal, padded with zeros to `width` digits. */
void text_pad(struct text *t, uint64_t n, int width);
size_t text_len(const struct text *t);

/* Reads digits; returns the first byte after them, NULL when there are none or the value passes `max`. */
const char *parse_num(const char *s, uint64_t max, uint64_t *out);

#endif
