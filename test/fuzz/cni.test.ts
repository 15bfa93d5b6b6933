import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CallChange, type Called, type CniNode, type CniPod, createCniNode } from '../support/cni-node.ts';
import { anyText, brokenBytes, brokenJson, limitMs, runs } from '../support/fuzz.ts';

let node: CniNode;
let pod: CniPod;
beforeAll(async () => {
  node = await createCniNode();
  await node.run('mkfifo', '/run/fifo');
  await node.run('ip', 'link', 'add', 'lan', 'type', 'veth', 'peer', 'name', 'far');
  await node.run('ip', 'link', 'set', 'lan', 'up');
});
afterAll(() => node?.close());

/** What the pod's eth0 is, made of the veth that the plugin before has made. */
const INTERFACES: readonly (readonly [name: string, calls: number, prepare: () => Promise<unknown>])[] = [
  ['a veth', 120, async () => {}],
  // IPV6_MIN_MTU: the kernel takes IPv6 from the interface, and will hear of none on the TAP.
  ['a veth too small for IPv6', 40, () => pod.run('ip', 'link', 'set', 'eth0', 'mtu', '1200')],
  [
    'a macvlan',
    40,
    async () => {
      await pod.run('ip', 'link', 'delete', 'eth0');
      const move = ['netns', pod.name, 'type', 'macvlan', 'mode', 'bridge'];
      await node.run('ip', 'link', 'add', 'link', 'lan', 'name', 'eth0', ...move);
      await pod.run('ip', 'link', 'set', 'eth0', 'up');
      for (const address of ['10.88.0.200/24', 'fd00:88::200/64'])
        await pod.run('ip', 'address', 'add', address, 'dev', 'eth0', ...(address.includes(':') ? ['nodad'] : []));
    },
  ],
];

interface FuzzedCall {
  readonly command: string;
  readonly env: NonNullable<CallChange['env']>;
  readonly stdin: string | Uint8Array;
  readonly args: readonly string[];
}

const mostly = <T>(good: T, ...others: readonly fc.Arbitrary<T>[]): fc.Arbitrary<T> =>
  fc.oneof({ weight: 6, arbitrary: fc.constant(good) }, { weight: 2, arbitrary: fc.oneof(...others) });

/** As an environment carries it: no zero bytes. */
const variable = fc.option(
  anyText().map((text) => text.replaceAll('\0', '')),
  { nil: undefined },
);

/** Configurations of all sorts that are well-formed, and that may go together or not. */
const features = fc.record(
  {
    type: fc.constantFrom('berth', 'tc-redirect-tap'),
    mode: fc.constantFrom('tc', 'macvtap'),
    macvtapMode: fc.constantFrom('passthru', 'bridge', 'vepa', 'private'),
    queues: fc.constantFrom(1, 2, 256),
    dialect: fc.constantFrom('plain', 'tc-redirect-tap'),
    allIps: fc.boolean(),
    kataDanDir: fc.constant('/run/dans'),
    tapOwner: fc.constantFrom(0, 54_321),
    when: fc.constantFrom({ annotation: 'vm' }, { annotation: 'vm', value: 'yes' }),
    runtimeConfig: fc.record(
      {
        'io.kubernetes.cri.pod-annotations': fc.constantFrom(null, {}, { vm: 'yes' }),
        bandwidth: fc.constantFrom(
          {},
          { IngressRate: 8_000_000, IngressBurst: 80_000 },
          { egressRate: 1, egressBurst: 1 },
        ),
        dns: fc.constantFrom({ Servers: ['10.0.0.7'], Searches: null }, {}),
        mac: fc.constantFrom('', '02:00:00:00:00:01'),
        ips: fc.constantFrom([], ['10.88.0.200']),
      },
      { requiredKeys: [] },
    ),
    'cni.dev/valid-attachments': fc.constantFrom(null, [], [{ containerID: 'pod', ifname: 'eth0' }]),
  },
  { requiredKeys: [] },
);

const plainConfig = () => ({
  cniVersion: '1.0.0',
  name: 'net',
  type: 'berth',
  runDir: '/run/berth',
  logLevel: 'warn',
  dns: { nameservers: ['10.0.0.1'], search: ['a'], options: [] },
  prevResult: pod.prevResult,
});

function calls(): fc.Arbitrary<FuzzedCall> {
  const config = {
    ...plainConfig(),
    mode: 'tc',
    queues: 1,
    dialect: 'plain',
    when: { annotation: 'vm' },
    runtimeConfig: {
      'io.kubernetes.cri.pod-annotations': { vm: 'yes' },
      bandwidth: { ingressRate: 8, ingressBurst: 8 },
    },
    args: { cni: { ips: [] } },
    'cni.dev/valid-attachments': [{ containerID: 'pod', ifname: 'eth0' }],
  };
  const featured = fc
    .tuple(features, fc.constantFrom('0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0', '1.1.0'))
    .map(([keys, cniVersion]) => JSON.stringify({ ...plainConfig(), ...keys, cniVersion }));
  const nested = fc
    .tuple(fc.constantFrom(['[', ']'], ['{"a":', '}']), fc.constantFrom(10, 90, 110, 2000, 5000, 20_000, 100_000))
    .map(([[open = '', close = ''], depth]) => `${open.repeat(depth)}0${close.repeat(depth)}`)
    .map((deep) => JSON.stringify(config).replace('"prevResult":{', `"prevResult":{"deep":${deep},`));
  const plain = JSON.stringify(plainConfig());
  return fc.record({
    command: fc.oneof(
      { weight: 4, arbitrary: fc.constant('ADD') },
      { weight: 4, arbitrary: fc.constantFrom('DEL', 'CHECK', 'GC', 'STATUS', 'VERSION', 'add', '') },
    ),
    env: fc.record({
      CNI_CONTAINERID: mostly<string | undefined>('pod', variable, fc.constantFrom('c'.repeat(128), 'c'.repeat(129))),
      CNI_NETNS: mostly<string | undefined>(
        pod.netns,
        variable.map((text) => text && `/run/${text}`),
        fc.constantFrom('/run', '/run/fifo', '/dev/null', '/proc/self/ns/net', '/proc/self/ns/mnt', '/run/netns/none'),
      ),
      CNI_IFNAME: mostly<string | undefined>(
        'eth0',
        variable,
        fc.constantFrom('lo', 'eth1', 'ü'.repeat(7), 'ü'.repeat(15)),
      ),
      CNI_ARGS: mostly<string | undefined>(
        undefined,
        variable,
        fc.constantFrom(
          'IgnoreUnknown=1;K8S_POD_NAME=a',
          'TC_REDIRECT_TAP_NAME=fc0',
          'TC_REDIRECT_TAP_UID=54321',
          'A;B',
          ';',
        ),
      ),
      TRACEPARENT: mostly<string | undefined>(
        undefined,
        variable,
        fc.constant(`00-${'4'.repeat(32)}-${'7'.repeat(16)}-01`),
      ),
      BERTH_TRACE: mostly<string | undefined>(undefined, variable, fc.constantFrom('netlink', 'record,netlink', 'all')),
    }),
    stdin: mostly<string | Uint8Array>(
      plain,
      featured,
      featured,
      brokenJson(config),
      brokenJson(config),
      nested,
      brokenBytes(new TextEncoder().encode(plain)),
      fc.constantFrom(
        JSON.stringify({ ...config, name: 'n'.repeat(80) }),
        JSON.stringify({ ...config, runDir: '/run/a\0b' }),
      ),
    ).filter(keepsToRun),
    args: mostly<readonly string[]>([], fc.constantFrom(['--explain'], ['--nonsense', ''])),
  });
}

/** Records go below the world's own /run, whatever the configuration says: the rest is the machine's. */
function keepsToRun(stdin: string | Uint8Array): boolean {
  try {
    const { runDir, kataDanDir } = JSON.parse(typeof stdin === 'string' ? stdin : new TextDecoder().decode(stdin));
    return [runDir, kataDanDir].every(
      (path) => typeof path !== 'string' || !path.startsWith('/') || /^\/run\/(?!.*\.\.)/.test(path),
    );
  } catch {
    return true;
  }
}

const LOOK = `
ip -json -details link show; echo '#'
ip -json address show dev eth0; echo '#'
tc -json qdisc show; echo '#'
tc -json filter show dev eth0 ingress; echo '#'
find /run -not -path '/run/tmp/*' | sort`;

/** Links, addresses, qdiscs, filters and files, as far as berth could change them. */
async function lookAround() {
  const [links = '', addresses = '', qdiscs = '', filters = '', files = ''] = (await pod.run('sh', '-c', LOOK)).split(
    '#\n',
  );
  const found = JSON.parse(links) as readonly { readonly flags: readonly string[]; readonly [key: string]: unknown }[];
  return {
    // Of the flags the carrier comes and goes by itself.
    links: found.map(({ flags, ...link }) => [
      link['ifname'],
      link['ifindex'],
      link['ifalias'],
      link['mtu'],
      link['address'],
      flags.includes('UP'),
    ]),
    addresses: readAddresses(addresses),
    qdiscs: JSON.parse(qdiscs) as unknown,
    filters: JSON.parse(filters || '[]') as unknown,
    // The directory of records stays once it is there.
    files: files.split('\n').filter((path) => !/^\/run\/.*networks$|^\/run\/(berth|dans)$/.test(path)),
  };
}

/** The kernel's own link-local ones come and go with the interface. */
function readAddresses(text: string): string[] {
  const [eth0] = JSON.parse(text) as readonly { readonly addr_info: readonly { readonly local: string }[] }[];
  return (eth0?.addr_info ?? []).map(({ local }) => local).filter((local) => !local.startsWith('fe80:'));
}

const SILENT = ['DEL', 'CHECK', 'GC', 'STATUS'];

/**
 * Each answer is JSON, or nothing after a verb that has nothing to say; an error has code and message, and is none that
 * nobody thought of.
 */
function expectAnswer(command: string, { exitCode, stdout, answer }: Called): void {
  if (exitCode === 0) {
    if (SILENT.includes(command)) expect(stdout).toBe('');
    else expect(answer).toBeTypeOf('object');
    return;
  }
  const msg = expect.stringMatching(/^(?!unexpected error)./);
  expect(answer).toMatchObject({ cniVersion: expect.any(String), code: expect.any(Number), msg });
}

describe.each(INTERFACES)('the CNI plugin answers in JSON whatever it is given, on %s', (_, times, prepare) => {
  beforeAll(async () => {
    pod = await node.addPod('pod', 'ptp, dual-stack');
    await prepare();
  });
  afterAll(async () => {
    await node.removeNetns(pod);
    await node.run('rm', '-rf', '/run/cni-ipam');
  });

  it('for a pod that is not wired: only a success changes anything', { timeout: limitMs(60) }, async () => {
    const before = await lookAround();
    await fc.assert(
      fc.asyncProperty(calls(), async ({ command, ...change }) => {
        const called = await pod.berth(command, change);
        expectAnswer(command, called);
        if (called.exitCode === 0 && command === 'ADD') {
          expect(await pod.berth('DEL', { ...change, args: [] })).toMatchObject({ exitCode: 0 });
        }
        expect(await lookAround()).toEqual(before);
      }),
      runs(times),
    );
  });

  it('for a wired pod: a failure leaves it wired', { timeout: limitMs(60) }, async () => {
    let wired: Awaited<ReturnType<typeof lookAround>> | undefined;
    const wire = async () => {
      expect(await pod.berth('ADD')).toMatchObject({ exitCode: 0 });
      return lookAround();
    };
    await fc.assert(
      fc.asyncProperty(calls(), async ({ command, ...change }) => {
        wired ??= await wire();
        const called = await pod.berth(command, change);
        expectAnswer(command, called);
        if (called.exitCode === 1) expect(await lookAround()).toEqual(wired);
        else if (command === 'ADD' || command === 'DEL' || command === 'GC') wired = await wire();
      }),
      runs(times),
    );
    expect(await pod.berth('DEL')).toMatchObject({ exitCode: 0 });
    expect(await pod.remains()).toEqual([]);
  });
});
