#include "history.h"

#include <sys/xattr.h>
#include <time.h>

#include "sys.h"
#include "text.h"

#define KEPT 10
#define LINE_MOST 120

/* The text without its oldest lines, so that `most` are left. */
static const char *last_lines(const char *text, int most) {
  int lines = 0;
  for (const char *p = text; *p; p++) lines += *p == '\n';
  for (; lines > most; lines--) text = strchr(text, '\n') + 1;
  return text;
}

static void field(struct text *t, const char *name, int64_t value) {
  text_str(t, name);
  text_num(t, value);
}

void history_add(int dir, const struct spec *spec, const struct run_end *end) {
  char old[KEPT * LINE_MOST], buf[(KEPT + 1) * LINE_MOST];
  struct timespec now;
  if (dir < 0 || !*spec->history_xattr) return;
  ssize_t n = fgetxattr(dir, spec->history_xattr, old, sizeof old - 1);
  old[n > 0 ? n : 0] = '\0';
  clock_gettime(CLOCK_REALTIME, &now);
  struct text t = text_into(buf, sizeof buf);
  text_str(&t, last_lines(old, KEPT - 1));
  field(&t, "end=", (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000);
  field(&t, " ran=", end->ran_ms);
  field(&t, " exit=", end->exit);
  field(&t, " signal=", end->signal);
  field(&t, " oom=", (int64_t)end->oom_kills);
  text_str(&t, " why=");
  text_str(&t, end->why);
  text_str(&t, "\n");
  /* A directory that has been removed under us has no history to keep. */
  (void)fsetxattr(dir, spec->history_xattr, buf, text_len(&t), 0);
}
