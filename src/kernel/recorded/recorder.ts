/** A reader that keeps what it was asked and what the kernel answered. */
import type { BpfProgram, DirEntry, Errno, FileInRoot, Scheduling, Stat } from '../../../native/index.d.ts';
import type { DeviceNumbers, Located } from '../host-facts.ts';
import type { FileRange, ImageFiles, PackedFile } from '../image-files.ts';
import type { SysctlGroup } from '../init-spec.ts';
import type { KernelReader, UtsNames } from '../reader.ts';
import type { PolicyAnswer } from '../selinux.ts';
import {
  encodeBytes,
  encodePrograms,
  encodeScheduling,
  encodeStat,
  RECORDING_VERSION,
  type Answer,
  type Kind,
  type Recording,
} from './document.ts';
import { question, sysctlQuestions } from './questions.ts';

export class RecordingReader implements KernelReader {
  readonly #from: KernelReader;
  readonly #answers: { [K in Kind]?: Record<string, Answer<K>> } = {};

  constructor(from: KernelReader) {
    this.#from = from;
  }

  /** What was asked so far. @param directory of the stack file */
  recording(directory: string): Recording {
    const { settings, layout, release, arch, bootId, installation, capabilities } = this;
    return {
      tsbox_kernel: RECORDING_VERSION,
      release,
      arch,
      boot_id: bootId,
      installation,
      capabilities: capabilities.toString(16),
      settings: {
        cgroup_root: settings.cgroupRoot,
        run_dir: settings.runDir,
        state_dir: settings.stateDir,
        sub_ids: settings.subIds === null ? null : settings.subIds.map(({ start, count }) => [start, count]),
      },
      directory,
      hierarchies: layout.hierarchies.map((h) => ({ ...h, controllers: [...h.controllers] })),
      answers: this.#answers,
    };
  }

  /** Asks what a plan of a changed stack would, too: every file and attribute of the cgroups that were walked, and what machines have. */
  widen(): void {
    const { hierarchies, primary } = this.layout;
    const mount = primary?.mount ?? '';
    const walks = Object.entries(this.#answers.walks ?? {}).filter(([root]) => root.startsWith(`${mount}/`));
    const walked = walks.flatMap(([root, found]) =>
      typeof found === 'number' ? [] : found.map(([path]) => (path === '' ? root : `${root}/${path}`)),
    );
    const below = [this.settings.cgroupRoot, ...walked.map((path) => path.slice(mount.length))];
    for (const directory of hierarchies.flatMap((h) => below.map((path) => h.mount + path))) {
      this.readFiles(this.#from.list(directory).map((name) => `${directory}/${name}`));
    }
    for (const directory of walked) {
      const names = this.listXattrs(directory);
      (typeof names === 'number' ? [] : names).forEach((name) => this.getXattrs([directory], name));
    }
    this.landlockAbi();
    this.scheduling([0]);
    COMMON_DEVICES.forEach((path) => this.deviceAt(path));
    this.readFiles(COMMON_FILES);
    this.accountFile(['/'], 'passwd');
    this.accountFile(['/'], 'group');
  }

  /** The first answer stays: a plan that is replayed sees one moment. */
  #note<K extends Kind>(kind: K, asked: string, answer: Answer<K>): void {
    const known: Record<string, Answer<K>> = (this.#answers[kind] ??= {});
    if (!Object.hasOwn(known, asked)) {
      known[asked] = answer;
    }
  }

  #batch<K extends Kind, T>(kind: K, asked: readonly string[], found: T[], encode: (answer: T) => Answer<K>): T[] {
    found.forEach((answer, i) => this.#note(kind, asked[i] ?? '', encode(answer)));
    return found;
  }

  #one<K extends Kind, T>(kind: K, asked: string, found: T, encode: (answer: T) => Answer<K>): T {
    this.#note(kind, asked, encode(found));
    return found;
  }

  get settings(): KernelReader['settings'] {
    return this.#from.settings;
  }
  get layout(): KernelReader['layout'] {
    return this.#from.layout;
  }
  get bootId(): string {
    return this.#from.bootId;
  }
  get installation(): string {
    return this.#from.installation;
  }
  get release(): string {
    return this.#from.release;
  }
  get arch(): string {
    return this.#from.arch;
  }
  get capabilities(): bigint {
    return this.#from.capabilities;
  }

  readFiles(paths: readonly string[]): Array<string | Errno> {
    return this.#batch('files', paths, this.#from.readFiles(paths), same);
  }
  readInRoot(root: string, paths: readonly string[], limit: number): Array<FileInRoot | Errno> {
    const found = this.#from.readInRoot(root, paths, limit);
    return this.#batch('in_root', paths.map(question.inRoot(root)), found, (file) =>
      typeof file === 'number' ? file : { stat: encodeStat(file), content: encodeBytes(file.content) },
    );
  }
  readLinks(paths: readonly string[]): Array<string | Errno> {
    return this.#batch('links', paths, this.#from.readLinks(paths), same);
  }
  stats(paths: readonly string[]): Array<Stat | Errno> {
    const encode = (s: Stat | Errno): Answer<'stats'> => (typeof s === 'number' ? s : encodeStat(s));
    return this.#batch('stats', paths, this.#from.stats(paths), encode);
  }
  walkDirs(root: string, maxEntries: number): DirEntry[] | Errno {
    const found = this.#from.walkDirs(root, maxEntries);
    const entries = typeof found === 'number' ? [] : found.map(({ path, ino }): [string, number] => [path, ino]);
    if (entries.length >= maxEntries) {
      this.#note('samples', root, entries);
    } else {
      this.#note('walks', root, typeof found === 'number' ? found : entries);
    }
    return found;
  }
  list(path: string): string[] {
    return this.#one('lists', path, this.#from.list(path), (names) => [...names]);
  }
  getXattrs(paths: readonly string[], name: string): Array<string | Errno> {
    return this.#batch('xattrs', paths.map(question.xattr(name)), this.#from.getXattrs(paths, name), same);
  }
  listXattrs(path: string): string[] | Errno {
    return this.#one('xattr_names', path, this.#from.listXattrs(path), same);
  }
  namespaceIds(paths: readonly string[]): Array<string | Errno> {
    return this.#batch('namespace_ids', paths, this.#from.namespaceIds(paths), same);
  }
  namespaceTypes(paths: readonly string[]): Array<string | Errno> {
    return this.#batch('namespace_types', paths, this.#from.namespaceTypes(paths), same);
  }
  namespaceOwners(paths: readonly string[]): Array<string | Errno> {
    return this.#batch('namespace_owners', paths, this.#from.namespaceOwners(paths), same);
  }
  devicePrograms(cgroups: readonly string[]): Array<BpfProgram[] | Errno> {
    return this.#batch('device_programs', cgroups, this.#from.devicePrograms(cgroups), encodePrograms);
  }
  effectiveDevicePrograms(cgroups: readonly string[]): Array<BpfProgram[] | Errno> {
    const found = this.#from.effectiveDevicePrograms(cgroups);
    return this.#batch('effective_device_programs', cgroups, found, encodePrograms);
  }
  cgroupPrograms(cgroups: readonly string[], hook: number): Array<BpfProgram[] | Errno> {
    const found = this.#from.cgroupPrograms(cgroups, hook);
    return this.#batch('cgroup_programs', cgroups.map(question.hook(hook)), found, encodePrograms);
  }
  scheduling(tids: readonly number[]): Array<Scheduling | Errno> {
    return this.#batch('scheduling', tids.map(String), this.#from.scheduling(tids), encodeScheduling);
  }
  landlockAbi(): number {
    return this.#one('landlock_abi', '', this.#from.landlockAbi(), same);
  }
  selinuxLabel(label: string): PolicyAnswer {
    return this.#one('selinux_labels', label, this.#from.selinuxLabel(label), (a) =>
      typeof a === 'object' ? [a.label] : a,
    );
  }
  async readUts(paths: readonly string[]): Promise<Array<UtsNames | undefined>> {
    return this.#batch('uts', paths, await this.#from.readUts(paths), (names) =>
      names === undefined ? null : [names.hostname, names.domainname],
    );
  }
  async readSysctls(groups: readonly SysctlGroup[]): Promise<Array<Array<string | Errno>>> {
    const found = await this.#from.readSysctls(groups);
    return groups.map((g, i) => this.#batch('sysctls', sysctlQuestions(g), found[i] ?? [], same));
  }

  deviceAt(path: string): DeviceNumbers | undefined {
    return this.#one('devices', path, this.#from.deviceAt(path), (d) =>
      d === undefined ? null : [d.type, d.major, d.minor],
    );
  }
  wholeDisk(numbers: string): string | undefined {
    return this.#one('disks', numbers, this.#from.wholeDisk(numbers), orNull);
  }
  locate(path: string): Located | undefined {
    return this.#one('places', path, this.#from.locate(path), (l) =>
      l === undefined ? null : [l.path, l.mount, l.kind],
    );
  }
  realPath(path: string): string | undefined {
    return this.#one('real_paths', path, this.#from.realPath(path), orNull);
  }
  accountFile(roots: readonly string[], name: 'passwd' | 'group'): string {
    return this.#one('accounts', question.account(roots, name), this.#from.accountFile(roots, name), same);
  }
  imageDirectory(path: string): ImageFiles {
    return this.#imageFiles(this.#from.imageDirectory(path));
  }
  imageArchive(path: string): ImageFiles {
    return this.#imageFiles(this.#from.imageArchive(path));
  }
  packedFile(path: string): PackedFile | undefined {
    return this.#one('archives', path, this.#from.packedFile(path), (f) =>
      f === undefined ? null : [f.size, f.digest],
    );
  }

  #imageFiles(files: ImageFiles): ImageFiles {
    return {
      where: files.where,
      file: (name) =>
        this.#one('image_files', question.imageFile(files.where, name), files.file(name), (f) =>
          f === undefined ? null : [f.path, f.start, f.size],
        ),
      read: (range: FileRange) => this.#one('image_bytes', question.range(range), files.read(range), encodeBytes),
    };
  }
}

const COMMON_DEVICES = ['full', 'fuse', 'kvm', 'net/tun', 'null', 'ptmx', 'random', 'tty', 'urandom', 'zero'].map(
  (name) => `/dev/${name}`,
);
const COMMON_FILES = [
  '/proc/filesystems',
  '/proc/self/limits',
  '/proc/self/mountinfo',
  '/proc/self/oom_score_adj',
  '/sys/devices/system/cpu/online',
];

const same = <T>(answer: T): T => answer;
const orNull = (answer: string | undefined): string | null => answer ?? null;
