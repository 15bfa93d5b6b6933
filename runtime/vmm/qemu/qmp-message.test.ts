import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeQmpCommand, QmpDecoder, type QmpMessage } from './qmp-message.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const decode = (text: string): QmpMessage[] => new QmpDecoder().push(bytes(text));

describe('QmpDecoder', () => {
  it('tells greeting, reply, error and event apart', () => {
    const lines = [
      '{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}}, "capabilities": ["oob"]}}',
      '{"return": {}, "id": 1}',
      '{"id": 2, "error": {"class": "GenericError", "desc": "No such device"}}',
      '{"error": {"class": "GenericError", "desc": "JSON parse error"}}',
      '{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "STOP"}',
      '{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "SHUTDOWN", "data": {"guest": true}}',
    ];
    expect(decode(`${lines.join('\r\n')}\r\n`)).toEqual([
      { kind: 'greeting' },
      { kind: 'reply', id: 1, value: {} },
      { kind: 'error', id: 2, class: 'GenericError', description: 'No such device' },
      { kind: 'error', id: undefined, class: 'GenericError', description: 'JSON parse error' },
      { kind: 'event', name: 'STOP', data: undefined },
      { kind: 'event', name: 'SHUTDOWN', data: { guest: true } },
    ]);
  });

  it('finds the same messages wherever the stream is cut', () => {
    const event = fc.record({ event: fc.string(), data: fc.jsonValue() });
    const reply = fc.record({ return: fc.jsonValue(), id: fc.nat() });
    const sent = fc.array(fc.oneof(event, reply), { maxLength: 5 });
    fc.assert(
      fc.property(sent, fc.array(fc.integer({ min: 1, max: 7 })), (messages, cuts) => {
        const stream = bytes(messages.map((message) => `${JSON.stringify(message)}\r\n`).join(''));
        const decoder = new QmpDecoder();
        const found: QmpMessage[] = [];
        let start = 0;
        for (const length of cuts) {
          found.push(...decoder.push(stream.slice(start, start + length)));
          start += length;
        }
        found.push(...decoder.push(stream.slice(start)));
        const whole = messages.map((message): QmpMessage => {
          // As JSON has it: -0 is 0.
          const value = JSON.parse(JSON.stringify('event' in message ? message.data : message.return));
          if ('event' in message) return { kind: 'event', name: message.event, data: value };
          return { kind: 'reply', id: message.id, value };
        });
        expect(found).toEqual(whole);
      }),
    );
  });

  it.each([
    ['text', 'Segmentation fault\n', /QMP: "Segmentation fault" is not JSON/],
    ['JSON that is no message', '{"hello": 1}\n', /QMP: "\{\\"hello\\": 1\}": error/],
    ['a reply without an id', '{"return": {}}\n', /QMP/],
    ['a number', '7\n', /QMP: "7"/],
    ['a line without end', 'x'.repeat((4 << 20) + 1), /a line of more than 4194304 bytes/],
  ])('refuses %s', (_what, text, message) => {
    expect(() => decode(text)).toThrow(message);
  });
});

it('writes a command as one line, whatever is in it', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.string()), fc.nat(), (args, id) => {
      const text = new TextDecoder().decode(encodeQmpCommand('device_add', args, id));
      expect(text.indexOf('\n')).toBe(text.length - 1);
      expect(JSON.parse(text)).toEqual({ execute: 'device_add', arguments: JSON.parse(JSON.stringify(args)), id });
    }),
  );
});
