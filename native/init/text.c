#include "text.h"

#include <stdbool.h>
#include <string.h>

struct text text_into(char *buf, size_t size) {
  buf[0] = '\0';
  return (struct text){buf, buf, buf + size - 1};
}

void text_bytes(struct text *t, const char *s, size_t n) {
  size_t room = (size_t)(t->end - t->at);
  if (n > room) n = room;
  memcpy(t->at, s, n);
  t->at += n;
  *t->at = '\0';
}

void text_str(struct text *t, const char *s) { text_bytes(t, s, strlen(s)); }

void text_pad(struct text *t, uint64_t n, int width) {
  char digits[20];
  int at = (int)sizeof digits;
  do {
    digits[--at] = (char)('0' + n % 10);
    n /= 10;
    width--;
  } while ((n > 0 || width > 0) && at > 0);
  text_bytes(t, digits + at, sizeof digits - (size_t)at);
}

void text_num(struct text *t, int64_t n) {
  if (n < 0) text_str(t, "-");
  text_pad(t, n < 0 ? 0 - (uint64_t)n : (uint64_t)n, 1);
}

size_t text_len(const struct text *t) { return (size_t)(t->at - t->start); }

const char *parse_num(const char *s, uint64_t max, uint64_t *out) {
  uint64_t n = 0;
  if (*s < '0' || *s > '9') return NULL;
  for (; *s >= '0' && *s <= '9'; s++) {
    uint64_t digit = (uint64_t)(*s - '0');
    if (n > (max - digit) / 10) return NULL;
    n = n * 10 + digit;
  }
  *out = n;
  return s;
}
