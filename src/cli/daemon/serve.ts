/** /metrics and /healthz over HTTP, on the loopback or a unix socket. */
import { chmodSync, lstatSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { connect, isIP } from 'node:net';
import { TsboxError } from '../../errors.ts';

export type Listen = { readonly path: string } | { readonly host: string; readonly port: number };

/**
 * Reads ADDRESS:PORT, [ADDRESS]:PORT or unix:PATH.
 * @param anywhere whether an address that others reach is meant
 */
export function parseListen(text: string, anywhere: boolean): Listen {
  if (text.startsWith('unix:/')) {
    return { path: text.slice('unix:'.length) };
  }
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  const name = match?.[1] ?? match?.[2] ?? '';
  const host = name === 'localhost' ? '127.0.0.1' : name;
  if (match === null || isIP(host) === 0 || port > 65_535) {
    throw new TsboxError('TSB2001', `--listen takes ADDRESS:PORT or unix:/PATH, not '${text}'`, {
      hint: '127.0.0.1:9180, [::1]:9180, unix:/run/tsbox/watch/http.sock',
    });
  }
  if (!anywhere && !isLoopback(host)) {
    throw new TsboxError('TSB2001', `${host} can be reached by others, who would read the names and drift of stacks`, {
      hint: 'listen on 127.0.0.1 or a unix socket; --listen-anywhere if that is meant',
    });
  }
  return { host, port };
}

function isLoopback(host: string): boolean {
  return /^127\.\d+\.\d+\.\d+$/.test(host) || host === '::1';
}

export interface Page {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

export interface Served {
  /** Where it listens, as people write it. */
  readonly address: string;
  close(): Promise<void>;
}

/** @param page what a path shows; undefined for none */
export async function serve(listen: Listen, page: (path: string) => Page | undefined): Promise<Served> {
  const server = createServer((request, response) => {
    const shown = ['GET', 'HEAD'].includes(request.method ?? '')
      ? page((request.url ?? '').split('?')[0] ?? '')
      : undefined;
    const { status, type, body } = shown ?? { status: 404, type: 'text/plain', body: 'not here\n' };
    response.writeHead(status, { 'content-type': `${type}; charset=utf-8`, connection: 'close' });
    response.end(request.method === 'HEAD' ? '' : body);
  });
  server.requestTimeout = 10_000;
  server.maxConnections = 32;
  if ('path' in listen) {
    await removeStale(listen.path);
  }
  await listening(server, listen);
  if ('path' in listen) {
    chmodSync(listen.path, 0o600);
  }
  const at = server.address();
  return {
    address: typeof at === 'object' && at !== null ? `${at.address}:${at.port}` : `unix:${String(at)}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listening(server: Server, listen: Listen): Promise<void> {
  const where = 'path' in listen ? listen.path : `${listen.host}:${listen.port}`;
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) =>
      reject(new TsboxError('TSB3001', `cannot listen on ${where}: ${cause.code ?? cause.message}`, { cause })),
    );
    // Nobody else can connect before the mode is set: the umask decides until then.
    const before = process.umask(0o177);
    server.listen(listen, () => resolve());
    process.umask(before);
  });
}

/** A socket that nobody answers on any more; anything else there is left, and listening will say so. */
async function removeStale(path: string): Promise<void> {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() !== true) {
    return;
  }
  const answered = await new Promise<boolean>((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
  if (!answered) {
    rmSync(path, { force: true });
  }
}
