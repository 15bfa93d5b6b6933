import { describe, expect, it } from 'vitest';
import { refuseOddDns } from './nic-config.ts';
import { refusal } from './refusal.fixture.ts';

describe('name servers', () => {
  it.each([
    undefined,
    {},
    { nameservers: ['10.0.0.10'], domain: 'example.com', search: null, options: ['ndots:5'] },
    // Not the guest's: there are searches.
    { domain: 'a b', search: ['svc'] },
  ])('are well: %j', (dns) => {
    expect(() => refuseOddDns(dns)).not.toThrow();
  });

  it.each([
    [{ nameservers: ['nope'] }, 'network configuration: dns: name server "nope" is no address'],
    [{ search: ['a b'] }, 'dns: "a b" has white space in it'],
    [{ domain: 'a\nnameserver 6.6.6.6' }, 'dns: "a\\nnameserver 6.6.6.6" has white space in it'],
  ])('are refused: %j', (dns, message) => {
    expect(refusal(() => refuseOddDns(dns))).toEqual([7, expect.stringContaining(message)]);
  });
});
