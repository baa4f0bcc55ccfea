/** Typing at a program that has a terminal. */
import { CLI, type Run, type Sandbox } from './sandbox.ts';

/** A terminal of our own around a command: python's pty, told what to type once it has seen what it waits for. */
const DRIVER = `
import os, pty, select, sys, time, fcntl, termios, struct
steps = eval(sys.argv[1])
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('HHHH', 33, 111, 0, 0))
seen = b''
end = time.time() + 60
for wait, send in steps:
    while wait.encode() not in seen:
        if time.time() > end:
            sys.stdout.write('NEVER CAME: ' + wait + ' in ' + repr(seen)); sys.exit(99)
        if select.select([fd], [], [], 0.2)[0]:
            try: data = os.read(fd, 4096)
            except OSError: data = b''
            if not data: break
            seen += data
    os.write(fd, send.encode())
while True:
    try: data = os.read(fd, 4096)
    except OSError: break
    if not data: break
    seen += data
_, status = os.waitpid(pid, 0)
sys.stdout.write(seen.decode(errors='replace'))
sys.exit(os.waitstatus_to_exitcode(status))
`;

/** Runs tsbox on a terminal: each step waits for a text and then types. */
export function typed(box: Sandbox, steps: ReadonlyArray<readonly [string, string]>, ...args: string[]): Promise<Run> {
  const script = `[${steps.map(([wait, send]) => `(${JSON.stringify(wait)}, ${JSON.stringify(send)})`).join(', ')}]`;
  return box.run('python3', ['-c', DRIVER, script, process.execPath, CLI, ...args]);
}
