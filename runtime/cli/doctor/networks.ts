import { readdir, readFile, stat } from 'node:fs/promises';
import * as v from 'valibot';
import {
  describeDevice,
  isTap,
  type NetworkAttachment,
  networkAttachmentKey,
  tapAlias,
} from '../../../proto/network-attachment.ts';
import { decodeWith } from '../../../proto/record.ts';
import { readBootId } from '../../system/boot-id.ts';
import { iproute2, type Link } from '../../system/node/iproute2.ts';
import type { System } from '../../system/port.ts';
import { listNetworks } from '../list-attachments.ts';
import { cniDel, parseAttachmentKey } from './cni-del.ts';
import type { Finding, Repair } from './finding.ts';
import { findHolders, isMounted } from './processes.ts';

/** Where `ip netns add` puts namespaces, and container engines too. */
const NAMED_NAMESPACES = '/run/netns';
/** ADD takes milliseconds. */
const WIRING_FOR_MS = 60_000;

/** What there is of a recorded attachment. */
export interface NetworkFacts {
  readonly record: NetworkAttachment;
  readonly isOfThisBoot: boolean;
  /** `dev:inode` of the namespace at the recorded path. */
  readonly netnsId: string | undefined;
  /** Whether anything still keeps the recorded namespace, if it is not the one at the path. */
  readonly livesElsewhere: boolean;
  /** Links at the path, none if it is another namespace. */
  readonly links: readonly Pick<Link, 'ifname' | 'ifalias'>[];
  /** Stock Kata's file, if the record names one, has the interface. */
  readonly isKataTold: boolean;
  readonly ageMs: number;
}

export async function examineNetworks(system: System, runDirectory: string, plugin: string): Promise<Finding[]> {
  const { found, unreadable } = await listNetworks(system, runDirectory);
  const bootId = await readBootId(system);
  const findings: Finding[] = unreadable.map(({ path, problem }) => ({
    area: 'networks',
    status: 'orphan',
    what: problem,
    mend: `CNI DEL of its container; if that is long gone, rm ${path}`,
  }));
  for (const { path, record } of found) {
    const facts = await readFacts(path, record, bootId);
    const clear = () => cniDel(plugin, record, { netnsPath: record.netnsPath, runDirectory });
    findings.push(...judgeNetwork(facts, clear));
  }
  const keys = found.map(({ record }) => networkAttachmentKey(record));
  const places = new Set([...found.map(({ record }) => record.netnsPath), ...(await listNamedNamespaces())]);
  for (const netnsPath of places) {
    for (const link of await listLinks(netnsPath)) {
      const clear = async () => {
        const key = parseAttachmentKey((link.ifalias ?? '').slice(tapAlias('').length));
        if (key !== undefined) await cniDel(plugin, key, { netnsPath, runDirectory });
      };
      findings.push(...judgeTap(link, netnsPath, keys, clear));
    }
  }
  if (findings.length > 0) return findings;
  return [{ area: 'networks', status: 'ok', what: `${found.length} interfaces, each with its TAP` }];
}

async function readFacts(path: string, record: NetworkAttachment, bootId: string): Promise<NetworkFacts> {
  const netnsId = await stat(record.netnsPath).then(
    ({ dev, ino }) => `${dev}:${ino}`,
    () => undefined,
  );
  const isHere = netnsId === record.netnsId;
  const link = `net:[${record.netnsId.split(':')[1]}]`;
  return {
    record,
    isOfThisBoot: record.bootId === bootId,
    netnsId,
    livesElsewhere: !isHere && ((await findHolders(link)).length > 0 || (await isMounted(link))),
    links: isHere ? await listLinks(record.netnsPath) : [],
    isKataTold: record.kataDan === undefined || (await isInDanFile(record.kataDan, record.ifName)),
    ageMs: Date.now() - (await stat(path).then(({ mtimeMs }) => mtimeMs, Date.now)),
  };
}

export function judgeNetwork(facts: NetworkFacts, clear: Repair['apply']): Finding[] {
  const { record, isOfThisBoot, netnsId, livesElsewhere, links, isKataTold, ageMs } = facts;
  const key = networkAttachmentKey(record);
  const { containerId, ifName, netnsPath } = record;
  const orphan = {
    area: 'networks',
    status: 'orphan',
    mend: `CNI DEL of container ${containerId}, ${ifName}`,
  } as const;
  if (!isOfThisBoot) {
    const proof = 'no namespace, TAP or filter outlives the boot in which it was made';
    return [{ ...orphan, what: `${key} is of a former boot`, repair: { proof, apply: clear } }];
  }
  if (netnsId !== record.netnsId) {
    const what =
      netnsId === undefined
        ? `${key}: its namespace ${netnsPath} is gone`
        : `${key}: ${netnsPath} is another namespace now`;
    if (livesElsewhere) return [{ ...orphan, what: `${what}, but the old one lives on without that path` }];
    const proof = 'no process, open file or mount keeps the namespace, which took its TAP and filters with it';
    return [{ ...orphan, what, repair: { proof, apply: clear } }];
  }
  if (record.state === 'wiring') {
    const what = `${key}: ADD was interrupted, or is at work since ${Math.round(ageMs / 1000)} s`;
    return ageMs < WIRING_FOR_MS ? [] : [{ ...orphan, what }];
  }
  const { device, kataDan } = record;
  if (isTap(device) && !links.some(({ ifname, ifalias }) => ifname === device.name && ifalias === tapAlias(key))) {
    return [{ ...orphan, what: `${key}: its ${describeDevice(device)} is gone from ${netnsPath}` }];
  }
  return isKataTold ? [] : [{ ...orphan, what: `${key}: ${kataDan} does not tell Kata of it any more` }];
}

/**
 * A link that bears berth's mark and is in no record. A TAP with a carrier is open in some VMM, and is left to it; of a
 * macvtap the kernel does not tell.
 */
export function judgeTap(
  { ifname, ifalias, flags, linkinfo }: Pick<Link, 'ifname' | 'ifalias' | 'flags' | 'linkinfo'>,
  netnsPath: string,
  keys: readonly string[],
  clear: Repair['apply'],
): Finding[] {
  if (ifalias === undefined || !ifalias.startsWith(tapAlias(''))) return [];
  const key = ifalias.slice(tapAlias('').length);
  if (keys.includes(key)) return [];
  const parsed = parseAttachmentKey(key);
  const kind = linkinfo?.info_kind ?? 'of no kind';
  const finding = {
    area: 'networks',
    status: 'orphan',
    what: `${ifname} (${kind}) in ${netnsPath} is of ${key}, of which there is no record`,
    mend: `nsenter --net=${netnsPath} ip link del ${ifname}`,
  } as const;
  if (parsed === undefined) return [finding];
  if (kind !== 'tun') return [{ ...finding, what: `${finding.what}; whether a process has it open cannot be told` }];
  if (flags.includes('LOWER_UP')) return [{ ...finding, what: `${finding.what}; a process has it open` }];
  const proof = 'no process has the TAP open, and without a record no pod can be started on it';
  return [
    {
      ...finding,
      mend: `CNI DEL of container ${parsed.containerId}, ${parsed.ifName}`,
      repair: { proof, apply: clear },
    },
  ];
}

const listNamedNamespaces = async (): Promise<string[]> =>
  (await readdir(NAMED_NAMESPACES).catch(() => [])).map((name) => `${NAMED_NAMESPACES}/${name}`);

const danFile = v.object({ devices: v.array(v.object({ name: v.string() })) });

async function isInDanFile(path: string, ifName: string): Promise<boolean> {
  const text = await readFile(path, 'utf8').catch(() => '{}');
  try {
    return decodeWith(danFile, JSON.parse(text), path).devices.some(({ name }) => name === ifName);
  } catch {
    return false;
  }
}

/** None of a path that is no namespace, or no more. */
const listLinks = (netnsPath: string): Promise<Link[]> =>
  iproute2(['nsenter', `--net=${netnsPath}`, '--'])
    .links()
    .catch(() => []);
