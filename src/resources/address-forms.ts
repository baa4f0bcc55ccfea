/** What addresses on the command line may look like: as plans print them, patterns, and as Terraform's readers show them. */
import { addressFits } from './container/replica-names.ts';
import { fitsGlob } from './glob.ts';
import type { Address } from './kind.ts';

/** Replicas as plans fold them: container/web[0..2,5]. */
const RANGE = /^(.+)\[(\d+(?:\.\.\d+)?(?:,\d+(?:\.\.\d+)?)*)\]$/;

function inRange(text: string, index: number): boolean {
  return text.split(',').some((part) => {
    const [from = '', to = from] = part.split('..');
    return Number(from) <= index && index <= Number(to);
  });
}

/** One step of Terraform's address: module.shop["eu"]. or tsbox_container.web[0] */
const STEP =
  /^(module|tsbox_[a-z]+)\.((?:[^.["]|\.(?!tsbox_|module\.))+)(?:\[(?:(\d+)|("(?:[^"\\]|\\.)*"))\])?(?:\.|$)/;

function unquoted(text: string): string {
  try {
    return String(JSON.parse(text));
  } catch {
    return text;
  }
}

/** The addresses that one of Terraform's may stand for here; none for what is no such address. */
function fromTerraform(text: string): Address[] {
  let rest = text;
  let prefix = '';
  for (let step = STEP.exec(rest); step !== null; step = STEP.exec(rest)) {
    const [whole, type = '', name = '', index, quoted] = step;
    rest = rest.slice(whole.length);
    const key = quoted === undefined ? undefined : unquoted(quoted);
    if (type === 'module') {
      prefix += key === undefined ? `${name}.` : `${name}.${key}.`;
      continue;
    }
    if (rest !== '') {
      return [];
    }
    const base = `${type.slice('tsbox_'.length)}/${prefix}${name}`;
    if (key === undefined) {
      return [index === undefined ? base : `${base}[${index}]`];
    }
    // A key of for_each, or the path below a cgroup.
    return type === 'tsbox_cgroup' ? [`${base}/${key}`, `${base}.${key}`] : [`${base}.${key}`];
  }
  return [];
}

/** A test for the addresses that a text means. `*` stands for any characters, `?` for one. */
export function addressMatcher(wanted: string): (address: Address) => boolean {
  if (/^(module\.|tsbox_)/.test(wanted)) {
    const meant = fromTerraform(wanted);
    return (address) => meant.some((m) => addressFits(address, m));
  }
  const range = RANGE.exec(wanted);
  if (range !== null && /[.,]/.test(range[2] ?? '')) {
    const [, base = '', indexes = ''] = range;
    return (address) => {
      const own = RANGE.exec(address);
      return own?.[1] === base && inRange(indexes, Number(own[2]));
    };
  }
  if (/[*?]/.test(wanted)) {
    return (address) => fitsGlob(wanted, address);
  }
  return (address) => addressFits(address, wanted);
}
