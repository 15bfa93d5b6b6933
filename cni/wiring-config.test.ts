import { describe, expect, it } from 'vitest';
import { parseIfName } from '../proto/ids.ts';
import { refusal } from './refusal.fixture.ts';
import { parseWiringConfig } from './wiring-config.ts';

const DEFAULTS = { mode: 'tc', macvtapMode: 'passthru', queues: 1 };

describe('wiring', () => {
  it.each([
    [{}, {}, DEFAULTS],
    [{ anything: 1 }, {}, DEFAULTS],
    [{ mode: 'macvtap', queues: 4 }, {}, { ...DEFAULTS, mode: 'macvtap', queues: 4 }],
    [{ mode: 'macvtap', macvtapMode: 'bridge' }, {}, { ...DEFAULTS, mode: 'macvtap', macvtapMode: 'bridge' }],
    [{ tapOwner: 1000 }, {}, { ...DEFAULTS, owner: { uid: 1000 } }],
    [{ tapOwner: 1000, tapGroup: 7 }, { uid: 0 }, { ...DEFAULTS, owner: { uid: 0, gid: 7 } }],
    [{}, { gid: 5, tapName: parseIfName('vm') }, { ...DEFAULTS, owner: { gid: 5 }, tapName: 'vm' }],
  ])('of %j with CNI_ARGS %j', (json, args, expected) => {
    expect(parseWiringConfig(json, args, undefined)).toEqual({ tapName: undefined, owner: undefined, ...expected });
  });

  it.each([
    [{ mode: 'bridge' }, 7, 'mode: '],
    [{ mode: 'macvtap', macvtapMode: 'source' }, 7, 'macvtapMode: '],
    [{ macvtapMode: 'bridge' }, 2, 'macvtapMode: "bridge" is not supported with mode "tc"'],
    [{ queues: 0 }, 7, 'queues: '],
    [{ queues: 257 }, 7, 'queues: '],
    [{ queues: 1.5 }, 7, 'queues: '],
    [{ queues: '2' }, 7, 'queues: '],
    [{ tapOwner: -1 }, 7, 'tapOwner: '],
    [{ tapGroup: 'kvm' }, 7, 'tapGroup: '],
    [{ mode: 'macvtap', tapOwner: 1 }, 2, 'mode: "macvtap" is not supported with an owner'],
  ])('is refused: %j', (json, code, message) => {
    const [foundCode, found] = refusal(() => parseWiringConfig(json, {}, undefined));
    expect(foundCode).toBe(code);
    expect(found).toContain(message);
  });
});
