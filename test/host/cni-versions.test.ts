import { execa } from 'execa';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CniResult } from '../../cni/chain-input.ts';
import { convertResult } from '../../cni/result.ts';
import { type CniVersion, SUPPORTED_VERSIONS } from '../../cni/version.ts';
import { type CniNode, type CniPod, createCniNode } from '../support/cni-node.ts';
import { needGoTool } from '../support/go-tool.ts';

let node: CniNode;
let pod: CniPod;
beforeAll(async () => {
  node = await createCniNode();
  pod = await node.addPod('pod', 'ptp, dual-stack');
});
afterAll(() => node.close());

const PAIRS = SUPPORTED_VERSIONS.flatMap((from) => SUPPORTED_VERSIONS.map((to) => [from, to] as const));
const isFirstForm = (version: CniVersion): boolean => version.startsWith('0.');

/** Results as plugins of a version write them, with all that libcni's types of that version know. */
function results(version: CniVersion): fc.Arbitrary<CniResult> {
  const filled = fc.stringMatching(/^[a-z0-9]{1,12}$/);
  const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
  const positive = fc.integer({ min: 1, max: 65_535 });
  const ipv4 = fc.integer({ min: 1, max: 254 }).map((last) => `10.1.2.${last}`);
  const ipv6 = fc.integer({ min: 1, max: 9999 }).map((last) => `fd00::${last}`);
  const link = {
    name: filled,
    mac: maybe(fc.constant('02:00:00:00:00:01')),
    sandbox: maybe(fc.constant('/run/netns/x')),
    ...(isFirstForm(version) ? {} : { mtu: maybe(positive), socketPath: maybe(filled), pciID: maybe(filled) }),
  };
  const ip = (address: fc.Arbitrary<string>, bits: number, family: string) =>
    fc.record({
      address: address.map((text) => `${text}/${bits}`),
      gateway: maybe(address),
      interface: maybe(fc.nat({ max: 3 })),
      ...(isFirstForm(version) ? { version: fc.constant(family) } : {}),
    });
  const route = {
    dst: fc.constantFrom('0.0.0.0/0', '10.9.0.0/16', '::/0', 'fd00:9::/32'),
    gw: maybe(fc.oneof(ipv4, ipv6)),
    ...Object.fromEntries(['mtu', 'advmss', 'priority', 'table'].map((key) => [key, maybe(positive)])),
    scope: maybe(fc.nat({ max: 255 })),
  };
  const arbitrary = fc.record({
    cniVersion: fc.constant(version),
    interfaces: fc.array(fc.record(link), { minLength: 1, maxLength: 3 }),
    ips: fc.array(fc.oneof(ip(ipv4, 24, '4'), ip(ipv6, 64, '6')), { minLength: 1, maxLength: 3 }),
    routes: fc.array(fc.record(route), { minLength: 1, maxLength: 3 }),
    dns: maybe(fc.record({ nameservers: fc.array(ipv4, { minLength: 1 }), domain: maybe(filled) })),
  });
  // Without the keys that are undefined.
  return arbitrary.map((result): CniResult => JSON.parse(JSON.stringify(result)));
}

/** What libcni makes of a result. */
async function convertByLibcni(program: string, result: unknown, version: CniVersion): Promise<CniResult> {
  const { stdout } = await execa(program, [version], { input: JSON.stringify(result) });
  return withoutEmptyDns(JSON.parse(stdout));
}

/** Before 1.0.0 libcni writes it whether there is something in it or not. */
function withoutEmptyDns({ dns, ...result }: CniResult): CniResult {
  return Object.keys(dns ?? {}).length === 0 ? result : { ...result, dns };
}

describe('results', () => {
  it.for(PAIRS)('of %s are in %s what libcni makes of them', async ([from, to], context) => {
    const program = await needGoTool('cni-convert', context);
    await fc.assert(
      fc.asyncProperty(results(from), async (result) => {
        expect(convertResult(result, to)).toEqual(await convertByLibcni(program, result, to));
      }),
      { numRuns: 8 },
    );
  });

  it.for(PAIRS)('of %s are taken in a chain of %s', async ([from, to], context) => {
    const program = await needGoTool('cni-convert', context);
    const prevResult = await convertByLibcni(program, pod.prevResult, from);
    const config = { cniVersion: to, prevResult };
    const { answer } = await pod.berth('ADD', { config });
    const result = withoutEmptyDns(answer as CniResult);
    expect(result).toEqual(await convertByLibcni(program, answer, to));
    const withoutTap = { ...result, interfaces: result.interfaces.slice(0, -1) };
    expect(withoutTap).toEqual(await convertByLibcni(program, prevResult, to));
    expect(await pod.berth('DEL', { config })).toMatchObject({ exitCode: 0 });
  });
});
