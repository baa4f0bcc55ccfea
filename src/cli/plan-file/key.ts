/**
 * The machine's key for saved plans: 32 random bytes that only root reads, made when the first plan is saved. What is
 * derived from it: the seal of the configuration, and the mark by which a plan is known to come from here unchanged.
 */
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf, TsboxError } from '../../errors.ts';

const LENGTH = 32;
const CIPHER = 'aes-256-gcm';
const NONCE = 12;

export interface Sealed {
  readonly cipher: string;
  readonly nonce: string;
  readonly tag: string;
  readonly data: string;
}

export class PlanKey {
  readonly #key: Buffer;

  constructor(key: Buffer) {
    this.#key = key;
  }

  #derived(purpose: string): Buffer {
    return Buffer.from(hkdfSync('sha256', this.#key, '', `tsbox plan ${purpose}`, LENGTH));
  }

  /** A keyed digest, different for each purpose. */
  mark(purpose: string, text: string): string {
    return createHmac('sha256', this.#derived(purpose)).update(text).digest('hex');
  }

  seal(text: string): Sealed {
    const nonce = randomBytes(NONCE);
    const cipher = createCipheriv(CIPHER, this.#derived('seal'), nonce);
    const data = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
    return {
      cipher: CIPHER,
      nonce: nonce.toString('base64'),
      tag: cipher.getAuthTag().toString('base64'),
      data: data.toString('base64'),
    };
  }

  /** @throws Error when it was not sealed with this key, or changed since */
  unseal({ nonce, tag, data }: Sealed): string {
    const decipher = createDecipheriv(CIPHER, this.#derived('seal'), Buffer.from(nonce, 'base64'), {
      authTagLength: 16,
    });
    decipher.setAuthTag(Buffer.from(tag, 'base64'));
    return Buffer.concat([decipher.update(Buffer.from(data, 'base64')), decipher.final()]).toString('utf8');
  }
}

/** The key of this machine; undefined when there is none and none is to be made. */
export function planKey(stateDir: string, make: true): PlanKey;
export function planKey(stateDir: string, make: boolean): PlanKey | undefined;
export function planKey(stateDir: string, make: boolean): PlanKey | undefined {
  const path = join(stateDir, 'plan.key');
  try {
    return new PlanKey(checked(readFileSync(path), path));
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') {
      throw error;
    }
  }
  if (!make) {
    return undefined;
  }
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  // Whole when it is there: of two that make it at once, one has it and both use that.
  const fresh = `${path}.${randomBytes(8).toString('hex')}`;
  const key = randomBytes(LENGTH);
  try {
    writeFileSync(fresh, key, { flag: 'wx', mode: 0o600, flush: true });
    linkSync(fresh, path);
    return new PlanKey(key);
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') {
      return new PlanKey(checked(readFileSync(path), path));
    }
    throw error;
  } finally {
    rmSync(fresh, { force: true });
  }
}

function checked(key: Buffer, path: string): Buffer {
  if (key.length !== LENGTH) {
    throw new TsboxError('TSB3013', `${path} has ${key.length} bytes instead of ${LENGTH}`, {
      hint: 'remove it: plans saved before are refused then, and the next plan -o makes a new one',
    });
  }
  return key;
}
