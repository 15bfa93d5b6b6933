import { afterEach, describe, expect, it, vi } from 'vitest';
import { armFailpoint, FAILPOINT_VARIABLE, failpoint, LIST_FAILPOINTS } from './failpoint.ts';

const said: string[] = [];
const arm = (value: string | undefined) => {
  said.length = 0;
  armFailpoint(() => ({
    environment: () => ({ [FAILPOINT_VARIABLE]: value }),
    kill: () => {
      said.push('killed');
    },
    write: (line) => said.push(line),
  }));
};
afterEach(() => {
  arm(undefined);
  vi.unstubAllGlobals();
});

describe('a failpoint', () => {
  it.each([
    ['file.renamed', 1],
    ['file.renamed:1', 1],
    ['file.renamed:3', 3],
  ])('%s kills at pass %i of that point, and of no other', (value, nth) => {
    vi.stubGlobal('__BERTH_FAILPOINTS__', true);
    arm(value);
    for (let pass = 1; pass < nth; pass += 1) failpoint('file.renamed');
    failpoint('file.removed');
    expect(said).toEqual([]);
    failpoint('file.renamed');
    expect(said).toEqual([`failpoint ${value} kills\n`, 'killed']);
  });

  it('is told of, each time that it is passed, when a list is asked for', () => {
    vi.stubGlobal('__BERTH_FAILPOINTS__', true);
    arm(LIST_FAILPOINTS);
    failpoint('file.temporary');
    failpoint('file.renamed');
    failpoint('file.temporary');
    expect(said).toEqual(['failpoint file.temporary\n', 'failpoint file.renamed\n', 'failpoint file.temporary\n']);
  });

  it.each(['file.eaten', 'file.renamed:0', 'file.renamed:', 'toString', ':1'])('%s is refused', (value) => {
    vi.stubGlobal('__BERTH_FAILPOINTS__', true);
    expect(() => arm(value)).toThrow(`${FAILPOINT_VARIABLE} is ${value}, not <name>[:<nth>] of a failpoint`);
  });

  it.each([[undefined], [false]])('does nothing where the bundler says %s', (constant) => {
    vi.stubGlobal('__BERTH_FAILPOINTS__', constant);
    arm('file.renamed');
    failpoint('file.renamed');
    expect(said).toEqual([]);
  });
});
