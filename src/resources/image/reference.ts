/** Names of images: where one is and which of several there. containers-transports(5). */
import { show, ValueError } from '../values.ts';

export interface ImageReference {
  readonly transport: 'oci' | 'oci-archive' | 'docker-archive' | 'docker';
  /** Path of the directory or archive; for docker the repository with its host. */
  readonly name: string;
  readonly tag: string | null;
  /** 'sha256:…' of the manifest, or of an index that leads to it. */
  readonly digest: string | null;
}

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant: string | null;
}

const EXPECTED =
  'oci:DIR[:TAG][@DIGEST], oci-archive:FILE[:TAG], docker-archive:FILE[:TAG] or docker://HOST[:PORT]/NAME[:TAG][@DIGEST]';
const DIGEST = /@(sha256:[0-9a-f]{64})$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,127}$/;
/** The grammar of distribution/reference: a host, then lower case parts with single separators. */
const REPOSITORY =
  /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::\d{1,5})?\/|\[[0-9a-fA-F:]+\](?::\d{1,5})?\/)?[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*)*$/;

/** Throws ValueError. */
export function parseReference(input: unknown): ImageReference {
  const match = typeof input === 'string' ? /^(oci|oci-archive|docker-archive|docker):(.*)$/s.exec(input) : null;
  if (match === null) {
    const name = typeof input === 'string' && /^[a-z0-9][\w./:@-]*$/i.test(input);
    throw new ValueError(
      `${show(input)} is not an image`,
      EXPECTED,
      name ? `did you mean "docker://${input}"?` : undefined,
    );
  }
  const transport = match[1] as ImageReference['transport'];
  let rest = match[2] ?? '';
  if (transport === 'docker') {
    if (!rest.startsWith('//')) {
      throw new ValueError(`${show(input)} is not an image`, EXPECTED, `did you mean "docker://${rest}"?`);
    }
    rest = rest.slice(2);
  }
  const digest = DIGEST.exec(rest)?.[1] ?? null;
  if (digest !== null) {
    rest = rest.slice(0, -digest.length - 1);
  }
  const colon = rest.lastIndexOf(':');
  const tagged = colon > 0 && !rest.slice(colon).includes('/');
  const tag = tagged ? rest.slice(colon + 1) : null;
  const name = tagged ? rest.slice(0, colon) : rest;
  const sound = transport === 'docker' ? REPOSITORY.test(name) : name !== '' && !name.includes('\0');
  if (!sound || (tag !== null && !TAG.test(tag)) || rest.includes('@sha256:')) {
    throw new ValueError(`${show(input)} is not an image`, EXPECTED);
  }
  return { transport, name, tag: tag ?? (transport === 'docker' && digest === null ? 'latest' : null), digest };
}

/** As it is written, without the digest. */
export function referenceText({ transport, name, tag }: ImageReference): string {
  return `${transport}:${transport === 'docker' ? '//' : ''}${name}${tag === null ? '' : `:${tag}`}`;
}

/** 'linux/arm64/v8'. Throws ValueError. */
export function parsePlatform(input: unknown): Platform {
  const parts = typeof input === 'string' ? input.split('/') : [];
  if (parts.length < 2 || parts.length > 3 || !parts.every((p) => /^[a-z0-9_.]+$/.test(p))) {
    throw new ValueError(`${show(input)} is not a platform`, 'OS/ARCHITECTURE[/VARIANT] such as linux/amd64');
  }
  return { os: parts[0] as string, architecture: parts[1] as string, variant: parts[2] ?? null };
}

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' };

/** @param arch as node names it */
export function platformOf(arch: string): Platform {
  return { os: 'linux', architecture: ARCHITECTURES[arch] ?? arch, variant: null };
}
