import { build } from './build.ts';
import { runInForeground } from './foreground.ts';
import { ensureGoTools } from './go-tools.ts';
import { ensureQemu10 } from './qemu-10.ts';
import { ensureSanitizedHost } from './sanitized-host.ts';
import { setUp } from './setup.ts';

/** `npm test`: all layers of tests; arguments go to vitest. */
export async function main(args: readonly string[]): Promise<number> {
  const { toolchain, guestBase } = await setUp();
  await build(toolchain, guestBase);
  await ensureSanitizedHost(toolchain);
  await ensureQemu10();
  await ensureGoTools();
  return runInForeground([process.execPath, 'node_modules/vitest/vitest.mjs', 'run', ...args]);
}
