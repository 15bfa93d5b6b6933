import { describeError } from '../../../proto/fault.ts';
import type { Finding } from './finding.ts';

/** Carries out what is proved safe. What does not work out stays a finding, with the reason. */
export async function repair(findings: readonly Finding[]): Promise<readonly Finding[]> {
  const after: Finding[] = [];
  for (const finding of findings) after.push(finding.repair === undefined ? finding : await repairOne(finding));
  return after;
}

async function repairOne(finding: Finding): Promise<Finding> {
  try {
    await finding.repair?.apply();
    return { ...finding, status: 'repaired' };
  } catch (error) {
    return { ...finding, what: `${finding.what}; --repair failed: ${describeError(error)}` };
  }
}
