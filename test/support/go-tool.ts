import type { TestContext } from 'vitest';
import { ensureGoTool, type GoToolName } from '../../deploy/setup/go-tools.ts';

/** The program of a Go tool; where it cannot be had, the test is skipped with the reason. */
export async function needGoTool(name: GoToolName, context: TestContext): Promise<string> {
  const tool = await ensureGoTool(name);
  if ('missing' in tool) context.skip(`${name}: ${tool.missing}`);
  return 'program' in tool ? tool.program : '';
}
