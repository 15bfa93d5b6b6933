import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { acceleratorRecord } from '../../proto/accelerator.ts';
import { Fault } from '../../proto/fault.ts';
import { HelloScanner, helloLine } from '../../proto/hello.ts';
import { runPaths } from '../../proto/paths.ts';
import { createNodeSystem } from '../system/node/system.ts';
import type { ByteStream, System } from '../system/port.ts';
import type { VmExit, VmmDriver, VmSpec } from '../vmm/port.ts';
import { chooseAccelerator, noticesOf } from './accelerator.ts';

/** A host on which KVM works cannot be had everywhere: files, locks' rules and sockets are real, the VMM is not. */
const nodeSystem = createNodeSystem();
let directory: string;
let bootId: string;
let started: VmSpec[];
let locked: Set<string>;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-accelerator-'));
  bootId = 'boot-1';
  started = [];
  locked = new Set();
});
afterEach(() => rm(directory, { recursive: true }));

const host = () => ({
  system: {
    ...nodeSystem,
    // A clock that runs fast: silence is soon long enough.
    now: () => nodeSystem.now() * 30,
    readFile: async (path: string) =>
      path.endsWith('/boot_id') ? new TextEncoder().encode(`${bootId}\n`) : nodeSystem.readFile(path),
  } satisfies System,
  tryLock(path: string) {
    if (locked.has(path)) return undefined;
    locked.add(path);
    return { fd: 0, close: () => void locked.delete(path) };
  },
});

const file = (name: string) => ({ file: name, sha256: name });
const guest = {
  directory: '/guest',
  manifest: { kernelVersion: '6', kernel: file('k'), initrd: file('i'), root: file('r'), packages: [] },
};

type Behaviour = 'hello' | 'silent' | 'ends' | 'refuses';

function driver(behaviour: Behaviour): Pick<VmmDriver, 'start'> {
  return {
    async start(spec, { endsWithParent }) {
      expect(endsWithParent).toBe(true);
      started.push(spec);
      if (behaviour === 'refuses') throw new Fault('exec', 'Could not access KVM kernel module');
      let end = (_exit: VmExit): void => {};
      const exited = new Promise<VmExit>((resolve) => {
        end = resolve;
      });
      const streams: ByteStream[] = [];
      const listener = await nodeSystem.listen(spec.ports[0]?.socket ?? '', (stream) => {
        streams.push(stream);
        if (behaviour === 'hello') void greet(stream);
        if (behaviour === 'ends') kill();
      });
      const kill = () => {
        for (const stream of streams) stream.close();
        end({ code: 1, signal: 0, lastWords: 'KVM internal error' });
      };
      if (behaviour !== 'silent') await writeFile(spec.console, 'Linux version 6');
      return {
        process: { pid: 1, startTicks: 1 },
        exited,
        disks: async () => [],
        resizeDisk: async () => {},
        throttleDisk: async () => {},
        resume: async () => {},
        onDiskError: () => {},
        async kill() {
          kill();
          await listener.close();
        },
      };
    },
  };
}

async function greet(stream: ByteStream): Promise<void> {
  const scanner = new HelloScanner();
  for (let chunk = await stream.read(); chunk !== undefined; chunk = await stream.read()) {
    const found = scanner.push(chunk);
    if (found !== undefined) await stream.write(helloLine(found.nonce));
  }
}

const choose = (behaviour: Behaviour, changes: { vmm?: string; hasKvm?: boolean; checkWanted?: () => void } = {}) =>
  chooseAccelerator(host(), 'auto', {
    run: runPaths(directory),
    driver: driver(behaviour),
    vmm: changes.vmm,
    capabilities: {
      version: 'QEMU 7.2.22',
      accelerators: changes.hasKvm === false ? ['tcg'] : ['tcg', 'kvm'],
      virtioBlk: true,
      ioUring: false,
      nineP: true,
    },
    guest,
    checkWanted: changes.checkWanted ?? (() => {}),
  });
const remains = () => readdir(directory, { recursive: true }).then((names) => names.sort());

describe('accelerator auto', () => {
  it('is KVM where a guest says hello under it, and asks once for a boot of the host', async () => {
    expect(await choose('hello')).toMatchObject({ chosen: 'kvm', reason: expect.stringContaining('said hello') });
    expect(await choose('refuses')).toMatchObject({ chosen: 'kvm' });
    expect(started).toMatchObject([{ accelerator: 'kvm', kernel: '/guest/k', disks: [{ readOnly: true }] }]);
    expect(await remains()).toEqual(['accelerator', 'accelerator.json']);
  });

  it.each([
    ['another boot', () => (bootId = 'boot-2'), {}],
    ['another VMM', () => {}, { vmm: '/opt/qemu' }],
    ['a record that cannot be read', () => writeFile(`${directory}/accelerator.json`, '{"v": 9}'), {}],
  ])('asks again after %s', async (_, change, changes) => {
    await choose('hello');
    await change();
    await choose('hello', changes);
    expect(started).toHaveLength(2);
  });

  it('is TCG where the guest never says a word, and remembers', async () => {
    expect(await choose('silent')).toMatchObject({ chosen: 'tcg', reason: expect.stringContaining('said nothing') });
    expect(await choose('hello')).toMatchObject({ chosen: 'tcg' });
    const path = `${directory}/accelerator.json`;
    const text = new TextDecoder().decode(await nodeSystem.readFile(path));
    expect(acceleratorRecord.decode(text, path)).toMatchObject({ bootId: 'boot-1', chosen: 'tcg', kernel: 'k' });
  });

  it.each([
    ['does not start', 'refuses', 'Could not access KVM'],
    ['ends', 'ends', 'KVM internal error'],
  ] as const)('is TCG where the VMM %s, in its own words, but asks again', async (_, behaviour, words) => {
    expect(await choose(behaviour)).toMatchObject({ chosen: 'tcg', reason: expect.stringContaining(words) });
    expect(await choose('hello')).toMatchObject({ chosen: 'kvm' });
  });

  it('is TCG without a trial where there is no KVM', async () => {
    expect(await choose('hello', { hasKvm: false })).toMatchObject({ chosen: 'tcg' });
    expect([started, await remains()]).toEqual([[], []]);
  });

  it('is tried by one; the others wait for its answer', async () => {
    const answers = await Promise.all([choose('hello'), choose('hello'), choose('hello')]);
    expect(answers.map(({ chosen }) => chosen)).toEqual(['kvm', 'kvm', 'kvm']);
    expect(started).toHaveLength(1);
  });

  it('is not waited for by a pod that is stopped', async () => {
    locked.add(`${directory}/accelerator/lock`);
    const stopped = () => {
      throw new Fault('precondition', 'stopped');
    };
    await expect(choose('hello', { checkWanted: stopped })).rejects.toThrow('stopped');
  });
});

describe('the notice', () => {
  const choices = [{ source: 'accelerator', chosen: 'tcg', reason: 'there is no /dev/kvm' }];
  it.each([
    ['auto', choices, 1],
    ['', choices, 1],
    ['tcg', choices, 0],
    ['auto', [{ ...choices[0], chosen: 'kvm' }] as typeof choices, 0],
  ])('for the wish "%s"', (wish, given, count) => {
    expect(noticesOf(wish, given)).toHaveLength(count);
  });
});
