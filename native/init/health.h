/* Health checks: a short-lived child looks, the supervisor judges. */
#ifndef TSBOX_HEALTH_H
#define TSBOX_HEALTH_H
#include <stdbool.h>
#include <stdint.h>

#include "supervisor.h"

enum health_action { HEALTH_GO_ON, HEALTH_RESTART, HEALTH_STOP };

/* Reads the settings in force from the container's label; none means no checks. */
void health_load(struct supervisor *s, int64_t now);
/* What an earlier supervisor of the running container had found out. */
void health_recall(struct supervisor *s);
/* The container's process has begun, or was taken over as `healthy` says. */
void health_begin(struct supervisor *s, int64_t now);
/* The container's process has ended. True when it had ever been healthy in this run. */
bool health_end(struct supervisor *s);
/* When something is next to be done, 0 for never; what to wait for meanwhile, -1 for nothing. */
int64_t health_due(void);
int health_fd(void);
/* Does what is due and hears what there is to hear; says what an unhealthy container wants done to it. */
enum health_action health_act(struct supervisor *s, int64_t now);
#endif
