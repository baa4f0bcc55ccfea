#include "log.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>

#include "journal.h"
#include "proc.h"
#include "report.h"
#include "sys.h"
#include "terminal.h"
#include "text.h"

/* A longer line is written in parts, tagged P until its last, F. */
#define LINE_MAX_ 4096

static int log_fd = -1;
static struct {
  const struct spec *spec;
  uint64_t size;
  struct {
    size_t n;
    bool partial;
    char buf[LINE_MAX_];
  } stream[LOG_STREAMS];
  /* Finished lines on their way out: one write(2) for many. */
  size_t out_n;
  char out[2 * LINE_MAX_];
} logger;

static int open_file(const char *path) {
  return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0640);
}

bool log_wanted(const struct spec *spec) { return *spec->log_path || spec->keep_output; }

int log_open(const struct spec *spec) {
  struct stat st;
  logger.spec = spec;
  if (*spec->journal) return journal_open(spec);
  if (!*spec->log_path) return 0;
  /* Room for the rotated names. */
  if (strlen(spec->log_path) > 4000) return fail_with(ENAMETOOLONG, "log", spec->log_path);
  int fd = open_file(spec->log_path);
  if (fd < 0) return fail("log", spec->log_path);
  if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
    close(fd);
    return fail_with(EINVAL, "log", spec->log_path);
  }
  log_fd = fd;
  logger.size = (uint64_t)st.st_size;
  return 0;
}

static void numbered(char *buf, size_t size, uint32_t n) {
  struct text t = text_into(buf, size);
  text_str(&t, logger.spec->log_path);
  if (n > 0) text_str(&t, "."), text_num(&t, n);
}

/* The directory may have been deleted under us; its parents' makers are not ours to replace, so one level. */
static int reopen(const char *path) {
  int fd = open_file(path);
  if (fd >= 0 || errno != ENOENT) return fd;
  char dir[4096];
  const char *slash = strrchr(path, '/');
  if (!slash || slash == path || (size_t)(slash - path) >= sizeof dir) return -1;
  struct text t = text_into(dir, sizeof dir);
  text_bytes(&t, path, (size_t)(slash - path));
  return mkdir(dir, 0750) < 0 ? -1 : open_file(path);
}

/* FILE becomes FILE.1 and so on; `files` counts them all, FILE included. */
static void rotate(void) {
  char from[4096], to[4096];
  uint32_t files = logger.spec->log_files;
  for (uint32_t n = files > 1 ? files - 1 : 0; n > 0; n--) {
    numbered(from, sizeof from, n - 1);
    numbered(to, sizeof to, n);
    (void)rename(from, to);
  }
  int fd = files > 1 ? reopen(logger.spec->log_path) : -1;
  struct stat old, new;
  /* Nowhere to go on (or the same file, when the rename failed): hold the cap by starting over in place. */
  if (fd < 0 || (fstat(fd, &new) == 0 && fstat(log_fd, &old) == 0 && new.st_ino == old.st_ino && new.st_dev == old.st_dev)) {
    if (fd >= 0) close(fd);
    (void)!ftruncate(log_fd, 0);
  } else {
    close(log_fd);
    log_fd = fd;
  }
  logger.size = 0;
}

/* A full disk loses lines; it does not stop the container. */
static void flush_out(void) {
  const char *at = logger.out;
  uint64_t max = logger.spec->log_max;
  if (max > 0 && logger.size > 0 && logger.size + logger.out_n > max) rotate();
  while (logger.out_n > 0) {
    ssize_t n = write(log_fd, at, logger.out_n);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) break;
    at += n;
    logger.out_n -= (size_t)n;
    logger.size += (uint64_t)n;
  }
  logger.out_n = 0;
}

/* Gregorian date of a day count since 1970; Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms". */
static void add_date(struct text *t, int64_t days) {
  uint64_t z = (uint64_t)(days + 719468), era = z / 146097, doe = z % 146097;
  uint64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365, doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  uint64_t mp = (5 * doy + 2) / 153, day = doy - (153 * mp + 2) / 5 + 1, month = mp < 10 ? mp + 3 : mp - 9;
  text_pad(t, yoe + era * 400 + (month <= 2), 4);
  text_str(t, "-");
  text_pad(t, month, 2);
  text_str(t, "-");
  text_pad(t, day, 2);
}

/* Taken once per batch of lines that arrived together. */
static struct timespec now;

static void add_time(struct text *t) {
  uint64_t s = (uint64_t)now.tv_sec % 86400;
  add_date(t, (int64_t)now.tv_sec / 86400);
  text_str(t, "T");
  text_pad(t, s / 3600, 2);
  text_str(t, ":");
  text_pad(t, s / 60 % 60, 2);
  text_str(t, ":");
  text_pad(t, s % 60, 2);
  text_str(t, ".");
  text_pad(t, (uint64_t)now.tv_nsec, 9);
  text_str(t, "Z");
}

static void emit(enum log_stream_id id, const char *text, size_t n, bool full) {
  if (*logger.spec->journal) journal_line(logger.spec, id == LOG_STDERR, text, n, full);
  if (log_fd < 0) return;
  if (logger.out_n + n + 64 > sizeof logger.out) flush_out();
  struct text t = text_into(logger.out + logger.out_n, sizeof logger.out - logger.out_n);
  add_time(&t);
  text_str(&t, id == LOG_STDOUT ? " stdout " : " stderr ");
  text_str(&t, full ? "F " : "P ");
  text_bytes(&t, text, n);
  text_str(&t, "\n");
  logger.out_n += text_len(&t);
}

/* Splits what is in the stream's buffer into lines; keeps the rest. */
static void split(enum log_stream_id id) {
  char *buf = logger.stream[id].buf, *at = buf, *end = buf + logger.stream[id].n, *feed;
  while ((feed = memchr(at, '\n', (size_t)(end - at)))) {
    /* A terminal ends its lines with two characters. */
    size_t n = (size_t)(feed - at);
    emit(id, at, n > 0 && feed[-1] == '\r' && logger.spec->terminal_flags & TERMINAL_TTY ? n - 1 : n, true);
    logger.stream[id].partial = false;
    at = feed + 1;
  }
  size_t rest = (size_t)(end - at);
  if (rest == LINE_MAX_) {
    emit(id, at, rest, false);
    logger.stream[id].partial = true;
    rest = 0;
  }
  memmove(buf, at, rest);
  logger.stream[id].n = rest;
}

void log_drain(enum log_stream_id id, struct log_pipe *p, int rounds) {
  if (p->read < 0) return;
  while (rounds-- > 0 && !terminal_busy()) {
    size_t have = logger.stream[id].n;
    ssize_t n = read(p->read, logger.stream[id].buf + have, LINE_MAX_ - have);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      /* End of file: an adopted pipe whose writers are all gone. A pipe of ours has one in ourselves. */
      if (n == 0) close(p->read), p->read = -1;
      break;
    }
    terminal_output((int)id, logger.stream[id].buf + have, (size_t)n);
    logger.stream[id].n += (size_t)n;
    clock_gettime(CLOCK_REALTIME, &now);
    split(id);
  }
  if (logger.out_n > 0) flush_out();
}

void log_flush(void) {
  for (int id = 0; id < LOG_STREAMS; id++)
    if (logger.stream[id].n > 0 || logger.stream[id].partial) {
      emit((enum log_stream_id)id, logger.stream[id].buf, logger.stream[id].n, true);
      logger.stream[id].n = 0;
      logger.stream[id].partial = false;
    }
  if (log_fd >= 0) flush_out();
}

void log_note(const char *text) {
  clock_gettime(CLOCK_REALTIME, &now);
  emit(LOG_STDERR, text, strlen(text), true);
  if (log_fd >= 0) flush_out();
}

static int reopen_end(int fd, int flags) {
  char path[40];
  struct text t = text_into(path, sizeof path);
  text_str(&t, "/proc/self/fd/");
  text_num(&t, fd);
  return open(path, flags | O_CLOEXEC);
}

/*
 * The container's end is opened for reading and writing (man 7 fifo), so it is its own reader: when the supervisor
 * dies, a write still does not end in SIGPIPE, and whoever adopts the container finds the output in the pipe.
 */
int log_pipe_make(struct log_pipe *p) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return fail("log", "pipe");
  p->read = ends[0];
  p->write = reopen_end(ends[1], O_RDWR);
  int err = errno;
  close(ends[1]);
  if (p->write < 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0) return fail_with(err, "log", "pipe");
  return 0;
}

void log_pipe_adopt(struct log_pipe *p, pid_t pid, int fd) {
  char path[48], info[256];
  struct stat st;
  struct text t = text_into(path, sizeof path);
  text_str(&t, "fdinfo/");
  text_num(&t, fd);
  int source = proc_open(pid, path, O_RDONLY);
  ssize_t n = source < 0 ? -1 : read(source, info, sizeof info - 1);
  if (source >= 0) close(source);
  if (n <= 0) return;
  info[n] = '\0';
  /* "flags:\t0100002": only a pipe opened as ours is; another's reader would lose what we took. */
  const char *flags = strstr(info, "flags:");
  const char *end = flags ? strchr(flags, '\n') : NULL;
  if (!end || end[-1] != '2') return;

  t = text_into(path, sizeof path);
  text_str(&t, "/proc/");
  text_num(&t, pid);
  text_str(&t, "/fd/");
  text_num(&t, fd);
  if (stat(path, &st) < 0 || !S_ISFIFO(st.st_mode)) return;
  p->read = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  p->write = open(path, O_RDWR | O_CLOEXEC);
}
