import { describe, expect, it } from 'vitest';
import { kernelMessage, toHex } from './kernel-message.ts';
import { encodeLinkChange, encodeMacvtap, parseLink } from './link.ts';
import { formatMacAddress, parseMacAddress } from './mac-address.ts';

const eth0 = { index: 3, name: 'eth0' };

describe('links', () => {
  it('reads what the kernel says of a veth', () => {
    const veth = kernelMessage(
      `
      88000000 1000 0200 07000000 17000000 0000 0100 03000000 43100100 00000000
      09000300 6574683000 000000 08000400 78050000
      16001400 62657274683a6e65743a63313a6574683000 0000
      0a000100 020000000001 0000 0a000200 ffffffffffff 0000
      18001200 09000100 7665746800 000000 08000500 02000000`,
    );
    expect(parseLink(veth.payload)).toEqual({
      index: 3,
      name: 'eth0',
      hardwareType: 1,
      up: true,
      mtu: 1400,
      mac: '02:00:00:00:00:01',
      kind: 'veth',
      alias: 'berth:net:c1:eth0',
      hasCarrier: false,
    });
  });

  it('reads of a TAP what its queues are and who may open it', () => {
    const tap = kernelMessage(`
      00000000 1000 0200 07000000 17000000 0000 0100 04000000 43100000 00000000
      0b000300 62657274683300 00 05002100 01000000
      40001200 08000100 74756e00 34000200 08000100 e8030000 05000300 02000000 05000500 01000000 05000700 01000000
      08000800 02000000 08000900 01000000`);
    expect(parseLink(tap.payload)).toMatchObject({
      kind: 'tun',
      hasCarrier: true,
      tap: { isMultiQueue: true, hasVnetHeader: true, openQueues: 3, uid: 1000 },
    });
  });

  it('reads of a macvtap what it is on, and of hardware where it is', () => {
    const macvtap = kernelMessage(`
      00000000 1000 0200 07000000 17000000 0000 0100 04000000 43100000 00000000 0b000300 62657274683300 00
      08000500 03000000 1c001200 0c000100 6d61637674617000 0c000200 08000100 08000000`);
    expect(parseLink(macvtap.payload)).toMatchObject({ kind: 'macvtap', lowerIndex: 3, macvtapMode: 8 });
    const hardware = kernelMessage(`
      00000000 1000 0200 07000000 17000000 0000 0100 04000000 43100000 00000000 09000300 65746830 00 000000
      11003800 303030303a30303a30322e30 00 000000 08003900 70636900`);
    expect(parseLink(hardware.payload).parent).toEqual({ bus: 'pci', name: '0000:00:02.0' });
  });

  it('makes a macvtap in a mode, with a MAC if it is not to be the interface’s own', () => {
    const macvtap = { name: 'berth3', lower: eth0, mode: 4, mac: '02:00:00:00:00:01' };
    const made = encodeMacvtap(macvtap);
    expect(made.words).toBe('add macvtap berth3 to eth0');
    expect(parseLink(made.payload)).toMatchObject({
      name: 'berth3',
      kind: 'macvtap',
      lowerIndex: 3,
      macvtapMode: 4,
      mac: macvtap.mac,
    });
    expect(parseLink(encodeMacvtap({ ...macvtap, mac: undefined }).payload)).not.toHaveProperty('mac');
  });

  it('leaves out what a link has not', () => {
    const tunnel = kernelMessage(
      '30000000 1000 0200 07000000 17000000 0000 feff 04000000 00000000 00000000 0a000300 74756e6c3000 0000 04000100',
    );
    expect(parseLink(tunnel.payload)).toEqual({
      index: 4,
      name: 'tunl0',
      hardwareType: 0xfffe,
      up: false,
      mtu: 0,
      hasCarrier: false,
    });
  });

  it('touches nothing that was not asked for', () => {
    const change = encodeLinkChange(eth0, { mtu: 1400 });
    expect(toHex(change.payload)).toBe('00000000' + '03000000' + '00000000' + '00000000' + '0800040078050000');
    expect(change.words).toBe('set mtu 1400 on interface eth0');
  });

  it.each([
    [true, '01000000'],
    [false, '00000000'],
  ])('sets up to %s under its mask', (up, flags) => {
    expect(toHex(encodeLinkChange(eth0, { up }).payload)).toBe(`0000000003000000${flags}01000000`);
  });

  it('switches address generation off, two levels deep', () => {
    const { payload } = encodeLinkChange(eth0, { addressGeneration: 'none' });
    expect(toHex(payload.slice(16))).toBe('10001a00' + '0c000a00' + '0500080001000000');
  });
});

describe('MAC addresses', () => {
  it('reads and prints them', () => {
    expect(formatMacAddress(parseMacAddress('02:00:5E:0a:ff:01'))).toBe('02:00:5e:0a:ff:01');
    expect(formatMacAddress(Uint8Array.of(10, 0, 0, 1))).toBeUndefined();
  });

  it.each(['', '02:00:5e:0a:ff', '02:00:5e:0a:ff:1', '02-00-5e-0a-ff-01', '02:00:5e:0a:ff:gg'])(
    'refuses %j',
    (text) => {
      expect(() => parseMacAddress(text)).toThrow('is not a MAC address');
    },
  );
});
