/* procfs: start times, and writes that are sure to reach a real procfs. */
#ifndef TSBOX_PROC_H
#define TSBOX_PROC_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Field 22 of /proc/PID/stat as text, '' when there is no such process; 0 or -1 with errno. */
int proc_start_time(pid_t pid, char *out, size_t size);

/* How long ago that was, ms. */
int64_t proc_age_ms(const char *start_time);

/* The wait status of a process that has ended and not been reaped yet, if it is the one that started then. */
bool proc_zombie_status(pid_t pid, const char *start, int *status);

/*
 * True when the kernel would drop this signal: the process is the first of a pid namespace and neither catches nor
 * blocks it (man 7 pid_namespaces). Waiting for an answer to it would be in vain.
 */
bool proc_drops_signal(pid_t pid, int signal);
/* Opens /proc/WHO/name (pid 0: self) and checks that it lies on procfs. */
int proc_open(pid_t pid, const char *name, int flags);
/* One write(2) of the whole text to /proc/WHO/name; the fault's step is `step`. */
int proc_write(pid_t pid, const char *name, const char *data, const char *step);

/* write(2) of all of it to an existing file; 0 or -1 with errno. */
int file_write(const char *path, const char *data, size_t size);

#endif
