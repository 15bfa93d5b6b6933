import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FAILPOINT_VARIABLE, LIST_FAILPOINTS } from '../../runtime/system/failpoint.ts';
import { type CallChange, type CniPod, createCniNode, KILLED } from '../support/cni-node.ts';
import { buildWithFailpoints } from '../support/failpoint-build.ts';
import { failpointsOf, type Pass, parsePasses, pointsOf } from '../support/failpoints.ts';

const node = await createCniNode(await buildWithFailpoints('cni'));
afterAll(() => node.close());

type Verb = 'ADD' | 'DEL';
const OPPOSITE = { ADD: 'DEL', DEL: 'ADD' } as const;
/** What is killed, and whether there has been an ADD before that came to its end. */
const KILLED_CALLS = {
  ADD: { verb: 'ADD', isWired: false },
  'an ADD of what is wired': { verb: 'ADD', isWired: true },
  DEL: { verb: 'DEL', isWired: true },
} as const;
type KilledCall = keyof typeof KILLED_CALLS;
const NAMES = Object.keys(KILLED_CALLS) as KilledCall[];

interface Situation {
  readonly name: string;
  /** What others have on the pod's interface. */
  readonly prepare?: (pod: CniPod) => Promise<unknown>;
  /** What is asked for, of ADD and of DEL. */
  readonly call: CallChange;
  /** Only the record says whose an empty ingress qdisc is, and what an interface has to be given back. */
  readonly needsRecord?: boolean;
}

const BANDWIDTH = { ingressRate: 20e6, ingressBurst: 8e6, egressRate: 4e6, egressBurst: 1e6 };
const limited = (config: object) => ({ config: { ...config, runtimeConfig: { bandwidth: BANDWIDTH } } });

const SITUATIONS: readonly Situation[] = [
  { name: 'an interface without a qdisc', call: {} },
  {
    name: 'an interface with a clsact and a filter of others',
    call: {},
    async prepare(pod) {
      await pod.run('tc', 'qdisc', 'add', 'dev', 'eth0', 'clsact');
      const filter = ['protocol', 'ip', 'pref', '7', 'u32', 'match', 'u8', '0', '0'];
      const mirror = ['action', 'mirred', 'egress', 'mirror', 'dev', 'lo'];
      await pod.run('tc', 'filter', 'add', 'dev', 'eth0', 'ingress', ...filter, ...mirror);
    },
  },
  {
    name: 'a TAP of a given name, of several queues, and limits',
    call: { ...limited({ queues: 2 }), env: { CNI_ARGS: 'TC_REDIRECT_TAP_NAME=tap7' } },
  },
  {
    name: 'a macvtap of a given name, and limits',
    call: { ...limited({ mode: 'macvtap' }), env: { CNI_ARGS: 'TC_REDIRECT_TAP_NAME=tap7' } },
  },
  {
    name: 'a macvtap that takes the MAC',
    call: { config: { mode: 'macvtap', macvtapMode: 'bridge' } },
    needsRecord: true,
  },
];

let count = 0;
async function addPod(situation: Situation): Promise<CniPod> {
  // The records of the pod before, and its address: there are more pods here than addresses in its subnet.
  await node.run('rm', '-rf', '/run/berth', '/run/cni-ipam');
  count += 1;
  const pod = await node.addPod(`pod-${count}`);
  // The kernel's own address comes when the link is up, and with it routes: they are no change of ours.
  await pod.run('sh', '-c', "until grep -q '^fe80.* eth0$' /proc/net/if_inet6; do sleep 0.02; done");
  await situation.prepare?.(pod);
  return pod;
}

async function run(pod: CniPod, verb: Verb, { env, config }: CallChange): Promise<void> {
  const called = await pod.berth(verb, { env: env ?? {}, config: config ?? {} });
  expect(called, called.stdout).toMatchObject({ exitCode: 0 });
}

async function runKilled(pod: CniPod, verb: Verb, { env, config }: CallChange, pass: Pass): Promise<void> {
  const called = await pod.berth(verb, { env: { ...env, [FAILPOINT_VARIABLE]: pass }, config: config ?? {} });
  expect(called).toMatchObject({ exitCode: KILLED, stdout: '', stderr: expect.stringContaining(`${pass} kills`) });
}

/**
 * Everything in the pod's namespace that can be configured, and every file in berth's directory of records. Not the
 * queue's length: the kernel gives one to an interface without when it first gets a qdisc, and it has no meaning there.
 * Nor the route that comes when the kernel is done probing its own address, which it may be in between.
 * Nor how an address was added: ptp takes away the route that came with it, which is as if none had.
 */
async function readState(pod: CniPod): Promise<string> {
  const script = `
    ip -details link | sed -E 's/NO-CARRIER,//; s/ state [A-Z]+//; s/ (qlen [0-9]+)?$//'
    ip -oneline address | sed 's/ tentative//; s/ noprefixroute//; s/valid_lft.*//'
    ip -4 route show table all
    ip -6 route show table all | grep -v '^local fe80:'
    tc qdisc
    for link in $(tail --lines=+3 /proc/net/dev | cut --delimiter=: --fields=1); do
      tc filter show dev $link ingress
      tc filter show dev $link egress
    done
    ls /proc/sys/net/ipv6/conf`;
  return `${await pod.run('sh', '-c', script)}\n${(await node.records()).join('\n')}`;
}

/**
 * Without what is different each time: MAC addresses of new links, numbers of links, actions and hash tables, and so
 * order. Nor what a killed ADD was writing, which goes with DEL.
 */
const normalized = (state: string, pod: CniPod): string =>
  state
    .replaceAll(/\n\S+\.tmp$/gm, '')
    .replaceAll(pod.name, 'POD')
    .replaceAll(/^\d+: /gm, '')
    .replaceAll(/(link\/ether|lladdr|src|dev \S+ proto \w+) ([0-9a-f:]{17}|fe80\S+)/g, '$1 X')
    .replaceAll(/fe80::\S+/g, 'LINK-LOCAL')
    .replaceAll(/10\.88\.0\.\d+/g, 'ADDRESS')
    .replaceAll(/\bindex \d+ ref/g, 'index N ref')
    .replaceAll(/@if\d+|veth\w+/g, 'PEER')
    .replaceAll(/\b80\d\b/g, 'TABLE')
    .split('\n')
    .toSorted()
    .join('\n');

/** As an ADD that was not killed leaves it. */
const wired = new Map<Situation, string>();

async function expectWired(pod: CniPod, situation: Situation): Promise<void> {
  expect(await pod.record()).toMatchObject({ state: 'ready' });
  expect(normalized(await readState(pod), pod)).toBe(wired.get(situation));
}

async function listPasses(situation: Situation): Promise<Record<KilledCall, Pass[]>> {
  const pod = await addPod(situation);
  const list = async (verb: Verb): Promise<Pass[]> => {
    const { env, config = {} } = situation.call;
    const { exitCode, stderr } = await pod.berth(verb, {
      env: { ...env, [FAILPOINT_VARIABLE]: LIST_FAILPOINTS },
      config,
    });
    expect(exitCode).toBe(0);
    return parsePasses(stderr);
  };
  const ADD = await list('ADD');
  wired.set(situation, normalized(await readState(pod), pod));
  return { ADD, 'an ADD of what is wired': await list('ADD'), DEL: await list('DEL') };
}

const situations: { readonly situation: Situation; readonly passes: Record<KilledCall, Pass[]> }[] = [];
for (const situation of SITUATIONS) situations.push({ situation, passes: await listPasses(situation) });

describe.each(situations)('on $situation.name', ({ situation, passes }) => {
  const { call } = situation;
  let pod: CniPod;
  let before: string;
  beforeEach(async () => {
    pod = await addPod(situation);
    before = await readState(pod);
  });
  afterEach(() => node.removeNetns(pod));

  async function expectDelAfter(verb: Verb): Promise<void> {
    if (verb === 'ADD') {
      await expectWired(pod, situation);
      await run(pod, 'DEL', call);
    }
    expect(await readState(pod)).toBe(before);
  }

  describe.each(NAMES)('%s', (name) => {
    const { verb, isWired } = KILLED_CALLS[name];
    const opposite = OPPOSITE[verb];

    async function kill(pass: Pass): Promise<void> {
      if (isWired) await run(pod, 'ADD', call);
      await runKilled(pod, verb, call, pass);
    }

    it.each(passes[name])(`killed at %s can be repeated, then ${opposite} succeeds`, async (pass) => {
      await kill(pass);
      await run(pod, verb, call);
      if (verb === 'ADD') await expectWired(pod, situation);
      else expect(await readState(pod)).toBe(before);
      await run(pod, opposite, call);
      await expectDelAfter(opposite);
    });

    it.each(passes[name])(`killed at %s can be followed by ${opposite}`, async (pass) => {
      await kill(pass);
      await run(pod, opposite, call);
      await expectDelAfter(opposite);
    });

    it.each(passes[name])('killed at %s, then DEL without prevResult, arguments and record', async (pass) => {
      await kill(pass);
      if (!situation.needsRecord) await node.run('rm', '-rf', '/run/berth/networks');
      await run(pod, 'DEL', { config: { prevResult: undefined } });
      // Only the record says whose an empty ingress qdisc is.
      await pod.run('sh', '-c', 'tc qdisc delete dev eth0 ingress 2>/dev/null || true');
      expect(await readState(pod)).toBe(before);
    });
  });
});

it('reaches every failpoint of the plugin', () => {
  const all = situations.flatMap(({ passes }) => Object.values(passes).flat());
  expect(pointsOf(all)).toEqual(failpointsOf('cni'));
});
