import { expect, it } from 'vitest';
import { mergePerformance } from './merge-performance.ts';

const introduction = '# Performance\n\nHow to read it.';
const sections = ['## One\n\nfigures\nof one', '## Two\n\nfigures of two'];

it('has the machine before what was measured on it', () => {
  const text = mergePerformance('', { introduction, machines: ['A computer,\n2 cores.'], sections });
  expect(text).toBe(
    '# Performance\n\nHow to read it.\n\nMeasured on:\nA computer,\n2 cores.\n\n' +
      '## One\n\nfigures\nof one\n\n## Two\n\nfigures of two\n',
  );
});

it('replaces what was measured again, and keeps the rest with its machine', () => {
  const before = mergePerformance('', { introduction: '# Old', machines: ['A.'], sections });
  const again = { introduction, machines: ['A.', 'B.'], sections: ['## Three\n\nnew', '## One\n\nbetter'] };
  expect(mergePerformance(before, again)).toBe(
    `${introduction}\n\nMeasured on:\nA.\n\nMeasured on:\nB.\n\n` +
      '## One\n\nbetter\n\n## Two\n\nfigures of two\n\n## Three\n\nnew\n',
  );
  expect(mergePerformance(before, { introduction: '# Old', machines: ['A.'], sections: [] })).toBe(before);
});
