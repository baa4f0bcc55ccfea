/** The built-in system call filter of a container. */
export type SeccompArch = 'x86_64' | 'aarch64';

export interface SeccompOptions {
  readonly profile: 'default' | 'unconfined';
  readonly arch: SeccompArch;
  /** Capability names without CAP_, e.g. SYS_ADMIN. */
  readonly capabilities: ReadonlySet<string>;
}

/** struct sock_filter[] for seccomp(SECCOMP_SET_MODE_FILTER); empty for 'unconfined'. */
export function seccompFilter(options: SeccompOptions): Uint8Array {
  return options.profile === 'unconfined' ? new Uint8Array(0) : Uint8Array.of(0x06, 0, 0, 0, 0, 0, 0xff, 0x7f);
}
