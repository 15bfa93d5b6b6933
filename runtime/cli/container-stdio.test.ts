import { constants, existsSync, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { dirname } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { openContainerStdio } from './container-stdio.ts';

function streams() {
  return { stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough() };
}

describe('standard streams of a container', () => {
  it('carries both outputs whole and apart, and ends them when told to', async () => {
    const own = streams();
    const stdio = await openContainerStdio(own);
    const out = buffer(own.stdout);
    const err = text(own.stderr);
    await execa('sh', ['-c', `head -c 1000000 /dev/zero >${stdio.stdout}; echo oops >${stdio.stderr}`]);
    await execa('sh', ['-c', `echo a second writer >${stdio.stderr}`]);
    await stdio.drained();
    own.stdout.end();
    own.stderr.end();
    expect((await out).length).toBe(1_000_000);
    expect(await err).toBe('oops\na second writer\n');
    await stdio.remove();
    expect(existsSync(dirname(stdio.stdout))).toBe(false);
  });

  it('ends outputs that nobody ever wrote to', async () => {
    const stdio = await openContainerStdio(streams());
    await stdio.drained();
    await stdio.remove();
    await stdio.remove();
  });

  it('hands input on to a reader that comes later, with its end', async () => {
    const own = streams();
    const stdio = await openContainerStdio(own);
    const input = 'x'.repeat(300_000);
    own.stdin.end(input);
    const reader = execa('cat', [stdio.stdin]);
    stdio.forwardStdin();
    expect((await reader).stdout).toBe(input);
    await stdio.drained();
    await stdio.remove();
  });

  it('tells the next shim how much the outputs had, and writes again what the last one lost of the input', async () => {
    const own = streams();
    const stdio = await openContainerStdio(own);
    stdio.forwardStdin();
    own.stdin.write('0123456789');
    await execa('sh', ['-c', `head -c 6 <${stdio.stdin} >${stdio.stdout}`]);
    expect(await stdio.awaitNextShim()).toEqual({ stdoutBytes: 6, stderrBytes: 0 });
    // Of the six, four had reached the container.
    stdio.resumeStdin(4);
    // As the shim does it: the FIFO is open for reading before the last of the input is on its way.
    const fd = openSync(stdio.stdin, constants.O_RDONLY | constants.O_NONBLOCK);
    const reader = text(new Socket({ fd, writable: false }));
    own.stdin.end('abc');
    expect(await reader).toBe('456789abc');
    await execa('sh', ['-c', `echo more >${stdio.stdout}`]);
    expect(await stdio.awaitNextShim()).toEqual({ stdoutBytes: 11, stderrBytes: 0 });
    // The end of the input had reached it too.
    stdio.resumeStdin(14);
    await stdio.drained();
    await stdio.remove();
  });

  it('goes on reading when the own output breaks', async () => {
    const broken = new Writable({ write: (_chunk, _encoding, done) => done(new Error('EPIPE')) });
    const stdio = await openContainerStdio({ ...streams(), stdout: broken });
    await execa('sh', ['-c', `head -c 1000000 /dev/zero >${stdio.stdout}`]);
    await stdio.remove();
  });
});
