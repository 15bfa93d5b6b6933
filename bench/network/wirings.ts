import { Fault } from '../../proto/fault.ts';
import type { Case, Experiment } from '../core/suite.ts';
import { type GuestInterface, type Guests, openExperiment } from './guests.ts';
import { measurePing, measureStreams } from './streams.ts';

const MIB = 256;
/** The pod's interface gives its address to the guest, and a bridge keeps what is for its own ports. */
const SPARE_MAC = '02:00:00:00:be:ef';

export const wirings: Experiment = {
  name: 'network-wirings',
  title: 'A VM behind its pod’s interface: tc redirect, macvtap, bridge',
  method:
    `A stream of ${MIB} MiB each way over one TCP connection between the guest (1 vCPU, emulated) and the other end of the ` +
    "pod's veth, from its opening until the reader has the last byte, and the mean of 500 pings that follow one another. " +
    'All are one VM with two NICs: a macvtap, and a TAP that is wired anew before each sample, by the filters that berth ' +
    'made or as the second port of a bridge. nc and dd of busybox are on both sides. What the guest and QEMU do for a ' +
    'frame, which is most of it, is in every figure.',
  measures: [
    { key: 'fromGuest', title: `${MIB} MiB from the guest`, unit: 's' },
    { key: 'toGuest', title: `${MIB} MiB to the guest`, unit: 's' },
    { key: 'ping', title: 'ping', unit: 'ms' },
  ],
  warmUp: 1,
  rounds: 10,
  open: (context) => openExperiment(context, prepare),
};

async function prepare(guests: Guests): Promise<readonly Case[]> {
  const [tapped, macvtapped] = await guests.add({
    name: 'pod',
    vcpus: 1,
    wirings: [{}, { mode: 'macvtap' }],
    mib: MIB,
  });
  if (tapped === undefined || macvtapped === undefined)
    throw new Fault('internal', 'a VM has the NICs that it was given');
  const tap = await readTap(guests, tapped);
  const measure = async ({ address }: GuestInterface) => ({
    ...(await measureStreams(guests.node, address, { mib: MIB, count: 1 })),
    ping: await measurePing(guests.node, address),
  });
  let isBridged = false;
  return [
    {
      name: 'tc',
      async measure() {
        if (isBridged) await unbridge(guests, tapped, tap);
        isBridged = false;
        return measure(tapped);
      },
    },
    { name: 'macvtap', measure: () => measure(macvtapped) },
    {
      name: 'bridge and TAP',
      async measure() {
        if (!isBridged) await bridge(guests, tapped, tap);
        isBridged = true;
        return measure(tapped);
      },
    },
  ];
}

interface Tap {
  readonly name: string;
  /** Of the pod's interface, and of the guest's. */
  readonly mac: string;
}

async function readTap({ network }: Guests, { pod, name }: GuestInterface): Promise<Tap> {
  const show = async (...which: string[]): Promise<{ ifname: string; address: string }> => {
    const [link] = JSON.parse(await network.inPod(pod, 'ip', '-json', 'link', 'show', ...which));
    return link;
  };
  return { name: (await show('type', 'tun')).ifname, mac: (await show('dev', name)).address };
}

async function bridge({ network }: Guests, { pod, name }: GuestInterface, tap: Tap): Promise<void> {
  const ip = (words: string) => network.inPod(pod, 'ip', ...words.split(' '));
  for (const link of [name, tap.name]) await network.inPod(pod, 'tc', 'qdisc', 'delete', 'dev', link, 'ingress');
  await ip(`link set ${name} address ${SPARE_MAC}`);
  await ip('link add br0 type bridge');
  // The pod's interface still has its address: without this the namespace's own stack would answer for it too.
  await ip('link set br0 arp off');
  for (const link of [name, tap.name]) await ip(`link set ${link} master br0`);
  await ip('link set br0 up');
}

/** A repeated ADD makes whole what is missing. */
async function unbridge({ network }: Guests, { pod, name, list }: GuestInterface, tap: Tap): Promise<void> {
  await network.inPod(pod, 'ip', 'link', 'delete', 'br0');
  await network.inPod(pod, 'ip', 'link', 'set', name, 'address', tap.mac);
  await network.berth('ADD', pod, list, name);
}
