import { describe, expect, it } from 'vitest';
import { parseAnswers } from './capabilities.ts';

const TYPES = [
  ...['virtio-serial-pci', 'virtserialport', 'virtio-net-pci', 'virtio-rng-pci'],
  ...['tcg-accel', 'kvm-accel', 'virtio-blk-pci', 'virtio-9p-pci'],
];

/** What Debian's QEMUs answered; of each type, the first property. */
const DEVICE = '{"return": [{"name": "type", "type": "string"}, {"name": "parent_bus", "type": "link<bus>"}]';
const DEBIAN_12 = '{"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "Debian 1:7.2+dfsg-7+deb12u18+b3"}';
const DEBIAN_13 = '{"qemu": {"micro": 13, "minor": 0, "major": 10}, "package": "Debian 1:10.0.13+ds-0+deb13u1"}';
const END = '"event": "SHUTDOWN", "data": {"guest": false, "reason": "host-qmp-quit"}';
const ANSWERS = {
  'QEMU 7.2.22': [
    `{"QMP": {"version": ${DEBIAN_12}, "capabilities": ["oob"]}}`,
    '{"return": {}, "id": 1}',
    `{"return": ${DEBIAN_12}, "id": 2}`,
    ...[4, 5, 6, 7].map((id) => `${DEVICE}, "id": ${id}}`),
    '{"return": [{"name": "type", "type": "string"}, {"name": "thread", "type": "string"}], "id": 8}',
    '{"return": [{"name": "type", "type": "string"}, ' +
      '{"name": "kernel-irqchip", "description": "Configure KVM in-kernel irqchip", "type": "on|off|split"}], "id": 9}',
    ...[10, 11].map((id) => `${DEVICE}, "id": ${id}}`),
    '{"return": {}, "id": 12}',
    `{"timestamp": {"seconds": 1795261267, "microseconds": 685854}, ${END}}`,
    '{"return": {}, "id": 3}',
  ],
  'QEMU 10.0.13': [
    `{"QMP": {"version": ${DEBIAN_13}, "capabilities": ["oob"]}}`,
    '{"return": {}, "id": 1}',
    `{"return": ${DEBIAN_13}, "id": 2}`,
    ...[4, 5, 6, 7].map((id) => `${DEVICE}, "id": ${id}}`),
    '{"return": [{"name": "type", "type": "string"}, {"name": "one-insn-per-tb", ' +
      '"description": "Only put one guest insn in each translation block", "type": "bool"}], "id": 8}',
    '{"return": [{"name": "type", "type": "string"}, {"name": "notify-window", ' +
      '"description": "Clock cycles without an event window after which a notification VM exit occurs", ' +
      '"type": "uint32"}], "id": 9}',
    ...[10, 11].map((id) => `${DEVICE}, "id": ${id}}`),
    '{"return": {}, "id": 12}',
    `{"timestamp": {"seconds": 1795261267, "microseconds": 813715}, ${END}}`,
    '{"return": {}, "id": 3}',
  ],
};

const parse = (lines: readonly string[]) => parseAnswers(new TextEncoder().encode(`${lines.join('\r\n')}\r\n`), 'qemu');
/** As one of them answers, but to question `id` this; without a line, nothing. */
const but = (id: number, line?: string): string[] =>
  ANSWERS['QEMU 10.0.13'].flatMap((answer) => {
    if (!answer.includes(`"id": ${id}}`)) return [answer];
    return line === undefined ? [] : [line];
  });

describe('what QEMU says of itself', () => {
  it.each(Object.entries(ANSWERS))('is understood of %s', (version, lines) => {
    const answers = parse(lines);
    expect(answers.version).toBe(version);
    expect([...answers.types].sort()).toEqual(TYPES.toSorted());
  });

  it.each(TYPES)('tells whether it has %s', (type) => {
    const id = 4 + TYPES.indexOf(type);
    const line = `{"id": ${id}, "error": {"class": "DeviceNotFound", "desc": "Class '${type}' not found"}}`;
    expect([...parse(but(id, line)).types].sort()).toEqual(TYPES.filter((name) => name !== type).sort());
  });

  it('has io_uring only where an image opens with it', () => {
    const refusal = '{"id": 12, "error": {"class": "GenericError", "desc": "Parameter \'aio\' does not accept"}}';
    expect(parse(ANSWERS['QEMU 7.2.22']).ioUring).toBe(true);
    expect(parse(but(12, refusal)).ioUring).toBe(false);
  });

  it('is not guessed at when it refuses to answer, or ends before it has', () => {
    const line =
      '{"id": 11, "error": {"class": "CommandNotFound", "desc": "The command qom-list-properties has not been found"}}';
    expect(() => parse(but(11, line))).toThrow(/^qemu cannot be asked what it can do; .*has not been found$/);
    expect(() => parse(but(11))).toThrow(/there is no answer$/);
    expect(() => parse(but(2))).toThrow(/there is no answer$/);
  });
});
