import { afterAll, beforeAll, expect, it } from 'vitest';
import type { CsiServer } from '../../deploy/demo/csi-server.ts';
import { Fault } from '../../proto/fault.ts';
import { createLab, type Lab, programs } from '../support/lab.ts';
import { createLabVolume, type LabVolume } from '../support/lab-volumes.ts';
import { createShims, type Shims } from '../support/shims.ts';

const ROUNDS = 100;
const ROUNDS_WITHIN_MS = 300_000;

let lab: Lab;
let csi: CsiServer;
let shims: Shims;
let volume: LabVolume;
beforeAll(async () => {
  lab = await createLab();
  csi = await lab.csi();
  shims = createShims(lab, programs.shim);
  volume = await createLabVolume(lab, csi, 'raced-for');
});
afterAll(async () => {
  await csi.stop();
  await lab.close();
});

/** The whole of Create, with a real VMM that is not waited for: how it ends for each of the two. */
async function race(bundle: string): Promise<readonly string[]> {
  const pods = ['left', 'right'];
  const started = await Promise.all(pods.map((id) => shims.start(id)));
  expect(started.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
  const clients = await Promise.all(pods.map((id) => shims.connect(id)));
  const volumes = [
    { targetPath: volume.target, containerPath: '/data', readOnly: false, subPath: '', isDevice: false },
  ];
  const outcomes = clients.map((client) =>
    client.call('create', shims.request(bundle, volumes)).then(
      () => 'created',
      (error: unknown) => (error instanceof Fault ? error.message : String(error)),
    ),
  );
  // One is refused at once; the other's guest would boot, and is ended before it has.
  await Promise.race(outcomes);
  await Promise.all(clients.map((client) => client.call('stop', { timeoutMs: 0 }).catch(() => {})));
  await Promise.all(clients.map((client) => client.closed));
  return Promise.all(outcomes);
}

it(`of two shims that want one volume, exactly one has it, ${ROUNDS} times`, {
  timeout: ROUNDS_WITHIN_MS,
}, async () => {
  const bundle = await lab.bundle('raced', 'echo never');
  const winners = new Set<number>();
  for (let round = 0; round < ROUNDS; round += 1) {
    const outcomes = await race(bundle);
    const isWinner = outcomes.map((outcome) => / was stopped$/.test(outcome));
    const isLoser = outcomes.map((outcome) => /in use by .*(strategy: Recreate)/.test(outcome));
    expect(
      { isWinner: isWinner.filter(Boolean).length, isLoser: isLoser.filter(Boolean).length },
      outcomes.join(),
    ).toEqual({
      isWinner: 1,
      isLoser: 1,
    });
    winners.add(isWinner.indexOf(true));
    expect(await volume.isLeaseFree()).toBe(true);
  }
  // A race that one side always won would be none.
  expect(winners.size).toBe(2);
  expect(await volume.filesystem()).toEqual({ state: 'never' });
  await volume.remove();
  expect(await lab.remains()).toEqual([]);
});
