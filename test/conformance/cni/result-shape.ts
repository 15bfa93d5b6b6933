import { isIP } from 'node:net';
import * as v from 'valibot';
import { describeIssue } from '../../../proto/record.ts';
import { type CniVersion, isAtLeast } from './versions.ts';

const texts = v.optional(v.array(v.string()));
const address = v.pipe(
  v.string(),
  v.check((text) => isIP(text) !== 0, 'must be an IP address'),
);
const cidr = v.pipe(v.string(), v.check(isCidr, 'must be an IP address with its prefix length'));
const mac = v.pipe(v.string(), v.regex(/^$|^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5,19}$/, 'must be a hardware address'));
const index = v.pipe(v.number(), v.integer(), v.minValue(0));

/** The result of ADD as all versions from 0.3.0 on have it. */
const result = v.looseObject({
  cniVersion: v.string(),
  interfaces: v.optional(
    v.array(v.looseObject({ name: v.string(), mac: v.optional(mac), sandbox: v.optional(v.string()) })),
  ),
  ips: v.optional(
    v.array(
      v.looseObject({
        address: cidr,
        gateway: v.optional(address),
        interface: v.optional(v.nullable(index)),
        version: v.optional(v.string()),
      }),
    ),
  ),
  routes: v.optional(v.array(v.looseObject({ dst: cidr, gw: v.optional(address) }))),
  dns: v.optional(v.looseObject({ nameservers: texts, domain: v.optional(v.string()), search: texts, options: texts })),
});
export type CniResult = v.InferOutput<typeof result>;

/** Keys that came with 1.1.0. libcni has one type for 1.0.0 and 1.1.0 and prints them in both. */
const LATE_KEYS = {
  interfaces: ['mtu', 'socketPath', 'pciID'],
  routes: ['mtu', 'advmss', 'priority', 'table', 'scope'],
} as const;

/** Undefined if it has not the form of a result at all. */
export function readResult(answer: unknown): CniResult | undefined {
  const parsed = v.safeParse(result, answer);
  return parsed.success ? parsed.output : undefined;
}

/** What is wrong with the form of a result of ADD under `version`. */
export function findShapeProblems(answer: unknown, version: CniVersion): string[] {
  const parsed = v.safeParse(result, answer);
  if (!parsed.success) return parsed.issues.map(describeIssue);
  const { cniVersion, interfaces = [], ips = [], routes = [] } = parsed.output;
  const problems: string[] = [];
  if (cniVersion !== version) problems.push(`cniVersion is ${cniVersion}, but the configuration has ${version}`);
  for (const ip of ips) {
    const { address, version: family } = ip;
    if (typeof ip.interface === 'number' && ip.interface >= interfaces.length) {
      problems.push(
        `ips: interface ${ip.interface} of ${address} is not in interfaces, which has ${interfaces.length}`,
      );
    }
    problems.push(...findFamilyProblems(address, family, version));
  }
  if (!isAtLeast(version, '1.0.0')) {
    problems.push(
      ...findKeys('interfaces', interfaces, LATE_KEYS.interfaces, version),
      ...findKeys('routes', routes, LATE_KEYS.routes, version),
    );
  }
  return problems;
}

function findFamilyProblems(address: string, family: string | undefined, version: CniVersion): string[] {
  if (isAtLeast(version, '1.0.0')) {
    return family === undefined ? [] : [`ips: ${address} has the key version, which went with 1.0.0`];
  }
  const expected = address.includes(':') ? '6' : '4';
  return family === expected ? [] : [`ips: version of ${address} is ${family ?? 'missing'}, but must be "${expected}"`];
}

const findKeys = (
  list: string,
  entries: readonly Readonly<Record<string, unknown>>[],
  keys: readonly string[],
  version: CniVersion,
): string[] =>
  keys
    .filter((key) => entries.some((entry) => key in entry))
    .map((key) => `${list}: the key ${key} is of 1.1.0, and the result of ${version}`);

function isCidr(text: string): boolean {
  const [ip = '', prefix = '', ...rest] = text.split('/');
  const bits = isIP(ip) === 6 ? 128 : 32;
  return isIP(ip) !== 0 && rest.length === 0 && /^\d{1,3}$/.test(prefix) && Number(prefix) <= bits;
}
