import { describe, expect, it } from 'vitest';
import { parseVolumeId } from './ids.ts';
import { absolutePath, count, defineRecord, filled, id, texts } from './record.ts';

const codec = defineRecord('thing', 2, {
  volumeId: id(parseVolumeId),
  path: absolutePath,
  sizeBytes: count,
  note: filled,
  labels: texts,
});
const thing = { volumeId: parseVolumeId('pool.node.v1'), path: '/a', sizeBytes: 7, note: 'x', labels: { a: 'b' } };
const withChange = (change: Record<string, unknown>) => JSON.stringify({ v: 2, ...thing, ...change });

describe('records', () => {
  it('are read as they were written, version first, for a person', () => {
    const text = codec.encode(thing);
    expect(text.startsWith('{\n  "v": 2,\n')).toBe(true);
    expect(text.endsWith('}\n')).toBe(true);
    expect(codec.decode(text, 'f.json')).toEqual(thing);
  });

  it.each(['__proto__', 'constructor', 'toString'])('keep %s, which is a key like others', (key) => {
    const text = withChange({ labels: JSON.parse(`{"${key}":"value"}`) });
    expect(JSON.parse(codec.encode(codec.decode(text, 'f.json')))).toEqual(JSON.parse(text));
  });

  it.each([1, 3, '2', undefined])('refuse version %j by name', (v) => {
    expect(() => codec.decode(withChange({ v }), 'f.json')).toThrow(
      expect.objectContaining({
        code: 'unsupported',
        message: `f.json: thing has version ${v}; this berth reads version 2`,
      }),
    );
  });

  it.each([
    ['', 'is not JSON'],
    ['{"v": 2', 'is not JSON'],
    ['[]', 'is not a JSON object'],
    ['null', 'is not a JSON object'],
    [withChange({ sizeBytes: -1 }), 'sizeBytes'],
    [withChange({ sizeBytes: 1.5 }), 'sizeBytes'],
    [withChange({ path: 'a' }), 'must be an absolute path'],
    [withChange({ path: '/a\0b' }), 'must be an absolute path'],
    [withChange({ note: '' }), 'note'],
    [withChange({ volumeId: '../x' }), 'volume id is "../x"'],
    [withChange({ labels: { a: 1 } }), 'labels'],
    [withChange({ labels: ['a'] }), 'labels'],
    [withChange({ extra: 1 }), 'extra is an unknown key'],
    [JSON.stringify({ v: 2 }), 'volumeId is missing'],
    [withChange({ path: undefined }), 'path is missing'],
  ])('refuse %s, naming source and key', (text, expected) => {
    const error = expect.objectContaining({ code: 'malformed', message: expect.stringContaining(expected) });
    expect(() => codec.decode(text, 'f.json')).toThrow(error);
    expect(() => codec.decode(text, 'f.json')).toThrow(/^f\.json: thing/);
  });
});
