import { userInfo } from 'node:os';
import { execa } from 'execa';
import { Fault } from '../../proto/fault.ts';
import { formatFailure } from '../../runtime/cli/format-failure.ts';
import type { Programs } from '../../runtime/cli/programs.ts';
import { Journal } from './journal.ts';
import { runMainJob } from './main-job.ts';
import { createScratch, removeScratch } from './scratch.ts';
import { worldCommand } from './world.ts';

/** Set for the second run of the program, which is in the world: where its scratch directory is. */
const INSIDE = 'BERTH_DEMO_SCRATCH';

/** Shows the main job. Resolves with the exit status. */
export async function demo(programs: Programs): Promise<number> {
  const scratch = process.env[INSIDE];
  return scratch === undefined ? demoOutside(programs) : demoInside(programs, scratch);
}

/** Runs the same program again in a world of its own, and removes what the kernel does not: the scratch directory. */
async function demoOutside(programs: Programs): Promise<number> {
  if (userInfo().uid !== 0) {
    throw new Fault('environment', 'the demo makes namespaces, mounts and VMs, so it runs as root; try it with sudo');
  }
  const scratch = await createScratch();
  try {
    const [file = '', ...args] = worldCommand([process.execPath, programs.berth, 'demo']);
    const world = execa(file, args, {
      reject: false,
      stdin: 'ignore',
      stdout: 'inherit',
      stderr: 'inherit',
      env: { [INSIDE]: scratch },
    });
    // With the first process of its PID namespace, everything in the world ends.
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => world.kill('SIGKILL'));
    const { exitCode = 1 } = await world;
    return exitCode;
  } finally {
    await removeScratch(scratch);
  }
}

async function demoInside(programs: Programs, scratch: string): Promise<number> {
  const journal = new Journal((text) => process.stdout.write(text));
  try {
    await runMainJob(programs, scratch, journal);
    process.stdout.write(journal.table());
    return 0;
  } catch (error) {
    process.stderr.write(formatFailure(error));
    return 1;
  }
}
