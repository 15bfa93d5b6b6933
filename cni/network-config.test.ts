import { describe, expect, it } from 'vitest';
import { parseJsonObject, parseNetworkConfig } from './network-config.ts';
import { refusal } from './refusal.fixture.ts';

const GOOD = { cniVersion: '1.0.0', name: 'net', type: 'berth' };

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
