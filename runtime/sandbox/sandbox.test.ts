import { describe, expect, it } from 'vitest';
import type { AgentMethods } from '../../proto/agent.ts';
import { Fault } from '../../proto/fault.ts';
import { parsePodUid, parseSandboxId } from '../../proto/ids.ts';
import { sandboxRecord } from '../../proto/sandbox-record.ts';
import { volumeAttachmentRecord } from '../../proto/volume-attachment.ts';
import { volumeLeaseRecord, workLeaseRecord } from '../../proto/volume-lease.ts';
import { UUID } from './testing/fake-guest.ts';
import { FakeWorld } from './testing/fake-world.ts';

const LEASE = 'lease /pool/volumes/data/lease';
const leaseText = (podUid: string, sandboxId: string): string =>
  volumeLeaseRecord.encode({
    podUid: parsePodUid(podUid),
    sandboxId: parseSandboxId(sandboxId),
    node: '',
    takenAtMs: 1,
  });

const refuse = (code: Fault['code'], message: string) => async (): Promise<never> => {
  throw new Fault(code, message);
};

const never = () => new Promise<never>(() => {});

/** Nothing of the pod is left: descriptors, the VM, the directory. */
function expectNothingLeft(world: FakeWorld): void {
  expect([...world.open.values()]).toEqual([]);
  expect(world.journal.filter((event) => event === 'release')).toHaveLength(1);
  expect([...world.files.keys()].filter((path) => path.startsWith(world.paths.directory))).toEqual([]);
}

describe('a pod', () => {
  it('is created, started, ends, and is stopped', async () => {
    const world = new FakeWorld();
    const sandbox = await world.sandbox();
    const { phases, reasons } = await sandbox.create(world.request());
    expect(phases.map(({ name }) => name)).toEqual(['plan', 'vmm', 'boot', 'network', 'volumes', 'containers']);
    expect(reasons).toContainEqual(expect.stringMatching(/^volume pool\.node\.data: virtio-blk; /));
    expect(world.journal).toEqual([
      `VM holding ${LEASE}`,
      'setUpSandbox',
      'checkBlank',
      'recorded formatting',
      'formatVolume',
      'recorded formatted',
      'mountVolume',
      'createContainer',
    ]);
    expect([...world.open.values()]).not.toContain(LEASE); // the VM alone holds it
    expect(sandboxRecord.decode(world.files.get(world.paths.record) ?? '', 'pod.json')).toMatchObject({
      state: 'running',
      podUid: 'u',
      vmm: { pid: 7 },
      volumes: [{ volumeId: 'pool.node.data', containerId: 'main', containerPath: '/data' }],
      containers: [{ id: 'main', stdioId: 1, stdin: '/main/stdin', isStartAsked: false }],
    });

    await sandbox.start('');
    await sandbox.kill('', 2, false);
    expect(await sandbox.wait('')).toBe(130);
    await sandbox.stop(1_000);
    await sandbox.ended;
    expect(world.journal.slice(-4)).toEqual(['removeContainer', 'shutdown', 'VM killed', 'release']);
    expectNothingLeft(world);
  });

  it('is the one that the very path was published for, also when others have the volume as well', async () => {
    const world = new FakeWorld();
    const own = `${world.run.volumes}/u/data.json`;
    const attachment = volumeAttachmentRecord.decode(world.files.get(own) ?? '', own);
    const another = { ...attachment, podUid: parsePodUid('a'), readOnly: true, targetPath: '/kubelet/a/mount' };
    world.files.delete(own);
    world.files.set(`${world.run.volumes}/a/data.json`, volumeAttachmentRecord.encode(another));
    world.files.set(own, volumeAttachmentRecord.encode(attachment));
    const sandbox = await world.sandbox();
    await sandbox.create(world.request());
    expect(sandboxRecord.decode(world.files.get(world.paths.record) ?? '', 'pod.json')).toMatchObject({
      podUid: 'u',
      volumes: [{ readOnly: false }],
    });
    await sandbox.stop(1_000);
  });

  it('whose container runs is told to end first', async () => {
    const world = new FakeWorld({ state: 'formatted', uuid: 'u' });
    const sandbox = await world.sandbox();
    await sandbox.create(world.request());
    await sandbox.start('');
    await Promise.all([sandbox.stop(1_000), sandbox.stop(5)]);
    expect(await sandbox.wait('')).toBe(143);
    expect(world.journal.filter((event) => event === 'signalContainer')).toHaveLength(1);
    expectNothingLeft(world);
  });

  it('whose guest hangs is killed when its time is up', async () => {
    const world = new FakeWorld({ state: 'formatted', uuid: 'u' });
    world.guest.agent = { signalContainer: never, removeContainer: never, shutdown: never };
    const sandbox = await world.sandbox();
    await sandbox.create(world.request());
    await sandbox.start('');
    await sandbox.stop(20);
    await expect(sandbox.wait('')).rejects.toMatchObject({ code: 'precondition', message: 'sandbox pod was stopped' });
    expectNothingLeft(world);
  });

  it.each([
    ['cannot be removed', refuse('exec', 'no')],
    ['hangs when it is removed', never],
  ])('whose container %s has its guest sync and power off all the same', async (_what, removeContainer) => {
    const world = new FakeWorld({ state: 'formatted', uuid: 'u' });
    world.guest.agent = { signalContainer: refuse('exec', 'no'), removeContainer };
    const sandbox = await world.sandbox();
    await sandbox.create(world.request());
    await sandbox.start('');
    await sandbox.stop(400);
    expect(world.journal.slice(-4)).toEqual(['removeContainer', 'shutdown', 'VM killed', 'release']);
    expectNothingLeft(world);
  });

  it('is created once', async () => {
    const world = new FakeWorld();
    const sandbox = await world.sandbox();
    await sandbox.create(world.request());
    expect(() => sandbox.create(world.request())).toThrow(expect.objectContaining({ code: 'exists' }));
    await sandbox.stop(1_000);
  });

  it('fails when its VMM dies, and says what the guest said last', async () => {
    const world = new FakeWorld();
    const sandbox = await world.sandbox();
    await sandbox.create(world.request());
    await sandbox.start('');
    world.vmm.kill({ signal: 9, lastWords: 'qemu: out of memory' });
    await expect(sandbox.wait('')).rejects.toMatchObject({
      code: 'exec',
      message: 'the VMM of sandbox pod was killed by signal 9: qemu: out of memory',
      fields: { console: 'Linux\nlast words of the guest' },
    });
    await sandbox.ended;
    await expect(sandbox.start('')).rejects.toMatchObject({ code: 'precondition' });
    expectNothingLeft(world);
  });
});

describe('a pod of several containers', () => {
  const two = (world: FakeWorld) =>
    world.request({ containers: [world.container('main'), world.container('log', { stdin: '' })] });

  it('has them created in their order, started and waited for by name, and ended with the main one first', async () => {
    const world = new FakeWorld({ state: 'formatted', uuid: 'u' });
    const sandbox = await world.sandbox();
    await sandbox.create(two(world));
    expect(world.journal.slice(-2)).toEqual(['createContainer', 'createContainer log']);
    await expect(sandbox.wait('web')).rejects.toMatchObject({
      code: 'not-found',
      message: expect.stringMatching(/no container web$/),
    });
    await sandbox.start('log');
    await sandbox.start('main');
    expect(world.record?.containers).toMatchObject([
      { id: 'main', stdioId: 1, stdin: '/main/stdin', isStartAsked: true },
      { id: 'log', stdioId: 2, stdin: '', isStartAsked: true },
    ]);
    await sandbox.stop(1_000);
    expect(await sandbox.wait('')).toBe(143);
    expect(await sandbox.wait('log')).toBe(143);
    expect(world.journal.filter((event) => /^(signal|remove)Container/.test(event))).toEqual([
      ...['signalContainer', 'signalContainer log', 'removeContainer', 'removeContainer log'],
    ]);
    expectNothingLeft(world);
  });

  it('goes on when one of them has ended, and tells that one nothing any more', async () => {
    const world = new FakeWorld({ state: 'formatted', uuid: 'u' });
    const sandbox = await world.sandbox();
    await sandbox.create(two(world));
    await sandbox.start('log');
    await sandbox.start('');
    await sandbox.kill('log', 9, false);
    expect(await sandbox.wait('log')).toBe(137);
    await sandbox.kill('', 2, false);
    expect(await sandbox.wait('main')).toBe(130);
    await sandbox.stop(1_000);
    expect(world.journal.filter((event) => event.startsWith('signal'))).toEqual([
      ...['signalContainer log', 'signalContainer'],
    ]);
    expectNothingLeft(world);
  });

  it('whose second cannot be made leaves nothing, and says which', async () => {
    const world = new FakeWorld({ state: 'formatted', uuid: 'u' });
    world.guest.agent = {
      createContainer: async ({ containerId }) => {
        if (containerId === 'log') throw new Fault('precondition', 'the sub path "a" leads out of the volume');
        return {};
      },
    };
    const sandbox = await world.sandbox();
    await expect(sandbox.create(two(world))).rejects.toMatchObject({
      code: 'precondition',
      message: 'container log: the sub path "a" leads out of the volume',
      fields: { containerId: 'log' },
    });
    expectNothingLeft(world);
  });

  it('is resumed as a whole by the next shim: those that were started are started again', async () => {
    const world = new FakeWorld({ state: 'formatted', uuid: 'u' });
    const killed = await world.sandbox();
    await killed.create(two(world));
    await killed.start('log');
    const sandbox = await world.adoptingSandbox();
    const resumed = await sandbox.resume(new Map([['log', { stdout: 0, stderr: 0 }]]));
    expect([...resumed]).toEqual([
      ['main', 0],
      ['log', 0],
    ]);
    const since = world.journal.slice(world.journal.indexOf('VM 7 adopted') + 1);
    expect(since).toEqual(['startContainer log', 'waitContainer log']);
    await sandbox.kill('log', 15, false);
    expect(await sandbox.wait('log')).toBe(143);
    await sandbox.stop(1_000);
    expectNothingLeft(world);
  });
});

describe('a failed Create leaves nothing', () => {
  const methods: (keyof AgentMethods)[] = [
    'setUpSandbox',
    'checkBlank',
    'formatVolume',
    'mountVolume',
    'createContainer',
  ];

  it.each(methods)('when the guest refuses %s', async (method) => {
    const world = new FakeWorld();
    world.guest.agent = { [method]: refuse('exec', 'no') };
    const sandbox = await world.sandbox();
    const failed = await sandbox.create(world.request()).catch((error: unknown) => error);
    expect(failed).toMatchObject({
      code: 'exec',
      message: expect.stringMatching(/no$/),
      fields: { console: 'Linux\nlast words of the guest' },
    });
    expectNothingLeft(world);
  });

  it.each(methods)('when the VMM dies in %s', async (method) => {
    const world = new FakeWorld();
    world.guest.agent = {
      [method]: () => {
        world.vmm.kill({ signal: 11 });
        return never();
      },
    };
    const sandbox = await world.sandbox();
    await expect(sandbox.create(world.request())).rejects.toMatchObject({
      code: 'exec',
      message: expect.stringMatching(/the VMM of sandbox pod was killed by signal 11$/),
    });
    expectNothingLeft(world);
  });

  it('when the guest does not say hello', async () => {
    const world = new FakeWorld();
    world.guest.saysHello = false;
    const sandbox = await world.sandbox();
    await expect(sandbox.create(world.request({ bootTimeoutMs: 10 }))).rejects.toMatchObject({
      code: 'timeout',
      message: expect.stringMatching(/^the guest did not say hello on berth\.control within 10 ms; .*--boot-timeout/),
      fields: { console: 'Linux\nlast words of the guest' },
    });
    expectNothingLeft(world);
  });

  it('for a record that cannot be read, where it may be what is asked for; else it is not even looked at', async () => {
    const world = new FakeWorld({ state: 'formatted', uuid: 'u' });
    world.files.set(`${world.run.volumes}/another/v.json`, 'no JSON');
    const sandbox = await world.sandbox();
    await sandbox.create(world.request({ podUid: 'u' }));
    await sandbox.stop(1_000);

    const missing = new FakeWorld();
    missing.files.delete(`${missing.run.volumes}/u/data.json`);
    missing.files.set(`${missing.run.volumes}/another/v.json`, 'no JSON');
    const refused = (await missing.sandbox()).create(missing.request({ podUid: 'u' }));
    await expect(refused).rejects.toMatchObject({
      code: 'malformed',
      message: expect.stringMatching(/another\/v\.json/),
    });
    expectNothingLeft(missing);
  });

  it('when it is stopped meanwhile', async () => {
    const world = new FakeWorld();
    let arrived = (): void => {};
    const boot = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    world.guest.agent = {
      setUpSandbox: () => {
        arrived();
        return never();
      },
    };
    const sandbox = await world.sandbox();
    const created = sandbox.create(world.request()).catch((error: unknown) => error);
    await boot;
    await sandbox.stop(1_000);
    expect(await created).toMatchObject({ code: 'precondition', message: 'sandbox pod was stopped' });
    expectNothingLeft(world);
  });

  it('when it is stopped before it begins', async () => {
    const world = new FakeWorld();
    const sandbox = await world.sandbox();
    await sandbox.stop(0);
    expect(() => sandbox.create(world.request())).toThrow(expect.objectContaining({ code: 'exists' }));
    expectNothingLeft(world);
  });

  it.each([
    ['a guest without kernel', '/guest/kernel', 'environment', /kernel is missing.*npm run build/],
    ['no guest at all', '/guest/manifest.json', 'environment', /guest image is missing.*npm run build/],
    ['no bundle', '/bundle/config.json', 'not-found', /no OCI bundle/],
    ['no attachment', '/run/berth/volumes/u/data.json', 'precondition', /no volume is published there/],
    ['no placeholder', '/proc/self/mountinfo', 'precondition', /nothing is mounted/],
    ['a volume that was deleted', '/pool/volumes/data/spec.json', 'precondition', /was the volume deleted/],
  ])('of %s, and boots nothing', async (_what, missing, code, message) => {
    const world = new FakeWorld();
    world.files.delete(missing);
    const sandbox = await world.sandbox();
    const created = sandbox.create(world.request());
    await expect(created).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    expect(world.journal).toEqual(['release']);
    expectNothingLeft(world);
  });

  it('for a namespace that berth never wired', async () => {
    const world = new FakeWorld();
    const sandbox = await world.sandbox();
    await expect(sandbox.create(world.request({ netnsPath: '/run/netns/a' }))).rejects.toMatchObject({
      code: 'precondition',
      message: expect.stringContaining('run CNI ADD'),
    });
    expectNothingLeft(world);
  });

  const made = new FakeWorld();
  it.each([
    [{ containers: [] }, 'containers'],
    [{ containers: [made.container('../x')] }, 'containers.id'],
    [{ containers: [made.container('a'), made.container('a')] }, 'containers.id'],
    [{ containers: [made.container('a', { bundle: 'b' })] }, 'containers.bundle'],
    [{ netnsPath: 'n' }, 'netns_path'],
    [{ guestDirectory: '' }, 'guest_directory'],
    [{ accelerator: 'hvf' }, 'accelerator'],
    [{ podUid: '../x' }, 'pod_uid'],
    [
      {
        containers: [
          made.container('a', {
            volumes: [{ targetPath: 't', containerPath: '/c', readOnly: false, subPath: '', isDevice: false }],
          }),
        ],
      },
      'containers.volumes.target_path',
    ],
  ])('of a malformed request %j, naming the field', async (change, field) => {
    const world = new FakeWorld();
    const sandbox = await world.sandbox();
    await expect(sandbox.create(world.request(change))).rejects.toMatchObject({ code: 'invalid', fields: { field } });
  });
});

describe('the data', () => {
  it('of another VM are refused, with its name and the way out', async () => {
    const world = new FakeWorld();
    world.leaseHeldBy = leaseText('other-pod', 'other-sandbox');
    const sandbox = await world.sandbox();
    await expect(sandbox.create(world.request())).rejects.toMatchObject({
      code: 'precondition',
      message: expect.stringMatching(
        /^volume pool\.node\.data is in use by pod other-pod \(sandbox other-sandbox\).*strategy: Recreate/,
      ),
    });
    expect(world.journal).toEqual(['release']);
  });

  it('that the driver copies are refused, with what it does', async () => {
    const world = new FakeWorld();
    world.leaseHeldBy = workLeaseRecord.encode({ purpose: 'it is being copied for snapshot s_a', takenAtMs: 1 });
    const sandbox = await world.sandbox();
    await expect(sandbox.create(world.request())).rejects.toMatchObject({
      code: 'precondition',
      message: 'volume pool.node.data is in use: it is being copied for snapshot s_a; try again when that is done',
    });
    expect(world.journal).toEqual(['release']);
  });

  it('are waited for while somebody only looks at the lease', async () => {
    const world = new FakeWorld({ state: 'formatted', uuid: 'u' });
    world.leaseHeldBy = '';
    world.onSleep = () => {
      world.leaseHeldBy = undefined;
    };
    const sandbox = await world.sandbox();
    await sandbox.create(world.request());
    await sandbox.stop(1_000);
    expectNothingLeft(world);
  });

  it('that carry a foreign signature are left alone: the record stays `never`', async () => {
    const world = new FakeWorld();
    world.guest.agent = { checkBlank: refuse('precondition', 'the device has a signature of xfs') };
    const sandbox = await world.sandbox();
    await expect(sandbox.create(world.request())).rejects.toMatchObject({
      code: 'precondition',
      message: 'volume pool.node.data: the device has a signature of xfs',
    });
    expect(world.filesystem).toEqual({ state: 'never' });
    expect(world.journal).not.toContain('formatVolume');
  });

  it('are formatted anew after a crash within mkfs', async () => {
    const world = new FakeWorld({ state: 'formatting' });
    const resumes: boolean[] = [];
    world.guest.agent = {
      formatVolume: async ({ resume }) => {
        resumes.push(resume);
        return { uuid: UUID };
      },
    };
    const sandbox = await world.sandbox();
    await sandbox.create(world.request());
    expect(resumes).toEqual([true]);
    expect(world.journal).not.toContain('checkBlank');
    expect(world.filesystem).toMatchObject({ state: 'formatted', uuid: UUID });
    await sandbox.stop(1_000);
  });

  it('are never formatted again once a guest may have mounted them', async () => {
    const world = new FakeWorld({ state: 'formatted', uuid: 'first' });
    const sandbox = await world.sandbox();
    await sandbox.create(world.request());
    expect(world.journal).toEqual([`VM holding ${LEASE}`, 'setUpSandbox', 'mountVolume', 'createContainer']);
    expect(world.filesystem).toEqual({ state: 'formatted', uuid: 'first' });
    await sandbox.stop(1_000);
  });

  it('are judged by the record under the lease, not by the one that was planned with', async () => {
    const world = new FakeWorld({ state: 'formatting' });
    world.guest.agent = {
      setUpSandbox: async () => {
        // Another pod, which had the lease when this one was planned, finished the job.
        world.filesystem = { state: 'formatted', uuid: 'of-the-other' };
        return {};
      },
    };
    const sandbox = await world.sandbox();
    await sandbox.create(world.request());
    expect(world.journal).not.toContain('formatVolume');
    await sandbox.stop(1_000);
  });
});

describe('a pod whose shim was killed', () => {
  it('is resumed by the next one: what was asked of the guest is asked again', async () => {
    const world = new FakeWorld({ state: 'formatted', uuid: 'u' });
    const killed = await world.sandbox();
    await killed.create(world.request());
    await killed.start('');
    const sandbox = await world.adoptingSandbox();
    expect(await sandbox.resume(new Map())).toEqual(new Map([['main', 0]]));
    await expect(sandbox.resume(new Map())).rejects.toMatchObject({ code: 'exists' });
    await sandbox.kill('', 2, false);
    expect(await sandbox.wait('')).toBe(130);
    await sandbox.stop(1_000);
    const since = world.journal.slice(world.journal.indexOf('VM 7 adopted') + 1);
    expect(since.slice(0, 3)).toEqual(['startContainer', 'waitContainer', 'signalContainer']);
    expectNothingLeft(world);
  });

  it('before its start was asked for waits for it', async () => {
    const world = new FakeWorld({ state: 'formatted', uuid: 'u' });
    await (await world.sandbox()).create(world.request());
    const sandbox = await world.adoptingSandbox();
    await sandbox.resume(new Map());
    expect(world.journal).not.toContain('startContainer');
    await sandbox.stop(1_000);
    expectNothingLeft(world);
  });

  it('is stopped in order without its streams, and killed if there is no guest to be had', async () => {
    const world = new FakeWorld({ state: 'formatted', uuid: 'u' });
    const killed = await world.sandbox();
    await killed.create(world.request());
    await killed.start('');
    await (await world.adoptingSandbox()).stop(1_000);
    expect(world.journal.slice(-4)).toEqual(['removeContainer', 'shutdown', 'VM killed', 'release']);
    expectNothingLeft(world);

    const silent = new FakeWorld({ state: 'formatted', uuid: 'u' });
    await (await silent.sandbox()).create(silent.request());
    silent.guest.saysHello = false;
    await (await silent.adoptingSandbox()).stop(50);
    expect(silent.journal.slice(-2)).toEqual(['VM killed', 'release']);
    expectNothingLeft(silent);
  });

  it('with its VM has nothing to resume', async () => {
    const sandbox = await new FakeWorld().sandbox();
    await expect(sandbox.resume(new Map())).rejects.toMatchObject({
      code: 'precondition',
      message: 'there is nothing of sandbox pod to resume: its VM ended with its former shim',
    });
  });
});
