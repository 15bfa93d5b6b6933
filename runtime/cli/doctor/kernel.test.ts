import { expect, it } from 'vitest';
import { judgeTrials } from './kernel.ts';

it('names the module of what does not work, in the words of the tool, and what was not even tried', () => {
  const output = 'ok veth\nok tap\nok ingress\nno u32 Error: Specified filter type not found.\n';
  const findings = judgeTrials(output);
  expect(findings.map(({ status }) => status)).toEqual(['ok', 'ok', 'ok', 'missing', 'missing']);
  expect(findings[3]).toMatchObject({
    what: 'no filter u32: Error: Specified filter type not found.',
    mend: 'modprobe cls_u32',
  });
  expect(findings[4]).toMatchObject({ what: expect.stringContaining('not tried'), mend: 'modprobe act_mirred' });
});
