import { describe, expect, it } from 'vitest';
import { parseChainInput, parseJsonObject, parseNetworkConfig } from './conf.ts';
import { refusal } from './refusal.fixture.ts';

const GOOD = { cniVersion: '1.0.0', name: 'net', type: 'berth' };
const PREVIOUS = { interfaces: [{ name: 'eth0', mac: '02:00:00:00:00:01', sandbox: '/run/netns/pod' }] };

describe('network configuration', () => {
  it.each(['', '{', 'null', '[]', '"text"', '{"name":1,}'])('is JSON, not %j', (text) => {
    const [code, message] = refusal(() => parseJsonObject(text));
    expect(code).toBe(6);
    expect(message).toContain('network configuration on standard input is not');
  });

  it('is nested as configurations are', () => {
    const nested = (depth: number): string => `{"a":${'['.repeat(depth)}${']'.repeat(depth)}}`;
    expect(parseJsonObject(nested(90))).toBeTypeOf('object');
    expect(refusal(() => parseJsonObject(nested(110)))).toEqual([6, expect.stringContaining('deeper than 100')]);
  });

  it('has defaults', () => {
    expect(parseNetworkConfig(GOOD)).toEqual({
      cniVersion: '1.0.0',
      network: 'net',
      runDirectory: '/run/berth',
      logLevel: 'warn',
    });
  });

  it('leaves the keys of others alone', () => {
    const others = {
      args: {},
      ipam: { type: 'x' },
      capabilities: {},
      runtimeConfig: { mac: '' },
      dns: 7,
      anything: [],
    };
    const own = { runDir: '/run/other', logLevel: 'debug' };
    expect(parseNetworkConfig({ ...GOOD, ...others, ...own })).toMatchObject({
      runDirectory: '/run/other',
      logLevel: 'debug',
    });
  });

  it.each([
    [{ cniVersion: undefined }, 7, 'cniVersion'],
    [{ cniVersion: 1 }, 7, 'cniVersion'],
    [{ cniVersion: '0.2.0' }, 1, '"0.2.0"'],
    [{ cniVersion: '1.2.0' }, 1, '"1.2.0"'],
    [{ name: undefined }, 7, 'name is missing'],
    [{ name: 7 }, 7, 'name: '],
    [{ name: '' }, 7, 'name: the value is ""'],
    [{ name: 'a/b' }, 7, 'name: the value is "a/b"'],
    [{ runDir: 'run' }, 7, 'runDir: must be an absolute path'],
    [{ runDir: 1 }, 7, 'runDir: '],
    [{ logLevel: 'loud' }, 7, 'logLevel: '],
    [{ rundir: '/run/x' }, 7, 'rundir: unknown key; it is spelt runDir'],
    [{ log_level: 'info' }, 7, 'log_level: unknown key; it is spelt logLevel'],
    [{ katadandir: '/run/x' }, 7, 'katadandir: unknown key; it is spelt kataDanDir'],
  ])('is refused with %j', (change, code, message) => {
    const [foundCode, found] = refusal(() => parseNetworkConfig({ ...GOOD, ...change }));
    expect(foundCode).toBe(code);
    expect(found).toContain(message);
  });
});

describe('chain input', () => {
  it('passes a result through as it is', () => {
    const prevResult = { ...PREVIOUS, ips: [{ address: '10.1.1.2/24', interface: 0 }], custom: { a: 1 } };
    expect(parseChainInput({ prevResult }).prevResult).toEqual(prevResult);
  });

  it('has no interfaces where the plugins before named none', () => {
    expect(parseChainInput({ prevResult: {} }).prevResult.interfaces).toEqual([]);
  });

  it('takes null, as Go writes it, for what is not there', () => {
    const prevResult = { ...PREVIOUS, ips: [{ address: '10.1.1.2/24', interface: null }], routes: null };
    for (const dns of [null, { nameservers: null, domain: null, search: null, options: null }])
      expect(parseChainInput({ prevResult: { ...prevResult, dns }, dns })).toMatchObject({ prevResult });
    const empty = parseChainInput({ prevResult: { interfaces: null, ips: null, dns: null }, dns: null });
    expect(empty).toEqual({ prevResult: { interfaces: [], ips: null, dns: null }, dns: undefined });
  });

  it.each([
    ['of the result', { ...PREVIOUS, dns: { nameservers: ['10.0.0.1'] } }, { nameservers: ['10.0.0.9'] }, ['10.0.0.1']],
    ['of the configuration', { ...PREVIOUS, dns: {} }, { nameservers: ['10.0.0.9'] }, ['10.0.0.9']],
    ['of neither', { ...PREVIOUS, dns: { search: ['x'] } }, undefined, undefined],
  ])('takes the name servers %s', (_, prevResult, dns, nameservers) => {
    expect(parseChainInput({ prevResult, dns }).dns?.nameservers).toEqual(nameservers);
  });

  it("takes the runtime's name servers before all", () => {
    const asked = { nameservers: ['10.0.0.7'] };
    const dns = { nameservers: ['10.0.0.1'] };
    expect(parseChainInput({ prevResult: { ...PREVIOUS, dns }, dns }, asked).dns).toBe(asked);
  });

  it.each([
    [{}, 'prevResult is missing'],
    [{ prevResult: null }, 'prevResult is missing'],
    [{ prevResult: [] }, 'prevResult: must be an object'],
    [{ prevResult: { interfaces: {} } }, 'prevResult.interfaces: '],
    [{ prevResult: { interfaces: [{ mac: 'x' }] } }, 'prevResult.interfaces.0.name is missing'],
    [{ prevResult: { ...PREVIOUS, dns: { nameservers: '10.0.0.1' } } }, 'prevResult.dns.nameservers: '],
    [{ prevResult: { ...PREVIOUS, cniVersion: '0.2.0' } }, 'prevResult.cniVersion: '],
    [{ prevResult: { ...PREVIOUS, ips: [{ interface: 0 }] } }, 'prevResult.ips.0.address is missing'],
    [{ prevResult: PREVIOUS, dns: 7 }, 'dns: '],
  ])('is refused: %j', (json, message) => {
    const [code, found] = refusal(() => parseChainInput(json));
    expect(code).toBe(7);
    expect(found).toContain(message);
  });
});
