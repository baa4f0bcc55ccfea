/** A reader that answers from a recording: no kernel is asked, and what was not recorded is an error that names it. */
import type { BpfProgram, DirEntry, Errno, FileInRoot, Scheduling, Stat } from '../../../native/index.d.ts';
import { TsboxError } from '../../errors.ts';
import type { DeviceNumbers, Located } from '../host-facts.ts';
import type { FileRange, ImageFiles, PackedFile } from '../image-files.ts';
import type { SysctlGroup } from '../init-spec.ts';
import type { CgroupLayout } from '../layout.ts';
import type { KernelReader, UtsNames } from '../reader.ts';
import type { PolicyAnswer } from '../selinux.ts';
import type { Settings } from '../settings.ts';
import { decodeBytes, decodePrograms, decodeStat, recordedLayout } from './document.ts';
import type { Answer, Kind, Recording } from './document.ts';
import { question, sysctlQuestions } from './questions.ts';
import { Walked } from './walked.ts';

/** Of each question the path that it is about, where a directory that was walked may say that it is not there. */
type About = { readonly path: string; readonly is: 'file' | 'directory' };

const ENOENT: Errno = -2;
const ENODATA: Errno = -61;

export class RecordedReader implements KernelReader {
  readonly settings: Settings;
  readonly layout: CgroupLayout;
  readonly bootId: string;
  readonly installation: string;
  readonly release: string;
  readonly arch: string;
  readonly capabilities: bigint;
  readonly #recording: Recording;
  readonly #walked: Walked;
  readonly #name: string;
  readonly #directory: string;

  /**
   * @param name of the recording, for messages
   * @param directory of the stack file: what lies in it was recorded in that of the recording
   */
  constructor(recording: Recording, name: string, directory: string) {
    const { settings } = recording;
    this.#recording = recording;
    this.#walked = new Walked(recording.answers.walks ?? {});
    this.#name = name;
    this.#directory = directory;
    this.settings = {
      installation: recording.installation,
      cgroupRoot: settings.cgroup_root,
      runDir: settings.run_dir,
      stateDir: settings.state_dir,
      subIds: settings.sub_ids === null ? null : settings.sub_ids.map(([start, count]) => ({ start, count })),
    };
    this.layout = recordedLayout(recording);
    this.bootId = recording.boot_id;
    this.installation = recording.installation;
    this.release = recording.release;
    this.arch = recording.arch;
    this.capabilities = BigInt(`0x${recording.capabilities}`);
  }

  /** A path as it was where the recording was made. */
  #there = (path: string): string => {
    const [here, there] = [this.#directory, this.#recording.directory];
    return path === here || path.startsWith(`${here}/`) ? there + path.slice(here.length) : path;
  };

  #answer<K extends Kind>(kind: K, asked: string): Answer<K> | undefined {
    const known = this.#recording.answers[kind] as Readonly<Record<string, Answer<K>>> | undefined;
    return known !== undefined && Object.hasOwn(known, asked) ? known[asked] : undefined;
  }

  #known<K extends Kind>(kind: K, asked: string): Answer<K> {
    const answer = this.#answer(kind, asked);
    if (answer === undefined) {
      throw this.#unrecorded(kind, asked);
    }
    return answer;
  }

  #unrecorded(kind: Kind, asked: string): TsboxError {
    const what = `${kind.replaceAll('_', ' ')}${asked === '' ? '' : `: ${asked}`}`;
    return new TsboxError('TSB3014', `the recorded kernel ${this.#name} was not asked for ${what}`, {
      subject: asked,
      hint: 'record it again with this stack on such a machine: tsbox plan --record-kernel FILE',
    });
  }

  /** Answers of a kind whose question may be about something that a walk did not find. */
  #batch<K extends Kind>(
    kind: K,
    paths: readonly string[],
    is: About['is'],
    ask: (path: string) => string = (path) => path,
  ): Array<Answer<K> | Errno> {
    return paths.map(this.#there).map((path) => {
      const answer = this.#answer(kind, ask(path));
      if (answer === undefined && this.#walked.lacks(path, is)) {
        return ENOENT;
      }
      return answer ?? this.#known(kind, ask(path));
    });
  }

  readFiles(paths: readonly string[]): Array<string | Errno> {
    return this.#batch('files', paths, 'file');
  }
  readInRoot(root: string, paths: readonly string[]): Array<FileInRoot | Errno> {
    return paths.map((path) => {
      const found = this.#known('in_root', question.inRoot(this.#there(root))(path));
      return typeof found === 'number' ? found : { ...decodeStat(found.stat), content: decodeBytes(found.content) };
    });
  }
  readLinks(paths: readonly string[]): Array<string | Errno> {
    return this.#batch('links', paths, 'file');
  }
  stats(paths: readonly string[]): Array<Stat | Errno> {
    return this.#batch('stats', paths, 'file').map((s) => (typeof s === 'number' ? s : decodeStat(s)));
  }
  walkDirs(root: string): DirEntry[] | Errno {
    const found = this.#answer('samples', this.#there(root)) ?? this.#batch('walks', [root], 'directory')[0] ?? ENOENT;
    return typeof found === 'number' ? found : found.map(([path, ino]) => ({ path, ino }));
  }
  list(path: string): string[] {
    const found = this.#batch('lists', [path], 'directory')[0] ?? ENOENT;
    return typeof found === 'number' ? [] : [...found];
  }
  getXattrs(paths: readonly string[], name: string): Array<string | Errno> {
    return paths.map((given) => {
      const path = this.#there(given);
      const names = this.#answer('xattr_names', path);
      const isAbsent = typeof names === 'object' && !names.includes(name);
      const answer = this.#answer('xattrs', question.xattr(name)(path)) ?? (isAbsent ? ENODATA : undefined);
      return answer ?? this.#batch('xattrs', [given], 'directory', question.xattr(name))[0] ?? ENODATA;
    });
  }
  listXattrs(path: string): string[] | Errno {
    return this.#batch('xattr_names', [path], 'directory')[0] ?? ENOENT;
  }
  namespaceIds(paths: readonly string[]): Array<string | Errno> {
    return this.#batch('namespace_ids', paths, 'file');
  }
  namespaceTypes(paths: readonly string[]): Array<string | Errno> {
    return this.#batch('namespace_types', paths, 'file');
  }
  namespaceOwners(paths: readonly string[]): Array<string | Errno> {
    return this.#batch('namespace_owners', paths, 'file');
  }
  devicePrograms(cgroups: readonly string[]): Array<BpfProgram[] | Errno> {
    return this.#batch('device_programs', cgroups, 'directory').map(decodePrograms);
  }
  effectiveDevicePrograms(cgroups: readonly string[]): Array<BpfProgram[] | Errno> {
    return this.#batch('effective_device_programs', cgroups, 'directory').map(decodePrograms);
  }
  cgroupPrograms(cgroups: readonly string[], hook: number): Array<BpfProgram[] | Errno> {
    return this.#batch('cgroup_programs', cgroups, 'directory', question.hook(hook)).map(decodePrograms);
  }
  scheduling(tids: readonly number[]): Array<Scheduling | Errno> {
    return tids.map((tid) => this.#known('scheduling', String(tid)));
  }
  landlockAbi(): number {
    return this.#known('landlock_abi', '');
  }
  selinuxLabel(label: string): PolicyAnswer {
    const found = this.#known('selinux_labels', label);
    return typeof found === 'string' ? found : { label: found[0] };
  }
  readUts(paths: readonly string[]): Promise<Array<UtsNames | undefined>> {
    return Promise.resolve(
      paths.map((path) => {
        const found = this.#known('uts', this.#there(path));
        return found === null ? undefined : { hostname: found[0], domainname: found[1] };
      }),
    );
  }
  readSysctls(groups: readonly SysctlGroup[]): Promise<Array<Array<string | Errno>>> {
    return Promise.resolve(groups.map((g) => sysctlQuestions(g).map((asked) => this.#known('sysctls', asked))));
  }

  deviceAt(path: string): DeviceNumbers | undefined {
    const found = this.#known('devices', this.#there(path));
    return found === null ? undefined : { type: found[0], major: found[1], minor: found[2] };
  }
  wholeDisk(numbers: string): string | undefined {
    return this.#known('disks', numbers) ?? undefined;
  }
  locate(path: string): Located | undefined {
    const found = this.#known('places', this.#there(path));
    return found === null ? undefined : { path: found[0], mount: found[1], kind: found[2] };
  }
  realPath(path: string): string | undefined {
    return this.#known('real_paths', this.#there(path)) ?? undefined;
  }
  accountFile(roots: readonly string[], name: 'passwd' | 'group'): string {
    return this.#known('accounts', question.account(roots.map(this.#there), name));
  }
  imageDirectory(path: string): ImageFiles {
    return this.#imageFiles(path);
  }
  imageArchive(path: string): ImageFiles {
    return this.#imageFiles(path);
  }
  packedFile(path: string): PackedFile | undefined {
    const found = this.#known('archives', this.#there(path));
    return found === null ? undefined : { size: found[0], digest: found[1] };
  }

  #imageFiles(where: string): ImageFiles {
    return {
      where,
      file: (name): FileRange | undefined => {
        const found = this.#known('image_files', question.imageFile(this.#there(where), name));
        return found === null ? undefined : { path: found[0], start: found[1], size: found[2] };
      },
      read: (range) => decodeBytes(this.#known('image_bytes', question.range(range))),
    };
  }
}
