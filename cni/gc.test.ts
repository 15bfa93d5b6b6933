import { describe, expect, it } from 'vitest';
import { parseValidAttachments } from './gc.ts';
import { refusal } from './refusal.fixture.ts';

const NEW = 'cni.dev/valid-attachments';
const OLD = 'cni.dev/attachments';
const C1 = { containerID: 'c1', ifname: 'eth0' };
const C2 = { containerID: 'c2', ifname: 'net1' };

describe('valid attachments', () => {
  it.each([
    [{ [NEW]: [] }, []],
    [{ [NEW]: null }, []],
    [{ [NEW]: [C1, { ...C2, more: 1 }] }, ['c1:eth0', 'c2:net1']],
    [{ [OLD]: [C1] }, ['c1:eth0']],
    [{ [NEW]: null, [OLD]: [C1] }, ['c1:eth0']],
    [{ [NEW]: [C2], [OLD]: [C1, C2] }, ['c2:net1', 'c1:eth0']],
  ])('of %j', (json, expected) => {
    expect([...parseValidAttachments(json)]).toEqual(expected);
  });

  it.each([
    [{}, `${NEW} is missing`],
    [{ [NEW]: {} }, NEW],
    [{ [NEW]: [{ containerID: 'c1' }] }, 'ifname is missing'],
    [{ [NEW]: ['c1'] }, NEW],
  ])('are refused: %j', (json, message) => {
    const [code, found] = refusal(() => parseValidAttachments(json));
    expect(code).toBe(7);
    expect(found).toContain(message);
  });
});
