/** Events sent to a URL as JSON, one after the other, again and again for a while when nobody takes them. */
import { TsboxError } from '../../errors.ts';

const TIMEOUT = 10_000;
const TRIES = 5;
const FIRST_PAUSE = 1000;
/** What waits; the oldest give way. */
const QUEUE = 100;

export class Webhook {
  readonly #url: URL;
  readonly #failed: (message: string) => void;
  readonly #queue: string[] = [];
  readonly #end = new AbortController();
  #sending: Promise<void> | undefined;

  /** @param failed told when an event is given up; the text names the host alone, since a URL may hold a token */
  constructor(url: string, failed: (message: string) => void) {
    this.#url = parseUrl(url);
    this.#failed = failed;
  }

  send(body: string): void {
    if (this.#queue.push(body) > QUEUE) {
      this.#queue.shift();
      this.#failed(`${this.#url.host}: too many events wait; the oldest is not sent`);
    }
    this.#sending ??= this.#run().finally(() => (this.#sending = undefined));
  }

  /** Sends what waits, within a short time. */
  async close(patienceMs = 2000): Promise<void> {
    const timer = setTimeout(() => this.#end.abort(), patienceMs);
    await this.#sending;
    clearTimeout(timer);
  }

  async #run(): Promise<void> {
    for (let body = this.#queue.shift(); body !== undefined; body = this.#queue.shift()) {
      const problem = await this.#deliver(body);
      if (problem !== undefined) {
        this.#failed(`${this.#url.host}: ${problem}; given up after ${TRIES} tries`);
      }
    }
  }

  async #deliver(body: string): Promise<string | undefined> {
    let problem = '';
    for (let attempt = 0; attempt < TRIES && !this.#end.signal.aborted; attempt++) {
      if (attempt > 0) {
        await this.#pause(FIRST_PAUSE * 2 ** (attempt - 1));
      }
      try {
        const response = await fetch(this.#url, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body,
          redirect: 'error',
          signal: AbortSignal.any([this.#end.signal, AbortSignal.timeout(TIMEOUT)]),
        });
        await response.body?.cancel();
        if (response.ok) {
          return undefined;
        }
        problem = `status ${response.status}`;
      } catch (error) {
        problem = (error as { cause?: { code?: string } }).cause?.code ?? (error as Error).name;
      }
    }
    return problem === '' ? 'it ended' : problem;
  }

  #pause(ms: number): Promise<void> {
    const { signal } = this.#end;
    return new Promise((resolve) => {
      const over = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', over);
        resolve();
      };
      const timer = setTimeout(over, ms);
      signal.addEventListener('abort', over);
    });
  }
}

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
    throw new TsboxError('TSB2001', '--webhook takes an http or https URL');
  }
  return url;
}
