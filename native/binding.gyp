{
  'targets': [
    {
      'target_name': 'tsbox',
      'sources': [
        'addon.cc', 'beneath.cc', 'bpf.cc', 'child.cc', 'errno.cc', 'eventfd.cc', 'files.cc', 'fsids.cc', 'holes.cc', 'lock.cc', 'mount.cc', 'nsfs.cc', 'openat2.cc', 'pidfd.cc', 'spawn.cc',
        'waitfile.cc', 'xattr.cc',
        'prlimit.cc', 'reads.cc', 'sched.cc',
        'landlock.cc', 'fanotify.cc', 'poll.cc', 'rtnetlink.cc',
      ],
      'include_dirs': ['<!(node -p "require(\'node-addon-api\').include_dir")'],
      'defines': ['NAPI_VERSION=9', 'NAPI_CPP_EXCEPTIONS', '_GNU_SOURCE'],
      'cflags_cc!': ['-fno-exceptions', '-std=gnu++17'],
      'cflags_cc': ['-std=gnu++20', '-fexceptions', '-Wall', '-Wextra', '-fvisibility=hidden'],
      # The child between clone and exec must not run the dynamic linker's lazy binding.
      'ldflags': ['-Wl,-z,now', '-Wl,-z,relro'],
      'configurations': {
        'Release': {'cflags!': ['-O3'], 'cflags': ['-O2']},
      },
    },
  ],
}
