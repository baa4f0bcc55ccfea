#ifndef TSBOX_NET_H
#define TSBOX_NET_H
/* Brings lo up in the caller's network namespace, where it starts down: man 7 netdevice. */
int net_loopback_up(void);
#endif
