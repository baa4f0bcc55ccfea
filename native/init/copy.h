#ifndef TSBOX_COPY_H
#define TSBOX_COPY_H

/*
 * Copies what is in a directory into another one: directories, files and links, with owner and mode; devices, sockets and
 * pipes are left out. Both are descriptors that stay the caller's. -1 with errno: ELOOP for more than 64 levels.
 */
int copy_tree(int from, int to);

#endif
