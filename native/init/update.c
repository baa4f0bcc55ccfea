#include "update.h"

#include "report.h"
#include "sys.h"

/* memfd_create(2); F_ADD_SEALS of fcntl(2). */
#define MFD_CLOEXEC_ 1u
#define MFD_ALLOW_SEALING_ 2u
#define ADD_SEALS 1033
#define ALL_SEALS 0xf

int update_open(void) {
  int fd = (int)syscall(SYS_memfd_create, "tsbox-spec", MFD_CLOEXEC_ | MFD_ALLOW_SEALING_);
  if (fd < 0) return fail("spec", "memfd");
  if (fd == SPEC_FD) return 0;
  int result = dup2(fd, SPEC_FD) < 0 || fcntl(SPEC_FD, F_SETFD, FD_CLOEXEC) < 0 ? fail("spec", "memfd") : 0;
  close(fd);
  return result;
}

void update_take(struct supervisor *s) {
  struct stat st;
  struct spec next;
  struct fault before = fault;
  if (fstat(SPEC_FD, &st) < 0 || st.st_size == 0 || fcntl(SPEC_FD, ADD_SEALS, ALL_SEALS) < 0) return;
  int copy = fcntl(SPEC_FD, F_DUPFD_CLOEXEC, 10);
  if (copy < 0) return;
  if (spec_load(copy, &next) == 0) {
    if (next.mode == MODE_SUPERVISE && strcmp(next.label_dir, s->spec->label_dir) == 0) {
      /* Namespaces were opened at the start and stay; their paths are only for messages. */
      for (int i = 0; i < s->joined.n; i++) s->joined.item[i].path = ns_names[s->joined.item[i].type];
      spec_unload(s->spec);
      *s->spec = next;
      (void)update_open();
    } else spec_unload(&next);
  }
  fault = before;
}
