import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FAILPOINT_VARIABLE, LIST_FAILPOINTS } from '../../runtime/system/failpoint.ts';
import { type CniPod, createCniNode, KILLED, recordedTap } from '../support/cni-node.ts';
import { buildWithFailpoints } from '../support/failpoint-build.ts';
import { failpointsOf, type Pass, parsePasses, pointsOf } from '../support/failpoints.ts';

const node = await createCniNode(await buildWithFailpoints('cni'));
afterAll(() => node.close());

type Verb = 'ADD' | 'DEL';
const OPPOSITE = { ADD: 'DEL', DEL: 'ADD' } as const;

/** What others have on the pod's interface. */
const SITUATIONS = {
  'an interface without a qdisc': async () => {},
  'an interface with a clsact and a filter of others': async (pod: CniPod) => {
    await pod.run('tc', 'qdisc', 'add', 'dev', 'eth0', 'clsact');
    const filter = ['protocol', 'ip', 'pref', '7', 'u32', 'match', 'u8', '0', '0'];
    const mirror = ['action', 'mirred', 'egress', 'mirror', 'dev', 'lo'];
    await pod.run('tc', 'filter', 'add', 'dev', 'eth0', 'ingress', ...filter, ...mirror);
  },
} as const satisfies Record<string, (pod: CniPod) => Promise<void>>;
type Situation = keyof typeof SITUATIONS;

let count = 0;
async function addPod(situation: Situation): Promise<CniPod> {
  await node.run('rm', '-rf', '/run/berth');
  count += 1;
  const pod = await node.addPod(`pod-${count}`);
  // The kernel's own address comes when the link is up, and with it routes: they are no change of ours.
  await pod.run('sh', '-c', "until grep -q '^fe80.* eth0$' /proc/net/if_inet6; do sleep 0.02; done");
  await SITUATIONS[situation](pod);
  return pod;
}

async function run(pod: CniPod, verb: Verb, config: Readonly<Record<string, unknown>> = {}): Promise<void> {
  const called = await pod.berth(verb, { config });
  expect(called, called.stdout).toMatchObject({ exitCode: 0 });
}

async function runKilled(pod: CniPod, verb: Verb, pass: Pass): Promise<void> {
  const called = await pod.berth(verb, { env: { [FAILPOINT_VARIABLE]: pass } });
  expect(called).toMatchObject({ exitCode: KILLED, stdout: '', stderr: expect.stringContaining(`${pass} kills`) });
}

/**
 * Everything in the pod's namespace that can be configured, and every file in berth's directory of records. Not the
 * queue's length: the kernel gives one to an interface without when it first gets a qdisc, and it has no meaning there.
 */
async function readState(pod: CniPod): Promise<string> {
  const script = `
    ip -details link | sed -E 's/NO-CARRIER,//; s/ state [A-Z]+//; s/ (qlen [0-9]+)?$//'
    ip -oneline address | sed 's/ tentative//; s/valid_lft.*//'
    ip route show table all
    ip -6 route show table all
    tc qdisc
    for link in $(tail --lines=+3 /proc/net/dev | cut --delimiter=: --fields=1); do tc filter show dev $link ingress; tc filter show dev $link egress; done
    ls /proc/sys/net/ipv6/conf`;
  return `${await pod.run('sh', '-c', script)}\n${(await node.records()).join('\n')}`;
}

/** As an ADD that was not killed leaves it. */
async function expectWired(pod: CniPod, situation: Situation): Promise<void> {
  const record = await pod.record();
  const ownsIngress = situation === 'an interface without a qdisc';
  expect(record).toMatchObject({ state: 'ready', ownsIngress });
  const { name: tap, ifIndex } = recordedTap(record);
  const link = await pod.tools.link(tap);
  expect(link).toMatchObject({ ifindex: ifIndex, ifalias: `berth:net:${pod.name}:eth0`, mtu: 1400 });
  expect(link?.flags).toContain('UP');
  const inside = ['cat', `/proc/sys/net/ipv6/conf/${tap}/disable_ipv6`, `/proc/sys/net/ipv6/conf/${tap}/addr_gen_mode`];
  expect(await pod.run(...inside)).toBe('1\n1');
  const targets = async (from: string) =>
    (await pod.tools.ingressFilters(from))
      .filter(({ pref }) => pref === 49153)
      .map(({ options }) => options.actions.map(({ to_dev }) => to_dev));
  expect(await targets('eth0')).toEqual([[tap]]);
  expect(await targets(tap)).toEqual([['eth0']]);
  expect(await node.records()).toEqual([`net:${pod.name}:eth0.json`]);
}

async function listPasses(situation: Situation): Promise<Record<Verb, Pass[]>> {
  const pod = await addPod(situation);
  const list = async (verb: Verb): Promise<Pass[]> => {
    const { exitCode, stderr } = await pod.berth(verb, { env: { [FAILPOINT_VARIABLE]: LIST_FAILPOINTS } });
    expect(exitCode).toBe(0);
    return parsePasses(stderr);
  };
  return { ADD: await list('ADD'), DEL: await list('DEL') };
}

const passes = {
  'an interface without a qdisc': await listPasses('an interface without a qdisc'),
  'an interface with a clsact and a filter of others': await listPasses(
    'an interface with a clsact and a filter of others',
  ),
};

describe.each(['an interface without a qdisc', 'an interface with a clsact and a filter of others'] as const)(
  'on %s',
  (situation) => {
    let pod: CniPod;
    let before: string;
    beforeEach(async () => {
      pod = await addPod(situation);
      before = await readState(pod);
    });
    afterEach(() => node.removeNetns(pod));

    describe.each(['ADD', 'DEL'] as const)('%s', (verb) => {
      const opposite = OPPOSITE[verb];

      async function kill(pass: Pass): Promise<void> {
        if (verb === 'DEL') await run(pod, 'ADD');
        await runKilled(pod, verb, pass);
      }

      it.each(passes[situation][verb])(`killed at %s can be repeated, then ${opposite} succeeds`, async (pass) => {
        await kill(pass);
        await run(pod, verb);
        if (verb === 'ADD') await expectWired(pod, situation);
        else expect(await readState(pod)).toBe(before);
        await run(pod, opposite);
        if (opposite === 'ADD') {
          await expectWired(pod, situation);
          await run(pod, 'DEL');
        }
        expect(await readState(pod)).toBe(before);
      });

      it.each(passes[situation][verb])(`killed at %s can be followed by ${opposite}`, async (pass) => {
        await kill(pass);
        await run(pod, opposite);
        if (opposite === 'ADD') {
          await expectWired(pod, situation);
          await run(pod, 'DEL');
        }
        expect(await readState(pod)).toBe(before);
      });

      it.each(passes[situation][verb])('killed at %s, then DEL without prevResult and record', async (pass) => {
        await kill(pass);
        await node.run('rm', '-rf', '/run/berth/networks');
        await run(pod, 'DEL', { prevResult: undefined });
        // Only the record says whose an empty ingress qdisc is.
        await pod.run('sh', '-c', 'tc qdisc delete dev eth0 ingress 2>/dev/null || true');
        expect(await readState(pod)).toBe(before);
      });
    });
  },
);

it('reaches every failpoint of the plugin', () => {
  const all = Object.values(passes).flatMap(({ ADD, DEL }) => [...ADD, ...DEL]);
  expect(pointsOf(all)).toEqual(failpointsOf('cni'));
});
