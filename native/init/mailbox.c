#include "mailbox.h"

#include "report.h"
#include "sys.h"

/*
 * A description says what root will run: only a file that root alone can have written is one. Whoever may make such a
 * file in the run directory can do anything anyway; whoever can only signal us (any process of ours without a pid
 * namespace) cannot make one.
 */
static int open_mail(const char *path) {
  struct stat st;
  int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd < 0) return -1;
  if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == 0 && (st.st_mode & 022) == 0 && st.st_nlink == 1) return fd;
  close(fd);
  return -1;
}

void mailbox_take(struct supervisor *s) {
  struct spec new;
  struct fault before = fault;
  int fd = *s->spec->mailbox ? open_mail(s->spec->mailbox) : -1;
  if (fd < 0) return;
  if (spec_load(fd, &new) == 0) {
    if (new.mode == MODE_SUPERVISE && strcmp(new.label_dir, s->spec->label_dir) == 0 && strcmp(new.mailbox, s->spec->mailbox) == 0) {
      /* Namespaces were opened at the start and stay; their paths are only for messages. */
      for (int i = 0; i < s->joined.n; i++) s->joined.item[i].path = ns_names[s->joined.item[i].type];
      spec_unload(s->spec);
      *s->spec = new;
      (void)unlink(s->spec->mailbox);
    } else spec_unload(&new);
  }
  fault = before;
}
