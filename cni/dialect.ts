import * as v from 'valibot';
import type { IfName } from '../proto/ids.ts';
import type { CniResult } from './chain-input.ts';
import { checkKeys, isNothing, type JsonObject, keyFault } from './config-keys.ts';
import { fieldFault } from './error-codes.ts';
import type { WiringConfig } from './wiring-config.ts';

const FIRECRACKER = 'tc-redirect-tap';

/** Whose words the result has. The second is what firecracker-go-sdk reads (package cni/vmconf). */
export type Dialect =
  | { readonly kind: 'plain' }
  | {
      readonly kind: typeof FIRECRACKER;
      /** Every address of the pod's interface, of which the SDK takes one of IPv4 alone. */
      readonly allIps: boolean;
    };

const dialectKeys = v.object({
  dialect: v.optional(v.picklist(['plain', FIRECRACKER])),
  allIps: v.optional(v.boolean(), false),
});

/**
 * Called by the name of tc-redirect-tap, the plugin speaks as it does unless it is told otherwise. Throws `invalid`, or
 * the Fault of an unsupported field for what Firecracker cannot open.
 */
export function parseDialect(json: JsonObject, { mode, queues }: Pick<WiringConfig, 'mode' | 'queues'>): Dialect {
  const byName = json['type'] === FIRECRACKER ? FIRECRACKER : 'plain';
  const { dialect: kind = byName, allIps } = checkKeys(dialectKeys, json);
  if (kind === 'plain') {
    if (allIps) throw keyFault(`allIps: is of dialect ${JSON.stringify(FIRECRACKER)} alone`, 'allIps');
    return { kind };
  }
  const opens = `with dialect ${JSON.stringify(FIRECRACKER)}: Firecracker opens TAPs`;
  if (mode !== 'tc') throw fieldFault('mode', mode, `${opens} alone`);
  if (queues !== 1) throw fieldFault('queues', queues, `${opens} of one queue`);
  return { kind, allIps };
}

export interface PodEnd {
  /** CNI_CONTAINERID: to the SDK, the name of the virtual machine. */
  readonly containerId: string;
  readonly ifName: IfName;
  /** Of the pod's interface, and so of the guest's. */
  readonly mac: string;
}

/**
 * The result of ADD, whose last interface is the TAP, with one more of the same name for the guest's end of it, and
 * with the pod's addresses once more for that one. An address of no interface is the pod's: some plugins leave it out.
 */
export function addGuestEnd(result: CniResult, allIps: boolean, pod: PodEnd): CniResult {
  const { interfaces } = result;
  const ips = result.ips ?? [];
  const guest = { name: interfaces.at(-1)?.name ?? '', sandbox: pod.containerId, mac: pod.mac };
  const isPods = (index: number | null | undefined): boolean => {
    if (isNothing(index)) return true;
    const found = interfaces[index];
    return found?.name === pod.ifName && Boolean(found.sandbox);
  };
  const all = ips.filter((ip) => isPods(ip.interface));
  const chosen = allIps ? all : all.filter(({ address }) => !address.includes(':')).slice(0, 1);
  if (chosen.length === 0 && all.length > 0) {
    throw keyFault(
      `dialect: ${pod.ifName} has no IPv4 address, and firecracker-go-sdk reads no other; set allIps`,
      'dialect',
    );
  }
  const added = chosen.map((ip) => ({ ...ip, interface: interfaces.length }));
  return { ...result, interfaces: [...interfaces, guest], ips: [...ips, ...added] };
}
