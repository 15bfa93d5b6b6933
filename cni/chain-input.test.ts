import { describe, expect, it } from 'vitest';
import { parseChainInput } from './chain-input.ts';
import { refusal } from './refusal.fixture.ts';

const PREVIOUS = { interfaces: [{ name: 'eth0', mac: '02:00:00:00:00:01', sandbox: '/run/netns/pod' }] };

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
