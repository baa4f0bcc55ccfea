#ifndef TSBOX_REAPER_H
#define TSBOX_REAPER_H
/* As a container's first process: runs argv, passes signals on to it, reaps what is orphaned, ends as it ends. */
int reaper_main(char **argv, char **env);
#endif
