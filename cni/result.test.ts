import { describe, expect, it } from 'vitest';
import { FAULT_CODES, Fault } from '../proto/fault.ts';
import { CNI_CODE_OF_FAULT, variableFault, versionFault } from './codes.ts';
import { addResult, errorResult } from './result.ts';
import { refuseVerbBeforeItsTime, versionResult } from './version.ts';

const TAP = { name: 'berth3', mac: '02:00:00:00:00:02', mtu: 1500, sandbox: '/run/netns/pod' };
const PREVIOUS = {
  cniVersion: '1.0.0',
  interfaces: [{ name: 'veth1' }, { name: 'eth0', sandbox: '/run/netns/pod' }],
  ips: [{ address: '10.1.1.2/24', interface: 1 }],
  routes: [{ dst: '0.0.0.0/0' }],
};

describe('result of ADD', () => {
  it.each(['0.3.0', '0.3.1', '0.4.0', '1.0.0'] as const)('adds the TAP, in version %s without MTU', (version) => {
    const { mtu: _, ...tap } = TAP;
    expect(addResult(version, PREVIOUS, TAP)).toEqual({
      ...PREVIOUS,
      cniVersion: version,
      interfaces: [...PREVIOUS.interfaces, tap],
    });
  });

  it('tells the MTU in 1.1.0', () => {
    expect(addResult('1.1.0', PREVIOUS, TAP).interfaces.at(-1)).toEqual(TAP);
  });
});

describe('error', () => {
  it('has version, code, message and what lies beneath', () => {
    const fault = new Fault('io', 'could not write x', { cause: new Error('ENOSPC: write') });
    expect(errorResult('0.4.0', fault)).toEqual({
      cniVersion: '0.4.0',
      code: 5,
      msg: 'could not write x',
      details: 'ENOSPC: write',
    });
  });

  it.each([
    [versionFault('x'), 1],
    [variableFault('x'), 4],
    [new Fault('invalid', 'x'), 7],
    [new Fault('busy', 'x'), 11],
    [new TypeError('a defect'), 999],
  ])('%s has code %d', (error, code) => {
    expect(errorResult('1.0.0', error).code).toBe(code);
  });

  it('is in the latest version when the asker has none that we know', () => {
    for (const asked of [undefined, 7, '0.1.0']) {
      expect(errorResult(asked, new Fault('io', 'x')).cniVersion).toBe('1.1.0');
    }
  });

  it('has a code of its own or a reserved one for every Fault', () => {
    const reserved = new Set([5, 6, 7, 11]);
    for (const code of FAULT_CODES) {
      const cniCode = CNI_CODE_OF_FAULT[code];
      expect(cniCode >= 100 || reserved.has(cniCode), code).toBe(true);
    }
  });
});

describe('versions', () => {
  it("answers with the asker's and ours", () => {
    const supportedVersions = ['0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'];
    expect(versionResult('0.4.0')).toEqual({ cniVersion: '0.4.0', supportedVersions });
    expect(versionResult('9.9.9')).toEqual({ cniVersion: '9.9.9', supportedVersions });
    expect(versionResult(undefined)).toEqual({ cniVersion: '1.1.0', supportedVersions });
  });

  it.each([
    ['CHECK', '0.3.1', true],
    ['CHECK', '0.4.0', false],
    ['GC', '1.0.0', true],
    ['GC', '1.1.0', false],
    ['STATUS', '1.0.0', true],
    ['STATUS', '1.1.0', false],
    ['ADD', '0.3.0', false],
  ] as const)('%s in %s is refused: %s', (verb, version, refused) => {
    const act = () => refuseVerbBeforeItsTime(verb, version);
    if (refused) expect(act).toThrow(`CNI_COMMAND ${verb} came with cniVersion`);
    else expect(act).not.toThrow();
  });
});
