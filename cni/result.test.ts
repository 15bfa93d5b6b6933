import { describe, expect, it } from 'vitest';
import { FAULT_CODES, Fault } from '../proto/fault.ts';
import type { CniResult } from './chain-input.ts';
import { CNI_CODE_OF_FAULT, variableFault, versionFault } from './error-codes.ts';
import { addResult, convertResult, errorResult } from './result.ts';
import { refuseVerbBeforeItsTime, versionResult } from './version.ts';

const TAP = { name: 'berth3', mac: '02:00:00:00:00:02', mtu: 1500, sandbox: '/run/netns/pod' };
const PREVIOUS: CniResult = {
  cniVersion: '1.0.0',
  interfaces: [{ name: 'veth1' }, { name: 'eth0', sandbox: '/run/netns/pod' }],
  ips: [{ address: '10.1.1.2/24', interface: 1 }],
  routes: [{ dst: '0.0.0.0/0' }],
};

describe('result of ADD', () => {
  it.each(['0.3.0', '0.3.1', '0.4.0', '1.0.0'] as const)('adds the TAP, in version %s without MTU', (version) => {
    const { mtu: _, ...tap } = TAP;
    const previous = convertResult(PREVIOUS, version);
    expect(addResult(version, PREVIOUS, TAP)).toEqual({ ...previous, interfaces: [...previous.interfaces, tap] });
  });

  it('tells the MTU in 1.1.0', () => {
    expect(addResult('1.1.0', PREVIOUS, TAP).interfaces.at(-1)).toEqual(TAP);
  });
});

describe('another version', () => {
  const LATEST: CniResult = {
    cniVersion: '1.1.0',
    interfaces: [{ name: 'eth0', mac: 'x', mtu: 1400, sandbox: '/n', socketPath: '/s', pciID: '0000:00:1f.6', own: 1 }],
    ips: [{ address: '10.1.1.2/24', interface: 0 }, { address: 'fd00::2/64' }],
    routes: [{ dst: '0.0.0.0/0', mtu: 1300, table: 7 }],
    dns: { nameservers: ['10.0.0.1'] },
    own: {},
  };
  const FIRST: CniResult = {
    ...LATEST,
    cniVersion: '0.4.0',
    interfaces: [{ name: 'eth0', mac: 'x', sandbox: '/n', own: 1 }],
    ips: [
      { version: '4', address: '10.1.1.2/24', interface: 0 },
      { version: '6', address: 'fd00::2/64' },
    ],
  };
  const { interfaces: _, ...REST } = LATEST;

  it.each([
    ['1.0.0', { ...LATEST, cniVersion: '1.0.0' }],
    ['0.3.0', { ...FIRST, cniVersion: '0.3.0' }],
    ['0.4.0', FIRST],
  ] as const)('of the latest: %s', (version, expected) => {
    expect(convertResult(LATEST, version)).toEqual(expected);
  });

  it('of the first form', () => {
    expect(convertResult(FIRST, '1.1.0')).toEqual({ ...REST, interfaces: FIRST.interfaces });
    expect(convertResult(FIRST, '0.3.1')).toEqual({ ...FIRST, cniVersion: '0.3.1' });
  });

  it('of a result that does not say its own is that of the configuration', () => {
    const { cniVersion, ...silent } = LATEST;
    expect(convertResult(silent, '0.4.0')).toEqual({ ...silent, cniVersion: '0.4.0' });
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

  const failed = (code: string) => {
    const cause = Object.assign(new Error(`${code}: open`), { syscall: 'open', code });
    return errorResult('1.0.0', new Fault('io', 'could not write x', { cause }));
  };

  it.each([
    ['ENOSPC', 103, 'could not write x; make room there'],
    ['EDQUOT', 103, 'could not write x; make room there'],
    ['EACCES', 5, 'could not write x; berth must be root, with CAP_NET_ADMIN and CAP_SYS_ADMIN'],
    ['EPERM', 5, 'could not write x; berth must be root, with CAP_NET_ADMIN and CAP_SYS_ADMIN'],
    ['EIO', 5, 'could not write x'],
  ])('of %s has the way out', (errno, code, msg) => {
    expect(failed(errno)).toMatchObject({ code, msg, details: `${errno}: open` });
  });

  it('of the kernel itself too', () => {
    const fault = new Fault('environment', 'could not raise x: EPERM', { fields: { errno: 'EPERM' } });
    expect(errorResult('1.0.0', fault)).toMatchObject({ code: 105, msg: expect.stringContaining('must be root') });
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
