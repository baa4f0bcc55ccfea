/*
 * The description of what to do, as written by src/kernel/init-encode.ts (which documents the layout).
 *
 * The text stays where it is mapped: strings are pointers into it, lists are walked record by record. Every length is
 * checked once, in spec_load; after that the description is trusted to be well formed, not to be well meant.
 */
#ifndef TSBOX_SPEC_H
#define TSBOX_SPEC_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum spec_mode {
  MODE_SUPERVISE = 1,
  MODE_EXEC,
  MODE_PIN,
  MODE_UTS_READ,
  MODE_UTS_WRITE,
  MODE_MOUNTS = 12,
  MODE_SYSCTL_READ = 14,
  MODE_SYSCTL_WRITE,
  MODE_RUN,
  MODE_ATTACH = 17,
  MODES
};

/* The order is NAMESPACE_TYPES in init-spec.ts. */
enum ns_type { NS_USER, NS_MNT, NS_PID, NS_NET, NS_IPC, NS_UTS, NS_CGROUP, NS_TIME, NS_TYPES };

enum record_tag {
  REC_TITLE = 1,
  REC_LABEL,
  REC_SUPERVISOR_PROCS,
  REC_CGROUP,
  REC_CGROUP_PROCS,
  REC_NS_CREATE,
  REC_NS_JOIN,
  REC_NS_MAPS,
  REC_NS_TIME,
  REC_NS_UTS,
  REC_NS_LOOPBACK,
  REC_ROOT_OP,
  REC_ARG,
  REC_ENV,
  REC_PROCESS,
  REC_GROUPS,
  REC_SECCOMP,
  REC_LOG,
  REC_POLICY,
  REC_ADOPT,
  REC_TTY,
  REC_PIN,
  REC_PATH,
  REC_HOSTNAME,
  REC_DOMAINNAME,
  REC_SETTINGS = 30,
  REC_START,
  REC_SECCOMP_FLAGS,
  REC_BLOB = 40,
  REC_MOUNTS_ROOT,
  /* Maps of an op that is idmapped by others than the container's. */
  REC_IDMAP = 50,
  REC_SYSCTL = 60,
  REC_SYSCTL_GROUP,
  /* Supervision. */
  REC_MAILBOX = 80,
  REC_XATTRS,
  REC_HOOK,
  REC_HOOK_STATE,
  REC_TERMINAL,
  REC_OUTPUT,
  REC_ATTACH = 86,
  /* Taking up a checkpoint. */
  REC_RESTORE = 100,
  REC_RESTORE_ARG,
  /* What a process allows itself, and is. */
  REC_LANDLOCK = 110,
  REC_LANDLOCK_PATH,
  REC_LANDLOCK_PORT,
  REC_LSM_LABEL,
  REC_MEMORY_POLICY,
  REC_CORE_GROUP,
  /* Of a client. */
  REC_DETACH_KEYS = 120,
  REC_BACKGROUND
};

enum root_op_kind {
  OP_ROOT_BIND = 1,
  OP_ROOT_OVERLAY,
  OP_BIND,
  OP_MOUNT,
  OP_MKDIR,
  OP_SYMLINK,
  OP_MKNOD,
  OP_BIND_DEVICE,
  OP_MASK,
  OP_READONLY,
  OP_ROOT_READONLY,
  OP_NONE,
  OP_FILE = 20,
  OP_UNMOUNT,
  OP_REMOUNT,
  OP_RECONFIGURE,
  OP_EXPECT,
  OP_CHROOT,
  OP_OVERLAY = 40,
  OP_KINDS
};

enum root_op_flag {
  OPF_RO = 1,
  OPF_NOSUID = 2,
  OPF_NODEV = 4,
  OPF_NOEXEC = 8,
  OPF_RECURSIVE = 16,
  OPF_CREATE_DIR = 32,
  OPF_CREATE_FILE = 64,
  /* Read-only at the top of a recursive bind, not below. */
  OPF_TOP = 1024,
  /* Takes the place of what is mounted on the target. */
  OPF_SWAP = 2048,
  /* A new file system begins with what is in the directory that it is mounted on. */
  OPF_COPY_UP = 4096,
  OPF_END = 8192
};
/* Ids on disk are those inside a user namespace: of the mount, or of all mounts below it too. */
enum root_op_idmap { OPF_IDMAP = 256, OPF_IDMAP_RECURSIVE = 512 };

/* A reader over a record's payload, or over the records themselves. */
struct cursor {
  const uint8_t *at, *end;
};

struct root_op {
  /*
   * Of a bind or a remount: mode is the propagation (MS_*), type the flags to clear. Of a file: type is the number of
   * its blob, major and minor its owner. Of an expect: major is the id of the mount.
   */
  uint32_t kind, flags, mode, type, major, minor;
  /* source: of a bind; upper of an overlay; link text. extra: filesystem type; work of an overlay; path within a bind's source. */
  const char *source, *target, *extra;
  /* Mount options, lower directories: read with cursor_str. */
  uint32_t nlist;
  struct cursor list;
};

struct idmap_record {
  uint32_t op;
  const char *uid_map, *gid_map;
};

struct join_record {
  uint32_t type;
  const char *path, *start;
};

/* A kernel parameter of a new namespace: its file below /proc/sys, and its text. */
struct sysctl_record {
  uint32_t type;
  const char *key, *value;
};

/* Parameters of one namespace: the file that stands for it ('' for a new one), then n times key and value. */
struct sysctl_group {
  uint32_t type;
  const char *path, *start;
  uint32_t n;
  struct cursor list;
};

struct capability_sets {
  uint64_t bounding, permitted, effective, inheritable, ambient;
};

enum restart_kind { RESTART_NO, RESTART_ALWAYS, RESTART_ON_FAILURE, RESTART_UNLESS_STOPPED };
struct restart_policy {
  uint32_t kind, max, stop_signal;
  uint64_t backoff_ms, backoff_max_ms, grace_ms;
};

#define DETACH_MOST 16
#define PERSONALITY_KEPT UINT32_MAX
/* Whose core scheduling group: the caller's, a new one, or that of a process by its pid. */
#define CORE_SHARED 0
#define CORE_OWN UINT32_MAX

struct spec {
  const uint8_t *data, *end;
  uint32_t mode;
  const char *title, *label_dir, *run_xattr, *policy_xattr, *cgroup;
  /* Bit n is enum ns_type n. */
  uint32_t create;
  const char *uid_map, *gid_map, *time_offsets, *hostname, *domainname;
  bool deny_setgroups, loopback, set_hostname, set_domainname;
  const char *cwd;
  uint32_t uid, gid, nargs, nenv, ngroups, nops;
  int32_t umask;
  bool no_new_privs, tty, own_keyring;
  /* PERSONALITY_KEPT: the caller's. */
  uint32_t personality;
  uint32_t core_group;
  /* Set from outside just before the exec; the attribute of the label, where there is one, is ahead of the text. */
  const char *settings_xattr, *settings;
  struct capability_sets caps;
  const uint32_t *groups;
  const uint8_t *seccomp;
  size_t seccomp_size;
  uint32_t seccomp_flags;
  const char *log_path;
  uint64_t log_max;
  uint32_t log_files;
  /* Output is read though no file keeps it: for whoever is attached, and for the journal at this socket, '' for none. */
  bool keep_output;
  const char *journal, *journal_fields;
  struct restart_policy policy;
  uint32_t adopt_pid, adopt_restarts;
  const char *adopt_start;
  /* Where criu writes the pid of what it restored; and how many arguments it gets, 0 for a start. */
  const char *restore_pid_file;
  uint32_t nrestore;
  uint32_t pin_type;
  const char *pin_target;
  const char *mailbox, *health_xattr, *probe_xattr, *history_xattr;
  /* /proc/PID/root of the container whose mounts are edited, and the start time of that process. */
  const char *mounts_root, *mounts_start;
  /* The state that hooks are given, without its last brace. */
  const char *hook_state;
  uint32_t nhooks;
  /* A further process that nobody waits for; the keys that leave a terminal. */
  bool background;
  const uint8_t *detach_keys;
  size_t detach_n;
  /* enum terminal_flag; the socket to attach to. */
  uint32_t terminal_flags;
  const char *attach_path;
  /* Run instead of the description's own command, with this environment; NULL for those. */
  char **argv, **env;
  /* The program to execute as `argv`, -1 for the one that argv names. */
  int program;
};

/* Maps and checks the description on `fd`; 0, or -1 with the fault set (step "spec"). */
int spec_load(int fd, struct spec *spec);
/* Lets go of its text. */
void spec_unload(struct spec *spec);

/* The records of one tag, in order: start with spec_records, then the next payload until false. */
struct cursor spec_records(const struct spec *spec);
bool spec_next(struct cursor *records, uint32_t tag, struct cursor *payload);
/* The next record of `tag` that is one string, NULL when there are no more. */
const char *spec_next_str(struct cursor *records, uint32_t tag);

bool cursor_u32(struct cursor *c, uint32_t *out);
bool cursor_u64(struct cursor *c, uint64_t *out);
bool cursor_str(struct cursor *c, const char **out);
/* The content of the n-th blob. */
bool spec_blob(const struct spec *spec, uint32_t n, struct cursor *content);
bool decode_root_op(struct cursor payload, struct root_op *op);
bool decode_hook(struct cursor payload);
bool decode_join(struct cursor payload, struct join_record *join);
bool decode_idmap(struct cursor payload, struct idmap_record *map);
bool decode_sysctl(struct cursor payload, struct sysctl_record *r);
bool decode_sysctl_group(struct cursor payload, struct sysctl_group *g);

#endif
