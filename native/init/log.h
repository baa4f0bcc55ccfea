/* The container's output: CRI log lines ("TIME stdout F text"), rotated by size. */
#ifndef TSBOX_LOG_H
#define TSBOX_LOG_H
#include <sys/types.h>

#include "spec.h"

enum log_stream_id { LOG_STDOUT, LOG_STDERR, LOG_STREAMS };

struct log_pipe {
  /* Our end, non-blocking; the container's, kept open so that its next run writes to the same pipe. */
  int read, write;
};

/* Whether there is somebody to read what the container writes. */
bool log_wanted(const struct spec *spec);
/* Opens the log file, or reaches the journal; 0, or -1 with the fault set. */
int log_open(const struct spec *spec);
/* Makes one stream's pipe. */
int log_pipe_make(struct log_pipe *p);
/* Takes over a stream of a running container, where it is a pipe of ours. */
void log_pipe_adopt(struct log_pipe *p, pid_t pid, int fd);
/* Reads what there is, up to `rounds` buffers: a flood must not keep the supervisor from its other duties. */
void log_drain(enum log_stream_id id, struct log_pipe *p, int rounds);
/* Writes out an unfinished last line. */
void log_flush(void);
/* A line of our own on the stderr stream. */
void log_note(const char *text);
#endif
