import { describe, expect, it } from 'vitest';
import { toResolvConf } from './resolv-conf.ts';

describe('toResolvConf', () => {
  it('writes what there is', () => {
    const dns = { nameservers: ['10.0.0.10', 'fd00::10'], search: ['a.svc', 'svc'], options: ['ndots:5'] };
    expect(toResolvConf(dns)).toBe('nameserver 10.0.0.10\nnameserver fd00::10\nsearch a.svc svc\noptions ndots:5\n');
    expect(toResolvConf({ nameservers: [], search: [], options: [] })).toBe('');
  });

  it('writes no line that was not asked for', () => {
    const dns = { nameservers: ['10.0.0.10'], search: ['a\nnameserver 6.6.6.6'], options: [] };
    expect(() => toResolvConf(dns)).toThrow('dns: "a\\nnameserver 6.6.6.6" has white space in it');
  });
});
