import { describe, expect, it } from 'vitest';
import { kernelMessage, toHex } from './kernel-message.ts';
import { encodeNeighbour, listPermanentNeighbours, parseNeighbour } from './neighbour.ts';

const eth0 = { index: 3, name: 'eth0' };
const PERMANENT = `
  4c000000 1c00 0200 07000000 17000000 02000000 03000000 80000001 08000100 a9fe0101 0a000200 eeeeeeeeeeee 0000
  08000400 00000000 14000300 09000000 09000000 09000000 00000000`;
const MULTICAST = `
  58000000 1c00 0200 07000000 17000000 0a000000 03000000 40000005 14000100 ff020000000000000000000000000016
  0a000200 333300000016 0000 08000400 00000000 14000300 79170000 09000000 09000000 00000000`;

describe('neighbours', () => {
  it('lists the permanent ones of the interface', () => {
    const other = PERMANENT.replace('02000000 03000000', '02000000 05000000');
    const netlink = { request: () => [], dump: () => [PERMANENT, MULTICAST, other].map(kernelMessage) };
    expect(listPermanentNeighbours(netlink, eth0)).toEqual([{ address: '169.254.1.1', mac: 'ee:ee:ee:ee:ee:ee' }]);
  });

  it('sets one for good', () => {
    const request = encodeNeighbour(eth0, { address: '169.254.1.1', mac: 'ee:ee:ee:ee:ee:ee' });
    expect(request.words).toBe('set neighbour 169.254.1.1 at ee:ee:ee:ee:ee:ee on eth0');
    expect(toHex(request.payload)).toBe(
      '02000000' + '03000000' + '80000000' + '08000100a9fe0101' + '0a000200eeeeeeeeeeee0000',
    );
  });

  it('says to the kernel what it would read from it', () => {
    const neighbour = { address: 'fe80::1', mac: '02:00:00:00:00:01' };
    expect(parseNeighbour(encodeNeighbour(eth0, neighbour).payload)).toEqual(neighbour);
  });
});
