import { describe, expect, it } from 'vitest';
import { Fault } from '../../../proto/fault.ts';
import type { Finding } from './finding.ts';
import { formatFindings, toPlain } from './format-findings.ts';
import { repair } from './repair.ts';

const fine: Finding = { area: 'kernel', status: 'ok', what: 'veth' };
const safe: Finding = {
  area: 'pods',
  status: 'orphan',
  what: 'pod p1 is dead',
  mend: 'berth stop p1',
  repair: { proof: 'nothing of it lives', apply: async () => {} },
};

describe('findings', () => {
  it('stand in a paragraph for each area, each trouble with its way out', () => {
    expect(formatFindings([fine, safe])).toBe(
      [
        'kernel',
        '  ok       veth',
        '',
        'pods',
        '  ORPHAN   pod p1 is dead',
        '           do: berth stop p1',
        '           --repair is safe: nothing of it lives',
        '',
        '1 thing needs attention.',
        '',
      ].join('\n'),
    );
  });

  it('are data for programs', () => {
    expect(toPlain([fine, safe])).toEqual([
      fine,
      { area: 'pods', status: 'orphan', what: 'pod p1 is dead', mend: 'berth stop p1', proof: 'nothing of it lives' },
    ]);
  });
});

describe('repair', () => {
  it('mends what is safe, and leaves the rest as it is', async () => {
    const { repair: _, ...unsafe } = safe;
    const after = await repair([fine, safe, unsafe]);
    expect(after.map(({ status }) => status)).toEqual(['ok', 'repaired', 'orphan']);
    expect(formatFindings([fine, ...after.slice(1, 2)])).toContain('was safe: nothing of it lives\n\nAll is well.');
  });

  it('keeps what could not be mended, with the reason', async () => {
    const apply = () => Promise.reject(new Fault('busy', 'somebody is faster'));
    const [finding] = await repair([{ ...safe, repair: { proof: 'none', apply } }]);
    expect(finding).toMatchObject({ status: 'orphan', what: expect.stringContaining('somebody is faster') });
  });
});
