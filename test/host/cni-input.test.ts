import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findPrograms } from '../../runtime/cli/programs.ts';
import { type CallChange, type CniNode, type CniPod, createCniNode } from '../support/cni-node.ts';

let node: CniNode;
let pod: CniPod;
beforeAll(async () => {
  node = await createCniNode();
  pod = await node.addPod('pod');
  await node.run('mkfifo', '/run/fifo');
});
afterAll(() => node.close());

/** Each answer is one JSON object on standard output; nothing is changed. */
async function expectRefusal(command: string, change: CallChange, code: number, msg: string): Promise<void> {
  const { exitCode, answer } = await pod.berth(command, change);
  expect({ exitCode, answer }).toMatchObject({ exitCode: 1, answer: { code, msg: expect.stringContaining(msg) } });
  expect(await pod.remains()).toEqual([]);
}

const nested = (depth: number): unknown => JSON.parse('['.repeat(depth) + ']'.repeat(depth));

describe('variables', () => {
  it.each<[string, CallChange['env'], string]>([
    ['ADD', { CNI_COMMAND: undefined }, 'CNI_COMMAND is not set'],
    ['ADD', { CNI_COMMAND: 'add' }, 'CNI_COMMAND is "add"'],
    ['ADD', { CNI_CONTAINERID: undefined }, 'CNI_CONTAINERID is not set'],
    ['ADD', { CNI_CONTAINERID: '../../etc' }, 'CNI_CONTAINERID is "../../etc"'],
    ['DEL', { CNI_CONTAINERID: undefined }, 'CNI_CONTAINERID is not set'],
    ['ADD', { CNI_IFNAME: '' }, 'CNI_IFNAME is not set'],
    ['DEL', { CNI_IFNAME: 'a/b' }, 'CNI_IFNAME is "a/b"'],
    ['ADD', { CNI_NETNS: undefined }, 'CNI_NETNS is not set'],
    ['ADD', { CNI_NETNS: 'netns' }, 'CNI_NETNS is "netns"'],
    ['ADD', { CNI_NETNS: '/run/netns/none' }, 'CNI_NETNS is "/run/netns/none", where there is no network namespace'],
    ['ADD', { CNI_NETNS: '/etc/hostname' }, 'CNI_NETNS is "/etc/hostname", where there is no network namespace'],
    ['ADD', { CNI_NETNS: '/run/fifo' }, 'CNI_NETNS is "/run/fifo", where there is no network namespace'],
    ['ADD', { CNI_NETNS: '/proc/self/ns/net' }, "the plugin's own network namespace"],
    ['ADD', { CNI_CONTAINERID: undefined, CNI_NETNS: undefined }, 'CNI_CONTAINERID is not set; CNI_NETNS is not set'],
    ['ADD', { CNI_ARGS: 'IgnoreUnknown' }, 'CNI_ARGS has "IgnoreUnknown" where there must be KEY=value'],
    ['ADD', { CNI_ARGS: 'TC_REDIRECT_TAP_NAME=a/b' }, 'CNI_ARGS: TC_REDIRECT_TAP_NAME is "a/b"'],
    ['ADD', { CNI_ARGS: 'TC_REDIRECT_TAP_UID=me' }, 'CNI_ARGS: TC_REDIRECT_TAP_UID is "me"'],
  ])('%s is refused: %j', (command, env, msg) => expectRefusal(command, { env: env ?? {} }, 4, msg));

  it.each<[string, CallChange]>([
    ['DEL', { config: { name: 'n'.repeat(81) } }],
    ['DEL', { env: { CNI_CONTAINERID: 'c'.repeat(129) } }],
    ['GC', { config: { name: 'n'.repeat(81), cniVersion: '1.1.0', 'cni.dev/valid-attachments': [] } }],
  ])('longer than ADD takes them are no hindrance to %s', async (command, change) => {
    const { exitCode, stdout, stderr } = await pod.berth(command, change);
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '' });
    expect(JSON.parse(stderr)).toMatchObject({ level: 'warn', error: { message: expect.stringContaining('at most') } });
    if (command === 'DEL') await expectRefusal('ADD', change, change.env === undefined ? 7 : 4, 'at most');
  });

  it('name an interface that is not there', () =>
    expectRefusal('ADD', { env: { CNI_IFNAME: 'net7' } }, 100, 'no interface net7; it has lo, eth0'));
});

describe('configuration', () => {
  it.each<[string, CallChange, number, string]>([
    ['ADD', { stdin: '' }, 6, 'is not JSON'],
    ['ADD', { stdin: '{"name":' }, 6, 'is not JSON'],
    ['ADD', { config: { deep: nested(2000) } }, 6, 'is nested deeper than 100'],
    ['ADD', { stdin: '['.repeat(100_000) }, 6, 'is not JSON'],
    ['ADD', { config: { runDir: '/run/a\0b' } }, 7, 'runDir: must be an absolute path'],
    ['DEL', { stdin: '[]' }, 6, 'is not a JSON object'],
    ['ADD', { config: { prevResult: undefined } }, 7, 'prevResult is missing'],
    ['ADD', { config: { prevResult: { interfaces: 'eth0' } } }, 7, 'prevResult.interfaces: '],
    ['ADD', { config: { name: undefined } }, 7, 'name is missing'],
    ['DEL', { config: { name: '-' } }, 7, 'name: '],
    ['ADD', { config: { runDir: 'relative' } }, 7, 'runDir: must be an absolute path'],
    ['ADD', { config: { logLevel: 3 } }, 7, 'logLevel: '],
    ['ADD', { config: { run_dir: '/run/x' } }, 7, 'run_dir: unknown key; it is spelt runDir'],
    ['ADD', { config: { cniVersion: undefined } }, 7, 'cniVersion: '],
    ['ADD', { config: { mode: 'bridge' } }, 7, 'mode: '],
    ['ADD', { config: { queues: 1000 } }, 7, 'queues: '],
    ['ADD', { config: { TapOwner: 7 } }, 7, 'TapOwner: unknown key; it is spelt tapOwner'],
    ['ADD', { config: { dialect: 'firecracker' } }, 7, 'dialect: '],
    ['ADD', { config: { dialect: 'tc-redirect-tap', queues: 2 } }, 2, 'queues: 2 is not supported with dialect'],
    ['ADD', { config: { when: { annotation: 'vm' } } }, 7, 'runtimeConfig has no "io.kubernetes.cri.pod-annotations"'],
    [
      'ADD',
      { config: { runtimeConfig: { bandwidth: { ingressRate: 1 } } } },
      7,
      'runtimeConfig.bandwidth.ingressBurst',
    ],
    [
      'ADD',
      { config: { runtimeConfig: { mac: '02:00:00:00:00:99' } } },
      7,
      '"02:00:00:00:00:99" is asked for, but eth0',
    ],
    ['ADD', { config: { args: { cni: { ips: ['10.88.0.250'] } } } }, 7, 'args.cni.ips: "10.88.0.250" is asked for'],
    ['ADD', { config: { prevResult: { cniVersion: '0.2.0' } } }, 7, 'prevResult.cniVersion: '],
    ['ADD', { config: { dns: { nameservers: ['nope'] } } }, 7, 'dns: name server "nope" is no address'],
    ['ADD', { config: { dns: { search: ['a\nnameserver 6.6.6.6'] } } }, 7, 'dns: "a\\nnameserver 6.6.6.6" has white'],
    ['ADD', { config: { runtimeConfig: { dns: { servers: ['192.0.2.9\n'] } } } }, 7, 'dns: name server "192.0.2.9\\n"'],
    ['ADD', { config: { prevResult: { ips: [{ address: 'banana' }] } } }, 7, 'prevResult.ips: "banana" is no address'],
    ['ADD', { config: { cniVersion: '0.2.0' } }, 1, '"0.2.0" is not supported'],
    ['DEL', { config: { cniVersion: '2.0.0' } }, 1, '"2.0.0" is not supported'],
  ])('%s is refused: %j', (command, change, code, msg) => expectRefusal(command, change, code, msg));

  it('may have what others read', async () => {
    const config = {
      args: { cni: {} },
      runtimeConfig: { mac: '', portMappings: [] },
      ipam: {},
      capabilities: { dns: true },
      future: 1,
    };
    expect(await pod.berth('ADD', { config })).toMatchObject({ exitCode: 0 });
    expect(await pod.berth('DEL', { config })).toMatchObject({ exitCode: 0 });
  });

  it('may report what is not there, which is told', async () => {
    const { ips, ...rest } = pod.prevResult as { ips: object[] };
    const added = [{ address: '10.88.0.250/24' }, { address: '10.88.0.251/24', interface: 7 }];
    const { exitCode, stderr } = await pod.berth('ADD', {
      config: { prevResult: { ...rest, ips: [...ips, ...added] } },
    });
    expect(exitCode).toBe(0);
    expect(
      stderr
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toMatchObject([
      { level: 'warn', missing: ['10.88.0.250'] },
      { level: 'warn', unplaced: ['10.88.0.251/24'] },
    ]);
    await pod.berth('DEL');
  });

  it('may have unknown keys, of which those that look like ours are warned of by ADD', async () => {
    const config = { quues: 2, kataDan: '/run/x', future: 1 };
    const { exitCode, stderr } = await pod.berth('ADD', { config });
    expect(exitCode).toBe(0);
    expect(stderr.split('\n').map((line) => JSON.parse(line))).toMatchObject([
      { level: 'warn', key: 'quues', meant: 'queues' },
      { level: 'warn', key: 'kataDan', meant: 'kataDanDir' },
    ]);
    expect(await pod.berth('DEL', { config })).toMatchObject({ exitCode: 0, stderr: '' });
  });

  it('of a megabyte is read to its end', async () => {
    const prevResult = { ...(pod.prevResult as object), padding: 'x'.repeat(1 << 20) };
    const { answer } = await pod.berth('ADD', { config: { prevResult } });
    expect(answer).toMatchObject({ padding: prevResult.padding });
    await pod.berth('DEL');
  });
});

describe('a pod that is not chosen', () => {
  const KEY = 'io.kubernetes.cri.pod-annotations';
  const when = { annotation: 'example.com/vm', value: 'yes' };

  it.each([null, {}, { 'example.com/vm': 'no' }])('keeps its result, with annotations %j', async (annotations) => {
    const config = { when, runtimeConfig: { [KEY]: annotations } };
    const { exitCode, answer } = await pod.berth('ADD', { config });
    expect({ exitCode, answer }).toEqual({ exitCode: 0, answer: pod.prevResult });
    expect(await pod.remains()).toEqual([]);
    expect(await pod.berth('DEL', { config })).toMatchObject({ exitCode: 0, stdout: '' });
  });

  it.each([[[]], [{ 'example.com/vm': true }]])('is refused what are no annotations: %j', (annotations) =>
    expectRefusal('ADD', { config: { when, runtimeConfig: { [KEY]: annotations } } }, 7, 'must be an object'),
  );

  it('is wired when it is chosen', async () => {
    const config = { when, runtimeConfig: { [KEY]: { 'example.com/vm': 'yes' } } };
    expect(await pod.berth('ADD', { config })).toMatchObject({ exitCode: 0 });
    expect(await pod.record()).toMatchObject({ state: 'ready' });
    await pod.berth('DEL', { config });
  });
});

describe('a trace context', () => {
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
  const linesOf = (stderr: string) => stderr.split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);

  it('is on every line', async () => {
    const env = { TRACEPARENT: `00-${traceId}-00f067aa0ba902b7-01`, BERTH_TRACE: 'record,netlink' };
    const { stderr } = await pod.berth('ADD', { env });
    expect(linesOf(stderr).length).toBeGreaterThan(5);
    expect(linesOf(stderr).every((line) => line['traceId'] === traceId)).toBe(true);
  });

  it('that is none is told of, and not minded', async () => {
    const { exitCode, stderr } = await pod.berth('DEL', { env: { TRACEPARENT: 'nonsense' } });
    expect(exitCode).toBe(0);
    expect(linesOf(stderr)).toMatchObject([{ level: 'warn', traceparent: 'nonsense' }]);
  });
});

describe('verbs', () => {
  it.each([
    ['CHECK', '0.3.1', 1, 'CNI_COMMAND CHECK came with cniVersion 0.4.0, but the configuration has 0.3.1'],
    ['GC', '1.0.0', 1, 'CNI_COMMAND GC came with cniVersion 1.1.0'],
    ['STATUS', '1.0.0', 1, 'CNI_COMMAND STATUS came with cniVersion 1.1.0'],
  ])('%s in %s is refused with code %d', (command, cniVersion, code, msg) =>
    expectRefusal(command, { config: { cniVersion } }, code, msg),
  );

  it.each(['{"cniVersion":"0.4.0"}', ''])('VERSION answers to %j', async (stdin) => {
    const { exitCode, answer } = await pod.berth('VERSION', { stdin });
    expect(exitCode).toBe(0);
    expect(answer).toEqual({
      cniVersion: stdin === '' ? '1.1.0' : '0.4.0',
      supportedVersions: ['0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'],
    });
  });

  it.each([['--explan'], ['--explain', '--now'], ['ADD']])('ADD is refused with the argument %j', (...args) =>
    expectRefusal('ADD', { args }, 4, `unknown arguments ${JSON.stringify(args.join(' '))}`),
  );

  it.each([
    ['--version', /^berth \d+\.\d+\.\d+\nCNI 0\.3\.0, .*1\.1\.0\nquickjs \S+, (musl|glibc) \S+\n$/],
    ['--help', /--explain {2}with CNI_COMMAND=ADD/],
  ])('are not looked at where %s is asked for', async (flag, text) => {
    const program = join(findPrograms().cniDirectory, 'berth');
    for (const CNI_COMMAND of ['', 'ADD']) {
      const { stdout, exitCode } = await execa(program, [flag], { env: { CNI_COMMAND }, stripFinalNewline: false });
      expect({ stdout, exitCode }).toEqual({ stdout: expect.stringMatching(text), exitCode: 0 });
    }
    expect(await pod.remains()).toEqual([]);
  });

  it('only ADD is explained', () => expectRefusal('DEL', { args: ['--explain'] }, 4, '--explain is for ADD'));
});
