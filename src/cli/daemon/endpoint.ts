/** /metrics and /healthz of what runs unattended. */
import type { Arguments } from '../args.ts';
import { parseListen, serve, type Listen, type Page, type Served } from './serve.ts';

/** Where --listen wants them. @throws TsboxError TSB2001 */
export function listenOption(args: Arguments): Listen | undefined {
  return args.values.listen === undefined
    ? undefined
    : parseListen(args.values.listen, args.flags['listen-anywhere'] === true);
}

export interface Vitals {
  /** Prometheus' text. */
  metrics(): string;
  /** Why it is not well; undefined when it is. */
  illness(): string | undefined;
}

export async function serveVitals(listen: Listen | undefined, vitals: Vitals): Promise<Served | undefined> {
  if (listen === undefined) {
    return undefined;
  }
  return serve(listen, (path): Page | undefined => {
    if (path === '/metrics') {
      return { status: 200, type: 'text/plain; version=0.0.4', body: vitals.metrics() };
    }
    if (path === '/healthz') {
      const ill = vitals.illness();
      return { status: ill === undefined ? 200 : 503, type: 'text/plain', body: `${ill ?? 'ok'}\n` };
    }
    return undefined;
  });
}
