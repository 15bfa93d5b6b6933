import { build } from './build.ts';
import { runInForeground } from './foreground.ts';
import { setUp } from './setup.ts';

/** `npm run demo` */
export async function main(args: readonly string[]): Promise<number> {
  const { toolchain, guestBase } = await setUp();
  await build(toolchain, guestBase);
  return runInForeground([process.execPath, 'dist/berth.js', 'demo', ...args]);
}
