/* Host and domain names: man 7 uts_namespaces. */
#ifndef TSBOX_UTS_H
#define TSBOX_UTS_H
#include "spec.h"

/* Sets each name unless it is ''. */
int uts_set(const char *hostname, const char *domainname);
/* The modes uts-read and uts-write: the exit code. */
int uts_read_main(const struct spec *spec);
int uts_write_main(const struct spec *spec);
#endif
