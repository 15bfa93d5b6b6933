import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildNative } from '../../deploy/setup/native-build.ts';
import { bundleNodeProgram } from '../../deploy/setup/node-bundle.ts';
import { ensureToolchain } from '../../deploy/setup/toolchain.ts';
import { FAILPOINT_VARIABLE, FAILPOINTS } from '../../runtime/system/failpoint.ts';
import { buildWithFailpoints } from '../support/failpoint-build.ts';
import { failpointsOf } from '../support/failpoints.ts';

let scratch = '';
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'berth-release-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

/** Of these texts, those that the program contains. */
async function findIn(program: string, texts: readonly string[]): Promise<string[]> {
  const bytes = await readFile(program);
  return texts.filter((text) => bytes.includes(text));
}

describe('a release build', () => {
  const everything = [FAILPOINT_VARIABLE, ...Object.keys(FAILPOINTS)];

  it.each(['csi', 'runtime/cli'])('of %s has no failpoints', async (room) => {
    const program = join(scratch, 'program.js');
    await bundleNodeProgram(`${room}/main.ts`, program);
    expect(await findIn(program, everything)).toEqual([]);
  });

  it.each(['cni', 'runtime/shim', 'runtime/guest'])('of %s has no failpoints', async (room) => {
    const output = join(scratch, room.replace('/', '-'));
    await buildNative({ entry: `${room}/main.ts`, output }, await ensureToolchain());
    expect(await findIn(output, everything)).toEqual([]);
  });
});

it.each(['csi', 'cni', 'shim'] as const)('the build of %s for crash tests has its failpoints', async (program) => {
  const wanted = [FAILPOINT_VARIABLE, ...failpointsOf(program)];
  expect(await findIn(await buildWithFailpoints(program), wanted)).toEqual(wanted);
});
