import type { Case, Experiment } from '../core/suite.ts';
import { type Guest, type Guests, openExperiment } from './guests.ts';
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
    'tc and bridge are the same VM and the same TAP, wired anew before each sample: by the filters that berth made, and ' +
    'as the second port of a bridge. macvtap is another VM, and no two VMs are the same. nc and dd of busybox are on both ' +
    'sides. What the guest and QEMU do for a frame, which is most of it, is in every figure.',
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
  const guest = await guests.add({ name: 'tap', vcpus: 1, wiring: {}, mib: MIB });
  const other = await guests.add({ name: 'macvtap', vcpus: 1, wiring: { mode: 'macvtap' }, mib: MIB });
  const tap = await readTap(guests, guest);
  const measure = async ({ address }: Guest) => ({
    ...(await measureStreams(guests.node, address, { mib: MIB, count: 1 })),
    ping: await measurePing(guests.node, address),
  });
  let isBridged = false;
  return [
    {
      name: 'tc',
      async measure() {
        if (isBridged) await unbridge(guests, guest, tap);
        isBridged = false;
        return measure(guest);
      },
    },
    { name: 'macvtap', measure: () => measure(other) },
    {
      name: 'bridge and TAP',
      async measure() {
        if (!isBridged) await bridge(guests, guest, tap);
        isBridged = true;
        return measure(guest);
      },
    },
  ];
}

interface Tap {
  readonly name: string;
  /** Of the pod's interface, and of the guest's. */
  readonly mac: string;
}

async function readTap({ network }: Guests, { name }: Guest): Promise<Tap> {
  const links = JSON.parse(await network.inPod(name, 'ip', '-json', 'link')) as { ifname: string; address: string }[];
  const find = (pattern: RegExp) => links.find(({ ifname }) => pattern.test(ifname));
  return { name: find(/^berth/)?.ifname ?? '', mac: find(/^eth0$/)?.address ?? '' };
}

async function bridge({ network }: Guests, { name }: Guest, tap: Tap): Promise<void> {
  const ip = (words: string) => network.inPod(name, 'ip', ...words.split(' '));
  for (const link of ['eth0', tap.name]) await network.inPod(name, 'tc', 'qdisc', 'delete', 'dev', link, 'ingress');
  await ip(`link set eth0 address ${SPARE_MAC}`);
  await ip('link add br0 type bridge');
  // The address is still on eth0: without this the namespace's own stack would answer for it too.
  await ip('link set br0 arp off');
  for (const link of ['eth0', tap.name]) await ip(`link set ${link} master br0`);
  await ip('link set br0 up');
}

/** A repeated ADD makes whole what is missing. */
async function unbridge({ network }: Guests, { name, list }: Guest, tap: Tap): Promise<void> {
  await network.inPod(name, 'ip', 'link', 'delete', 'br0');
  await network.inPod(name, 'ip', 'link', 'set', 'eth0', 'address', tap.mac);
  await network.berth('ADD', name, list);
}
