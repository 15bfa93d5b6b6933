import { open } from 'node:fs/promises';
import { describeError, Fault } from '../../../proto/fault.ts';
import { errorCode } from '../../system/node/errno.ts';
import { exec } from '../../system/node/exec.ts';
import type { Finding } from './finding.ts';

const TUN = '/dev/net/tun';

/** What berth has the kernel do, tried for real, each with the module that does it. */
const FEATURES = {
  veth: { what: 'pairs of virtual interfaces (veth)', module: 'veth' },
  tap: { what: 'TAP interfaces', module: 'tun' },
  ingress: { what: 'ingress queueing discipline', module: 'sch_ingress' },
  u32: { what: 'filter u32', module: 'cls_u32' },
  mirred: { what: 'redirection of packets (mirred)', module: 'act_mirred' },
} as const;
type Feature = keyof typeof FEATURES;

/** In a network namespace of its own: one line `ok NAME` or `no NAME WORDS` for each. */
const SCRIPT = `
attempt() {
  name=$1; shift
  if said=$("$@" 2>&1); then echo "ok $name"; else echo "no $name" $said; fi
}
attempt veth ip link add veth0 type veth peer name veth1
attempt tap ip tuntap add dev tap0 mode tap vnet_hdr
attempt ingress tc qdisc add dev lo ingress
attempt u32 tc filter add dev lo parent ffff: protocol all prio 1 u32 match u32 0 0 flowid 1:1
attempt mirred tc filter add dev lo parent ffff: protocol all prio 2 u32 match u32 0 0 action mirred egress redirect dev lo
`;

export async function examineKernel(): Promise<Finding[]> {
  return [await examineTun(), ...(await examineNetwork())];
}

async function examineNetwork(): Promise<readonly Finding[]> {
  try {
    await exec('ip', ['-V']);
    await exec('tc', ['-V']);
    return judgeTrials(await exec('unshare', ['--net', '--', 'sh', '-c', SCRIPT]));
  } catch (error) {
    const mend =
      error instanceof Fault && error.code === 'environment' ? 'apt-get install iproute2 util-linux' : 'run it as root';
    return [
      { area: 'kernel', status: 'missing', what: `network features cannot be tried: ${describeError(error)}`, mend },
    ];
  }
}

/** One finding for each feature, whatever the script's lines say. */
export function judgeTrials(output: string): readonly Finding[] {
  const lines = output.split('\n');
  return (Object.keys(FEATURES) as Feature[]).map((name): Finding => {
    const { what, module } = FEATURES[name];
    if (lines.includes(`ok ${name}`)) return { area: 'kernel', status: 'ok', what };
    const said = lines.find((line) => line.startsWith(`no ${name} `))?.slice(`no ${name} `.length) ?? 'not tried';
    return { area: 'kernel', status: 'missing', what: `no ${what}: ${said}`, mend: `modprobe ${module}` };
  });
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
