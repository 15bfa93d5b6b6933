import { describe, expect, it } from 'vitest';
import { parseFlag } from './flag.ts';
import { refusal } from './refusal.fixture.ts';

describe('arguments', () => {
  it.each([
    [[], undefined],
    [['--explain'], '--explain'],
    [['--version'], '--version'],
    [['--help'], '--help'],
  ])('%j are %s', (args, expected) => {
    expect(parseFlag(args)).toBe(expected);
  });

  it.each([
    [['--explan'], '"--explan"'],
    [['--EXPLAIN'], '"--EXPLAIN"'],
    [[''], '""'],
    [['ADD'], '"ADD"'],
    [['--explain', '--version'], '"--explain --version"'],
    [['--explain', ''], '"--explain "'],
  ])('%j are refused', (args, named) => {
    const [code, message] = refusal(() => parseFlag(args));
    expect(code).toBe(4);
    expect(message).toContain(`unknown arguments ${named}: CNI_COMMAND says what to do`);
  });
});
