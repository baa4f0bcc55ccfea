/* Files whose content is in the description: secrets and configs. */
#ifndef TSBOX_FILES_H
#define TSBOX_FILES_H
#include "spec.h"

/*
 * A detached mount of one file in a tmpfs of its own, in a mount namespace of ours that nobody else sees. Owner and mode
 * are meant in the caller's user namespace. -1 with errno.
 */
int file_make(const struct spec *spec, const struct root_op *op);

#endif
