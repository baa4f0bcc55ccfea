/** An interpreter of seccomp's classic BPF, apart from the code under test. */
export interface SeccompData {
  readonly nr: number;
  readonly arch: number;
  readonly args?: readonly bigint[];
}

/** What the filter returns for one call (SECCOMP_RET_* | data). */
export function runFilter(filter: Uint8Array, data: SeccompData): number {
  return traceFilter(filter, data).answer;
}

/** The same, with how many instructions it took. */
export function traceFilter(filter: Uint8Array, data: SeccompData): { answer: number; steps: number } {
  const view = new DataView(filter.buffer, filter.byteOffset, filter.byteLength);
  const memory = new DataView(new ArrayBuffer(64));
  memory.setUint32(0, data.nr >>> 0, true);
  memory.setUint32(4, data.arch, true);
  (data.args ?? []).forEach((arg, i) => memory.setBigUint64(16 + 8 * i, BigInt.asUintN(64, arg), true));
  let a = 0;
  let steps = 0;
  for (let pc = 0; pc * 8 < filter.length; pc++) {
    steps++;
    const [code, jt, jf, k] = [
      view.getUint16(pc * 8, true),
      view.getUint8(pc * 8 + 2),
      view.getUint8(pc * 8 + 3),
      view.getUint32(pc * 8 + 4, true),
    ];
    if (code === 0x20) a = memory.getUint32(k, true);
    else if (code === 0x54) a = (a & k) >>> 0;
    else if (code === 0x05) pc += k;
    else if (code === 0x06) return { answer: k, steps };
    else {
      const taken = { 0x15: a === k, 0x25: a > k, 0x35: a >= k, 0x45: (a & k) !== 0 }[code];
      if (taken === undefined) throw new Error(`opcode ${code.toString(16)} at ${pc}`);
      pc += taken ? jt : jf;
    }
  }
  throw new Error('ran off the end');
}
