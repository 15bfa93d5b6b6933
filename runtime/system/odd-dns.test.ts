import { describe, expect, it } from 'vitest';
import { findOddDns } from './odd-dns.ts';

describe('findOddDns', () => {
  it.each([
    {},
    { nameservers: null, search: null, options: null },
    { nameservers: ['10.0.0.10', 'fd00::10', '::ffff:10.1.1.2', 'fe80::1%eth0'] },
    { search: ['a.svc', '.'], options: ['ndots:5', 'single-request-reopen'] },
  ])('finds nothing in %j', (dns) => {
    expect(findOddDns(dns)).toBeUndefined();
  });

  it.each([
    [{ nameservers: ['10.0.0.10', 'nope'] }, 'name server "nope" is no address'],
    [{ nameservers: [''] }, 'name server "" is no address'],
    [{ nameservers: ['192.0.2.9\nnameserver 6.6.6.6'] }, 'name server "192.0.2.9\\nnameserver 6.6.6.6" is no address'],
    [{ nameservers: ['10.0.0.1%eth0'] }, 'is no address'],
    [{ nameservers: ['fe80::1%a\nb'] }, 'is no address'],
    [{ nameservers: ['fe80::1\n::1%a'] }, 'is no address'],
    [{ nameservers: ['10.0.0.1/24'] }, 'is no address'],
    [{ search: ['a', 'b c'] }, '"b c" has white space in it'],
    [{ search: ['a\nnameserver 6.6.6.6'] }, '"a\\nnameserver 6.6.6.6" has white space in it'],
    [{ options: ['ndots:5\r'] }, 'has white space in it'],
  ])('finds it in %j', (dns, words) => {
    expect(findOddDns(dns)).toContain(words);
  });
});
