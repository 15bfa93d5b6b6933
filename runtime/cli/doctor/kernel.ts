import { open } from 'node:fs/promises';
import { describeError, Fault } from '../../../proto/fault.ts';
import type { NetworkFeature } from '../../../proto/network-capabilities.ts';
import { errorCode } from '../../system/node/errno.ts';
import { exec } from '../../system/node/exec.ts';
import type { Finding } from './finding.ts';

const TUN = '/dev/net/tun';

interface Feature {
  readonly what: string;
  /** Of SCRIPT: any one that works will do. */
  readonly trials: readonly string[];
  readonly module: string;
  /** In words, what does not work without it; undefined: no pod has a network. */
  readonly onlyFor?: string;
}

/** What berth has the kernel do, tried for real, each with the module that does it. */
const FEATURES: readonly Feature[] = [
  { what: 'pairs of virtual interfaces (veth)', trials: ['veth'], module: 'veth' },
  { what: 'TAP interfaces', trials: ['tap'], module: 'tun' },
  { what: 'ingress queueing discipline', trials: ['ingress'], module: 'sch_ingress' },
  {
    what: 'redirection of packets (u32, bpf or matchall with mirred)',
    trials: ['u32', 'bpf', 'matchall'],
    module: '-a cls_u32 act_mirred',
  },
  { what: 'macvtap interfaces', trials: ['macvtap'], module: 'macvtap', onlyFor: 'mode macvtap' },
  { what: 'token bucket queues (tbf)', trials: ['tbf'], module: 'sch_tbf', onlyFor: 'limits of bandwidth' },
  {
    what: 'intermediate interfaces (ifb)',
    trials: ['ifb'],
    module: 'ifb',
    onlyFor: 'limits of bandwidth in mode macvtap',
  },
];

/** What STATUS goes by: which trials must all have worked, or one of them. */
const NETWORK_TRIALS: Readonly<Record<NetworkFeature, (works: (trial: string) => boolean) => boolean>> = {
  tun: (works) => works('tap'),
  macvtap: (works) => works('macvtap'),
  redirect: (works) => works('ingress') && ['u32', 'bpf', 'matchall'].some(works),
  tbf: (works) => works('tbf'),
  ifb: (works) => works('ifb'),
};

/** In a network namespace of its own: one line `ok NAME` or `no NAME WORDS` for each. */
const SCRIPT = `
attempt() {
  name=$1; shift
  if said=$("$@" 2>&1); then echo "ok $name"; else echo "no $name" $said; fi
}
redirect() { tc filter add dev lo parent ffff: protocol all "$@" action mirred egress redirect dev lo; }
attempt veth ip link add veth0 type veth peer name veth1
attempt tap ip tuntap add dev tap0 mode tap vnet_hdr
attempt ingress tc qdisc add dev lo ingress
attempt u32 redirect prio 1 u32 match u32 0 0
attempt bpf redirect prio 2 bpf bytecode '1,6 0 0 4294967295,'
attempt matchall redirect prio 3 matchall
attempt macvtap ip link add link veth0 name macvtap0 type macvtap mode passthru
attempt tbf tc qdisc add dev veth1 root tbf rate 1mbit burst 10kb latency 25ms
attempt ifb ip link add trial type ifb
`;

/** Beside the findings, which of the features of networks work; undefined where they could not even be tried. */
export interface KernelExamination {
  readonly findings: readonly Finding[];
  readonly networkFeatures: Readonly<Record<NetworkFeature, boolean>> | undefined;
}

export async function examineKernel(): Promise<KernelExamination> {
  const tun = await examineTun();
  try {
    await exec('ip', ['-V']);
    await exec('tc', ['-V']);
    const output = await exec('unshare', ['--net', '--', 'sh', '-c', SCRIPT]);
    return { findings: [tun, ...judgeTrials(output)], networkFeatures: toNetworkFeatures(output) };
  } catch (error) {
    const mend =
      error instanceof Fault && error.code === 'environment' ? 'apt-get install iproute2 util-linux' : 'run it as root';
    const what = `network features cannot be tried: ${describeError(error)}`;
    return { findings: [tun, { area: 'kernel', status: 'missing', what, mend }], networkFeatures: undefined };
  }
}

/** One finding for each feature, whatever the script's lines say. */
export function judgeTrials(output: string): readonly Finding[] {
  const lines = output.split('\n');
  return FEATURES.map(({ what, trials, module, onlyFor }): Finding => {
    if (trials.some((name) => lines.includes(`ok ${name}`))) return { area: 'kernel', status: 'ok', what };
    const [first = ''] = trials;
    const said = lines.find((line) => line.startsWith(`no ${first} `))?.slice(`no ${first} `.length) ?? 'not tried';
    const mend = `modprobe ${module}`;
    if (onlyFor === undefined) return { area: 'kernel', status: 'missing', what: `no ${what}: ${said}`, mend };
    return { area: 'kernel', status: 'note', what: `no ${what}, and so no ${onlyFor}: ${said}`, mend };
  });
}

export function toNetworkFeatures(output: string): Readonly<Record<NetworkFeature, boolean>> {
  const lines = output.split('\n');
  const works = (trial: string): boolean => lines.includes(`ok ${trial}`);
  const features = Object.entries(NETWORK_TRIALS).map(([feature, judge]) => [feature, judge(works)] as const);
  return Object.fromEntries(features) as Record<NetworkFeature, boolean>;
}

async function examineTun(): Promise<Finding> {
  try {
    await (await open(TUN, 'r+')).close();
    return { area: 'kernel', status: 'ok', what: TUN };
  } catch (error) {
    const absent = errorCode(error) === 'ENOENT';
    return {
      area: 'kernel',
      status: 'missing',
      what: absent ? `there is no ${TUN}` : `${TUN} cannot be opened: ${errorCode(error)}`,
      mend: absent ? `modprobe tun && mkdir -p /dev/net && mknod -m 600 ${TUN} c 10 200` : 'modprobe tun',
    };
  }
}
