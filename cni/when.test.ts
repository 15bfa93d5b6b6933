import { describe, expect, it } from 'vitest';
import { refusal } from './refusal.fixture.ts';
import { isChosen, parseWhen } from './when.ts';

describe('when', () => {
  it.each([
    [{}, undefined, true],
    [{}, {}, true],
    [{ when: { annotation: 'vm' } }, {}, false],
    [{ when: { annotation: 'vm' } }, { vm: '' }, true],
    [{ when: { annotation: 'vm', value: 'yes' } }, { vm: 'no' }, false],
    [{ when: { annotation: 'vm', value: 'yes' } }, { vm: 'yes' }, true],
    [{ when: { annotation: 'constructor' } }, {}, false],
  ])('%j chooses a pod with annotations %j: %s', (json, annotations, expected) => {
    expect(isChosen(parseWhen(json), { annotations })).toBe(expected);
  });

  it('cannot choose among pods whose annotations nobody tells', () => {
    const [code, message] = refusal(() => isChosen({ annotation: 'vm' }, { annotations: undefined }));
    expect(code).toBe(7);
    expect(message).toContain('"capabilities": {"io.kubernetes.cri.pod-annotations": true}');
  });

  it.each([
    [{ when: 'vm' }, 'when: '],
    [{ when: {} }, 'when.annotation is missing'],
    [{ when: { annotation: '' } }, 'when.annotation: '],
    [{ when: { annotation: 'vm', value: true } }, 'when.value: '],
    [{ when: { annotation: 'vm', values: ['x'] } }, 'when.values is an unknown key'],
  ])('is refused: %j', (json, message) => {
    const [code, found] = refusal(() => parseWhen(json));
    expect(code).toBe(7);
    expect(found).toContain(message);
  });
});
