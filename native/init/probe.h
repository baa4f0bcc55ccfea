/* One look at a container, in a process of its own. */
#ifndef TSBOX_PROBE_H
#define TSBOX_PROBE_H
#include "supervisor.h"

enum probe_kind { PROBE_NONE, PROBE_COMMAND, PROBE_HTTP, PROBE_TCP, PROBE_FILE };

struct probe {
  uint32_t kind;
  uint64_t timeout_ms;
  /* Strings, each ended by a NUL: command: its words; tcp: address, host, port; http: those, path, status; file: path. */
  const char *args, *end;
};

struct probe_result {
  int64_t took_ms;
  /* Exit code of a command, status of a response, errno of what failed. */
  int32_t code;
  bool ok;
  /* The first line that came out of it. */
  char line[200];
};

/* In a child of the supervisor: looks, writes a probe_result and ends. */
_Noreturn void probe_main(struct supervisor *s, const struct probe *probe, int result);
#endif
