import * as v from 'valibot';
import { asFault, Fault } from '../proto/fault.ts';
import type { NetworkDevice, NicConfig, NicRoute } from '../proto/network-attachment.ts';
import { absolutePath, decodeWith } from '../proto/record.ts';
import { isAbsence } from '../runtime/system/native/errors.ts';
import type { Files } from '../runtime/system/port.ts';
import { checkKeys, type JsonObject } from './config-keys.ts';
import { fieldFault } from './error-codes.ts';
import type { WiringConfig } from './wiring-config.ts';

const DIRECTORY_MODE = 0o700;
/** Of those above it, which are Kata's: its VMM may be another user. */
const PARENT_MODE = 0o755;
const FILE_MODE = 0o600;
/** What Kata gives a device that names no size. */
const QUEUE_SIZE = 256;
/**
 * RT_TABLE_MAIN, RTN_UNICAST, RTPROT_KERNEL, RTNH_F_ONLINK of linux/rtnetlink.h, NUD_PERMANENT of linux/neighbour.h.
 */
const MAIN_TABLE = 254;
const UNICAST = 1;
const MADE_BY_KERNEL = 2;
const ONLINK = 4;
const PERMANENT = 0x80;

/**
 * Kata's file of directly attached networks (runtime-rs, `dan_conf`): where it is there, Kata looks for no interface of
 * its own. Devices that others have written stay as they are.
 */
const danFile = v.looseObject({
  netns: v.optional(v.string()),
  devices: v.array(v.looseObject({ name: v.string() })),
});
type DanFile = v.InferOutput<typeof danFile>;

const danKeys = v.object({ kataDanDir: v.optional(absolutePath) });

/** What of a pod's interface Kata is told. */
export interface DanInterface {
  readonly ifName: string;
  readonly netnsPath: string;
  readonly nic: NicConfig;
  readonly device: NetworkDevice;
}

/** Of a container, by its id: Kata's sandbox id. */
export const danPath = (directory: string, containerId: string): string => `${directory}/${containerId}.json`;

/** Undefined: none is written. Throws `invalid`, or the Fault of an unsupported field for what Kata cannot open. */
export function parseKataDanDir(json: JsonObject, { mode }: Pick<WiringConfig, 'mode'>): string | undefined {
  const { kataDanDir } = checkKeys(danKeys, json);
  if (kataDanDir === undefined || mode !== 'macvtap') return kataDanDir;
  throw fieldFault('kataDanDir', kataDanDir, 'with mode "macvtap": Kata opens TAPs');
}

/** Adds the interface to the container's file, or replaces it there. Calls for one container come one after another. */
export async function ensureDanDevice(files: Files, path: string, added: DanInterface): Promise<void> {
  const { netns, devices = [] } = (await readDanFile(files, path)) ?? {};
  // Of a former namespace nothing is left that could be attached.
  const others = netns === added.netnsPath ? devices.filter(({ name }) => name !== added.ifName) : [];
  const written = { netns: added.netnsPath, devices: [...others, toDanDevice(added)] };
  try {
    await writeDanFile(files, path, written);
  } catch (error) {
    if (!isAbsence(error)) throw error;
    const directory = parentOf(path);
    await files.makeDirectory(parentOf(directory), PARENT_MODE);
    await files.makeDirectory(directory, DIRECTORY_MODE);
    await writeDanFile(files, path, written);
  }
}

const parentOf = (path: string): string => path.slice(0, path.lastIndexOf('/')) || '/';

/**
 * Takes the interface out again, and the file away with the last one. What cannot be read is of no use to Kata either.
 */
export async function ensureNoDanDevice(files: Files, path: string, ifName: string): Promise<void> {
  const found = await readDanFile(files, path).catch((error: unknown) => {
    if (error instanceof Fault && error.code === 'malformed') return { devices: [] };
    throw error;
  });
  if (found === undefined) return;
  const devices = found.devices.filter(({ name }) => name !== ifName);
  if (devices.length === 0) await files.remove(path);
  else if (devices.length < found.devices.length) await writeDanFile(files, path, { ...found, devices });
}

/** Whether the file has the interface: for CHECK. */
export const hasDanDevice = async (files: Files, path: string, ifName: string): Promise<boolean> =>
  (await readDanFile(files, path))?.devices.some(({ name }) => name === ifName) ?? false;

/** As Kata spells it. */
export function toDanDevice({ ifName, nic, device }: DanInterface): DanFile['devices'][number] {
  return {
    name: ifName,
    guest_mac: nic.mac,
    device: toDevice(device),
    network_info: {
      interface: { ip_addresses: nic.addresses.map(({ address }) => address), mtu: nic.mtu, ntype: '', flags: 0 },
      routes: nic.routes.filter(isForKata).map(toRoute),
      neighbors: nic.neighbours.map(({ address, mac }) => ({
        ip_address: `${address}/${address.includes(':') ? 128 : 32}`,
        hardware_addr: mac,
        state: PERMANENT,
        flags: 0,
      })),
    },
  };
}

function toDevice(device: NetworkDevice): object {
  if (device.kind === 'vhost-user') return { type: 'vhost-user', path: device.socketPath };
  if (device.kind === 'physical') return { type: 'vfio', pci_device_id: device.pciId };
  return { type: 'host-tap', tap_name: device.name, queue_num: device.queues, queue_size: QUEUE_SIZE };
}

/**
 * Kata's agent has one table and no type of service, and its kernel makes the routes of its addresses by itself. What a
 * route asks of TCP it cannot be told.
 */
const isForKata = ({ table, type, protocol, tos }: NicRoute): boolean =>
  table === MAIN_TABLE && type === UNICAST && protocol !== MADE_BY_KERNEL && tos === undefined;

function toRoute({ family, destination, gateway = '', source = '', scope, onlink, mtu = 0 }: NicRoute): object {
  // A default route has no destination, and its family from its gateway.
  const isDefault = destination.endsWith('/0') && gateway !== '' && gateway.includes(':') === (family === 6);
  return { dest: isDefault ? '' : destination, gateway, source, scope, flags: onlink ? ONLINK : 0, mtu };
}

async function readDanFile(files: Files, path: string): Promise<DanFile | undefined> {
  const bytes = await files.readFile(path);
  if (bytes === undefined) return undefined;
  const where = `${path}: directly attached networks`;
  try {
    return decodeWith(danFile, JSON.parse(new TextDecoder().decode(bytes)), where);
  } catch (error) {
    const { code, message, cause } = asFault(error, 'malformed', `${where} are not JSON`);
    throw new Fault(code, `${message}; remove the file`, { cause });
  }
}

const writeDanFile = (files: Files, path: string, content: DanFile): Promise<void> =>
  files.writeFile(path, new TextEncoder().encode(`${JSON.stringify(content, null, 2)}\n`), {
    mode: FILE_MODE,
    durable: false,
  });
