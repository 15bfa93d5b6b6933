import { describe, expect, it } from 'vitest';
import { cniCodeOf } from './error-codes.ts';
import { parseDelVariables, parsePodVariables, parseVerb } from './variables.ts';

const GOOD = { CNI_CONTAINERID: 'c1', CNI_NETNS: '/run/netns/pod', CNI_IFNAME: 'eth0' };
const without = (name: keyof typeof GOOD) => ({ ...GOOD, [name]: undefined });

const parseAddVariables = (variables: Parameters<typeof parsePodVariables>[0]) => parsePodVariables(variables, 'ADD');
const parseCheckVariables = (variables: Parameters<typeof parsePodVariables>[0]) =>
  parsePodVariables(variables, 'CHECK');

const refusal = (act: () => unknown): { code: number; message: string } => {
  try {
    act();
  } catch (error) {
    return { code: cniCodeOf(error as never), message: (error as Error).message };
  }
  throw new Error('nothing was refused');
};

describe('verbs', () => {
  it.each(['ADD', 'DEL', 'CHECK', 'GC', 'STATUS', 'VERSION'])('knows %s', (verb) => {
    expect(parseVerb({ CNI_COMMAND: verb })).toBe(verb);
  });

  it.each([
    [undefined, 'CNI_COMMAND is not set'],
    ['', 'CNI_COMMAND is not set'],
    ['add', 'CNI_COMMAND is "add", but this plugin does ADD, DEL, CHECK, GC, STATUS, VERSION'],
    ['toString', 'CNI_COMMAND is "toString"'],
  ])('refuses %j', (command, message) => {
    const { code, message: found } = refusal(() => parseVerb({ CNI_COMMAND: command }));
    expect(code).toBe(4);
    expect(found).toContain(message);
  });
});

describe('variables', () => {
  it('reads those of ADD and DEL', () => {
    const read = { containerId: 'c1', netnsPath: '/run/netns/pod', ifName: 'eth0' };
    expect(parsePodVariables(GOOD, 'ADD')).toEqual(read);
    expect(parseDelVariables(GOOD)).toEqual(read);
  });

  it('lets DEL go without a namespace', () => {
    for (const CNI_NETNS of ['', undefined]) {
      expect(parseDelVariables({ ...GOOD, CNI_NETNS })).toEqual({ containerId: 'c1', ifName: 'eth0' });
    }
  });

  it.each([
    ['ADD', parseAddVariables, without('CNI_CONTAINERID'), 'CNI_CONTAINERID is not set'],
    ['ADD', parseAddVariables, without('CNI_NETNS'), 'CNI_NETNS is not set'],
    ['ADD', parseAddVariables, without('CNI_IFNAME'), 'CNI_IFNAME is not set'],
    ['CHECK', parseCheckVariables, without('CNI_NETNS'), 'CNI_NETNS is not set'],
    ['DEL', parseDelVariables, without('CNI_CONTAINERID'), 'CNI_CONTAINERID is not set'],
    ['DEL', parseDelVariables, without('CNI_IFNAME'), 'CNI_IFNAME is not set'],
    ['ADD', parseAddVariables, { ...GOOD, CNI_CONTAINERID: '../x' }, 'CNI_CONTAINERID is "../x"'],
    ['ADD', parseAddVariables, { ...GOOD, CNI_CONTAINERID: 'a:b' }, 'CNI_CONTAINERID is "a:b"'],
    ['DEL', parseDelVariables, { ...GOOD, CNI_IFNAME: 'sixteen-letters-' }, 'CNI_IFNAME is "sixteen-letters-"'],
    ['ADD', parseAddVariables, { ...GOOD, CNI_NETNS: 'run/netns/pod' }, 'CNI_NETNS is "run/netns/pod"'],
    ['DEL', parseDelVariables, { ...GOOD, CNI_NETNS: 'pod' }, 'CNI_NETNS is "pod"'],
  ])('%s is refused: %#', (_, parse, variables, message) => {
    const { code, message: found } = refusal(() => parse(variables));
    expect(code).toBe(4);
    expect(found).toContain(message);
  });

  it('names all that are bad at once', () => {
    const { message } = refusal(() => parsePodVariables({ CNI_IFNAME: 'a/b' }, 'ADD'));
    expect(message).toMatch(/^CNI_CONTAINERID is not set; CNI_NETNS is not set; CNI_IFNAME is "a\/b"/);
  });
});
