/** What a service may do: capabilities, devices, security options. */
import { CAPABILITIES } from '../../resources/container/capabilities.ts';
import { list, type Data, type Part } from './part.ts';
import { plain, type Texts } from './text.ts';

/** What Docker leaves a container with (moby, oci/caps/defaults.go). */
const DEFAULT_CAPABILITIES =
  'CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE';

/** The rules of a container that says nothing, in the words of the language. */
const DEFAULT_DEVICES = ['null', 'zero', 'full', 'random', 'urandom', 'tty'].map((name) => ({
  allow: `/dev/${name} rwm`,
}));
const PTYS = [{ allow: 'c 5:2 rw' }, { allow: 'c 136:* rw' }];

export function convertPrivileges(service: Part, out: Data, texts: Texts): void {
  const privileged = service.take('privileged') === true;
  const names = (key: string): string[] =>
    list(service.take(key)).map((c) => texts.fixed(c, service, key).toUpperCase().replace(/^CAP_/, ''));
  const add = names('cap_add');
  const drop = names('cap_drop');
  const held = new Set<string>(privileged || add.includes('ALL') ? CAPABILITIES : DEFAULT_CAPABILITIES.split(' '));
  if (!privileged) {
    if (drop.includes('ALL')) {
      held.clear();
      (add.includes('ALL') ? CAPABILITIES : []).forEach((c) => held.add(c));
    }
    drop.forEach((c) => held.delete(c));
    add.filter((c) => c !== 'ALL').forEach((c) => held.add(c));
  }
  if (held.size > 0) {
    out['capabilities'] = [...held].sort();
  }
  out['no_new_privs'] = false;
  list(service.take('security_opt')).forEach((item, index) => convertOption(service, out, plain(item), index));
  if (privileged) {
    out['seccomp'] = 'unconfined';
    out['masked_paths'] = [];
    out['readonly_paths'] = [];
    out['devices'] = [{ allow: 'all' }];
    service.note('privileged', "the host's device nodes are allowed but not there in /dev: name them under devices");
  }
  const rules = [...convertDevices(service, texts), ...convertRules(service)];
  if (rules.length > 0) {
    out['devices'] = privileged ? [{ allow: 'all' }, ...rules] : [...DEFAULT_DEVICES, ...PTYS, ...rules];
  }
}

function convertOption(service: Part, out: Data, option: string, index: number): void {
  const [key = '', ...rest] = option.split(/[:=]/);
  const value = rest.join(':');
  if (key === 'no-new-privileges') {
    out['no_new_privs'] = value !== 'false';
  } else if (key === 'seccomp') {
    out['seccomp'] = value === 'unconfined' ? 'unconfined' : { profile: value };
  } else if (key === 'systempaths' && value === 'unconfined') {
    out['masked_paths'] = [];
    out['readonly_paths'] = [];
  } else if (key === 'apparmor') {
    // Unconfined is what a container is here without the key.
    if (value !== 'unconfined') {
      out['apparmor'] = value;
    }
  } else if (!(key === 'label' && value === 'disable')) {
    service.note(['security_opt', index], `'${option}' is not carried over`);
  }
}

function convertDevices(service: Part, texts: Texts): Data[] {
  return list(service.take('devices')).flatMap((item, index) => {
    const given =
      typeof item === 'object' && item !== null
        ? ['source', 'target', 'permissions'].map((k) => plain((item as Data)[k]))
        : texts.fixed(item, service, ['devices', index]).split(':');
    const [source = '', target = '', access = ''] =
      given.length === 2 && /^[rwm]+$/.test(given[1] ?? '') ? [given[0], '', given[1]] : given;
    if (target !== '' && target !== source) {
      service.note(['devices', index], `is there as ${source}, not as ${target}`);
    }
    if (!source.startsWith('/dev/')) {
      service.note(['devices', index], `'${source}' is no device node: left out`);
      return [];
    }
    return [{ allow: `${source} ${access === '' ? 'rwm' : access}` }];
  });
}

function convertRules(service: Part): Data[] {
  return list(service.take('device_cgroup_rules')).map((rule) => ({
    allow:
      plain(rule).trim() === 'a'
        ? 'all'
        : plain(rule)
            .trim()
            .replace(/^a (\*:\*)/, 'all'),
  }));
}
