#include "uts.h"

#include <sys/ioctl.h>
#include <sys/statfs.h>
#include <sys/utsname.h>

#include "report.h"
#include "sys.h"
#include "text.h"

int uts_set(const char *hostname, const char *domainname) {
  if (*hostname && sethostname(hostname, strlen(hostname)) < 0) return fail("hostname", hostname);
  if (*domainname && setdomainname(domainname, strlen(domainname)) < 0) return fail("domainname", domainname);
  return 0;
}

static int enter(const char *path) {
  struct statfs fs;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return -1;
  int result = -1;
  if (fstatfs(fd, &fs) == 0) {
    errno = EINVAL;
    if (fs.f_type == NSFS_MAGIC_ && ioctl(fd, NS_GET_NSTYPE_) == CLONE_NEWUTS) result = setns(fd, CLONE_NEWUTS);
  }
  int err = errno;
  close(fd);
  errno = err;
  return result;
}

int uts_read_main(const struct spec *spec) {
  struct cursor records = spec_records(spec);
  for (const char *path; (path = spec_next_str(&records, REC_PATH));) {
    struct utsname names;
    char line[2 * sizeof names.nodename + 4];
    struct text t = text_into(line, sizeof line);
    if (enter(path) < 0 || uname(&names) < 0) {
      text_str(&t, "!");
      text_num(&t, errno);
    } else {
      text_str(&t, names.nodename);
      text_str(&t, "\t");
      text_str(&t, names.domainname);
    }
    text_str(&t, "\n");
    report_text(line);
  }
  report_close();
  return 0;
}

int uts_write_main(const struct spec *spec) {
  struct cursor records = spec_records(spec);
  const char *path = spec_next_str(&records, REC_PATH);
  if (!path) return fail_with(EINVAL, "spec", "path");
  if (enter(path) < 0) return fail("join", path);
  if (spec->set_hostname && sethostname(spec->hostname, strlen(spec->hostname)) < 0) return fail("hostname", spec->hostname);
  if (spec->set_domainname && setdomainname(spec->domainname, strlen(spec->domainname)) < 0)
    return fail("domainname", spec->domainname);
  report_ok(0, "", false);
  return 0;
}
