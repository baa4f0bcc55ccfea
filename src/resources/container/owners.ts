/**
 * Who owns the namespaces that a container joins beside a user namespace. Rights over a namespace are rights in the user
 * namespace that owns it (user_namespaces(7), "Interaction of user namespaces and other types of namespaces"): in what
 * another one owns the container could do nothing, not even enter it again by setns(2), and its stack is refused.
 */
import { TsboxError } from '../../errors.ts';
import { NAMESPACE_TYPES, type NamespaceType } from '../../kernel/init-spec.ts';
import { namespaceInode } from '../../kernel/proc.ts';
import type { KernelReader } from '../../kernel/reader.ts';
import type { Stack } from '../../stack/types.ts';
import type { Problem } from '../kind.ts';
import type { NamespaceUse } from '../namespace/schema.ts';
import { readScope, type StackScope } from '../scope.ts';
import { namespaceFile, targetInode } from './namespaces.ts';
import type { ContainerSpec } from './schema.ts';
import { useText } from './use-text.ts';

/** A user namespace by what the stack calls it, or one that only the kernel knows. */
type Owner = { readonly known: string } | { readonly live: NamespaceUse };

const HOST: Owner = { known: 'host' };

function owner(stack: Stack, spec: ContainerSpec, type: NamespaceType): Owner {
  const use = spec.namespaces[type];
  switch (use.kind) {
    case 'host':
      return HOST;
    case 'new':
      return type === 'user' ? { known: `container/${spec.name}` } : owner(stack, spec, 'user');
    case 'declared':
      // Declared namespaces are made with the host's rights; a user namespace is what is asked about itself.
      return type === 'user' ? { known: `namespace/${use.name}` } : HOST;
    case 'container': {
      const other = use.stack === null ? stack.containers.get(use.name) : undefined;
      return other === undefined ? { live: use } : owner(stack, other, type);
    }
    case 'pid':
    case 'path':
      return { live: use };
  }
}

/** Reports every namespace that the container could not join, and a /proc that it could not mount. */
export function checkOwners(
  spec: ContainerSpec,
  stack: Stack,
  reader: KernelReader,
  report: (problem: Problem) => void,
): void {
  const { user, mnt, pid } = spec.namespaces;
  if (user.kind === 'host') {
    return;
  }
  const own = owner(stack, spec, 'user');
  const joined = NAMESPACE_TYPES.filter((t) => t !== 'user' && !['new', 'host'].includes(spec.namespaces[t].kind));
  const seen = new Live(reader, stack.name);
  const refuse = (type: NamespaceType, other: string, what: string, hint: string): void => {
    const address = `container/${spec.name}`;
    const of = useText(spec.namespaces[type]);
    report({
      severity: 'error',
      error: new TsboxError('TSB1009', `${address}: the ${type} namespace of ${of} is owned by ${other}, ${what}`, {
        at: stack.locate(address, ['namespaces', type]),
        address,
        hint,
      }),
    });
  };
  // A user namespace of its own is young: what it joins is older, and was meant to be lent.
  if (user.kind !== 'new') {
    for (const type of joined) {
      const other = seen.stranger(spec.namespaces[type], type, owner(stack, spec, type), own);
      if (other !== undefined) {
        const hint = `join one that ${useText(user)} owns: let a container in that user namespace have a new one`;
        refuse(type, other, `and nothing in that of ${useText(user)} has rights over it`, hint);
        return;
      }
    }
  }
  if (mnt.kind === 'new' && joined.includes('pid')) {
    const other = seen.stranger(pid, 'pid', owner(stack, spec, 'pid'), own);
    if (other !== undefined) {
      const hint = 'share the user namespace too, or the mnt namespace, or have a new pid namespace';
      refuse('pid', other, "and only from there can the container's /proc be mounted", hint);
    }
  }
}

/** Comparisons that need the kernel, which is asked only then. */
class Live {
  readonly #reader: KernelReader;
  readonly #stack: string;
  #scope: StackScope | undefined;

  constructor(reader: KernelReader, stack: string) {
    this.#reader = reader;
    this.#stack = stack;
  }

  get #found(): StackScope {
    return (this.#scope ??= readScope(this.#reader, this.#stack));
  }

  /** The owner's name when it is neither `own` nor below it; undefined also where it cannot be known. */
  stranger(use: NamespaceUse, type: NamespaceType, who: Owner, own: Owner): string | undefined {
    if ('known' in who && 'known' in own) {
      return who.known === own.known ? undefined : called(who.known);
    }
    const inode = this.#inodeOf(own);
    const chain = this.#chain(use, type);
    if (inode === undefined || chain === undefined || chain.includes(inode)) {
      return undefined;
    }
    return chain[0] === this.#host() ? called('host') : `the user namespace user:[${chain[0]}]`;
  }

  #host(): string | undefined {
    const link = this.#reader.readLinks(['/proc/self/ns/user'])[0];
    return typeof link === 'string' ? namespaceInode(link) : undefined;
  }

  #inodeOf(own: Owner): string | undefined {
    return targetInode(this.#reader, this.#found, 'known' in own ? own.known : useText(own.live), 'user');
  }

  /** Inodes of the user namespaces above the namespace, nearest first. */
  #chain(use: NamespaceUse, type: NamespaceType): readonly string[] | undefined {
    const file = namespaceFile(this.#reader, this.#found, useText(use), type);
    const owners = file === undefined ? undefined : this.#reader.namespaceOwners([file.path])[0];
    return typeof owners === 'string' ? owners.split(' ') : undefined;
  }
}

function called(known: string): string {
  return known === 'host' ? "the host's user namespace" : `the user namespace of ${known}`;
}
