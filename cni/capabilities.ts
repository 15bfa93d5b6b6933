import * as v from 'valibot';
import { Fault } from '../proto/fault.ts';
import { count, texts as mapOfTexts } from '../proto/record.ts';
import { formatIpAddress, parseIpAddress } from '../runtime/system/netlink/ip-address.ts';
import type { CniDns } from './chain-input.ts';
import { checkKeys, type JsonObject, keyFault } from './config-keys.ts';
import type { PodInterface } from './pod-interface.ts';
import type { Bandwidth } from './wiring-config.ts';

/** Under which key container engines hand on the annotations of the pod. */
export const POD_ANNOTATIONS = 'io.kubernetes.cri.pod-annotations';

/**
 * What the runtime asks for this container: `runtimeConfig` (CNI's CONVENTIONS), and `args.cni` for its older words.
 */
export interface Capabilities {
  /** Undefined: not shaped. */
  readonly bandwidth: Bandwidth | undefined;
  /** The pod's name servers; undefined if there are none. */
  readonly dns: CniDns | undefined;
  /** What the pod's interface must have been given by the plugins before. */
  readonly identity: readonly AskedIdentity[];
  /** Undefined where the runtime hands on none, not even no annotations. */
  readonly annotations: Readonly<Record<string, string>> | undefined;
}

export interface AskedIdentity {
  readonly kind: 'mac' | 'ips';
  /** For a person: `runtimeConfig.mac`. */
  readonly key: string;
  readonly value: string;
}

const NONE: Capabilities = { bandwidth: undefined, dns: undefined, identity: [], annotations: undefined };

/** Null is what Go writes for what is not there. */
const texts = v.nullish(v.array(v.string()));
const bits = v.nullish(count, 0);
const identity = { mac: v.nullish(v.string()), ips: texts };
const capabilityKeys = v.object({
  runtimeConfig: v.nullish(
    v.object({
      ...identity,
      bandwidth: v.nullish(v.object({ ingressRate: bits, ingressBurst: bits, egressRate: bits, egressBurst: bits })),
      dns: v.nullish(v.object({ servers: texts, searches: texts, options: texts })),
      [POD_ANNOTATIONS]: v.optional(v.nullable(mapOfTexts)),
    }),
  ),
  args: v.nullish(v.object({ cni: v.nullish(v.object(identity)) })),
});

/** Throws `invalid` naming the key. */
export function parseCapabilities(json: JsonObject): Capabilities {
  if (json['runtimeConfig'] === undefined && json['args'] === undefined) return NONE;
  const { runtimeConfig, args } = checkKeys(capabilityKeys, {
    ...json,
    runtimeConfig: readAsGo(json['runtimeConfig']),
  });
  const { bandwidth, dns, [POD_ANNOTATIONS]: annotations } = runtimeConfig ?? {};
  return {
    bandwidth: bandwidth ? checkBandwidth(bandwidth) : undefined,
    dns: dns?.servers?.length
      ? { nameservers: dns.servers, search: dns.searches ?? [], options: dns.options ?? [] }
      : undefined,
    identity: [...toIdentity(runtimeConfig ?? {}, 'runtimeConfig'), ...toIdentity(args?.cni ?? {}, 'args.cni')],
    annotations: annotations === null ? {} : annotations,
  };
}

/** containerd and CRI-O write Go's own names, `IngressRate`, and Go's plugins read them in any case. */
function readAsGo(runtimeConfig: unknown): unknown {
  if (!isObject(runtimeConfig)) return runtimeConfig;
  const { bandwidth, dns, ...rest } = runtimeConfig;
  return { ...rest, bandwidth: withSmallKeys(bandwidth), dns: withSmallKeys(dns) };
}

function withSmallKeys(value: unknown): unknown {
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [key.slice(0, 1).toLowerCase() + key.slice(1), each]),
  );
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * Throws `invalid` where the pod's interface is not what was asked for. It is not made so: its MAC and addresses are
 * the earlier plugins', whose CHECK looks for them.
 */
export function refuseOtherIdentity(
  identity: readonly AskedIdentity[],
  { link, addresses }: Pick<PodInterface, 'link' | 'addresses'>,
): void {
  for (const { kind, key, value } of identity) {
    const found = kind === 'mac' ? [link.mac ?? 'none'] : addresses.map(({ address }) => withoutPrefix(address));
    const wanted = kind === 'mac' ? parseAskedMac(key, value) : parseAskedAddress(key, value);
    if (found.includes(wanted)) continue;
    const has = `${link.name} has ${found.join(', ') || 'no address'}`;
    const mend = `give "capabilities": {"${kind}": true} to the plugin before that makes ${link.name}`;
    throw keyFault(`${key}: ${JSON.stringify(value)} is asked for, but ${has}: ${mend}`, key);
  }
}

/** A burst is the size of a bucket: without one nothing gets through, and alone it says nothing. */
function checkBandwidth(bandwidth: Bandwidth): Bandwidth | undefined {
  for (const direction of ['ingress', 'egress'] as const) {
    const rate = bandwidth[`${direction}Rate`];
    const burst = bandwidth[`${direction}Burst`];
    if (rate > 0 === burst > 0) continue;
    const [present, absent] = rate > 0 ? (['Rate', 'Burst'] as const) : (['Burst', 'Rate'] as const);
    const key = `runtimeConfig.bandwidth.${direction}${absent}`;
    throw keyFault(`${key} is missing or 0, but ${direction}${present} is not`, key);
  }
  const { ingressRate, ingressBurst, egressRate, egressBurst } = bandwidth;
  return ingressRate > 0 || egressRate > 0 ? { ingressRate, ingressBurst, egressRate, egressBurst } : undefined;
}

/** An empty MAC is none, as engines that fill in a template write it. */
function toIdentity(
  from: { mac?: string | null | undefined; ips?: string[] | null | undefined },
  place: string,
): AskedIdentity[] {
  const ips = (from.ips ?? []).map((value): AskedIdentity => ({ kind: 'ips', key: `${place}.ips`, value }));
  return from.mac ? [{ kind: 'mac', key: `${place}.mac`, value: from.mac }, ...ips] : ips;
}

export const withoutPrefix = (address: string): string => address.split('/', 1)[0] ?? '';

/** In the kernel's spelling, of the three that Go's plugins read: by colons, hyphens or dots. */
function parseAskedMac(key: string, value: string): string {
  const digits = value.toLowerCase().replaceAll(/[-:.]/g, '');
  if (!/^[0-9a-f]{12}$/.test(digits)) throw keyFault(`${key}: ${JSON.stringify(value)} is no MAC`, key);
  return digits.replaceAll(/..(?=.)/g, '$&:');
}

/** In the kernel's spelling. IPAM plugins take the prefix length from elsewhere: it is not compared. */
export function parseAskedAddress(key: string, value: string): string {
  try {
    return formatIpAddress(parseIpAddress(withoutPrefix(value)).bytes);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    throw keyFault(`${key}: ${JSON.stringify(value)} is no address`, key);
  }
}
