import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CsiNode, type CsiProcess, createCsiNode } from '../support/csi-node.ts';

let node: CsiNode;
let driver: CsiProcess;

beforeAll(async () => {
  node = await createCsiNode();
  driver = await node.start();
});
afterAll(async () => {
  await driver.stop();
  await node.close();
});

const call = (...args: string[]) =>
  execa(process.execPath, ['deploy/setup/run-ts.mjs', 'deploy/examples/csi-call.ts', ...args], { reject: false });

describe('a call by hand', () => {
  it('prints the reply', async () => {
    const { exitCode, stdout } = await call(driver.socket, 'Node/NodeGetInfo');
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ node_id: 'node-1' });
  });

  it('prints what the driver says against it', async () => {
    const { exitCode, stderr } = await call(driver.socket, 'Controller/DeleteVolume', '{"volume_id":""}');
    expect(exitCode).toBe(1);
    expect(stderr).toBe('DeleteVolume: volume_id is required');
  });

  it.each([
    [['/run/csi.sock'], 2, 'SERVICE/VERB'],
    [['/run/csi.sock', 'CreateVolume'], 2, 'SERVICE/VERB'],
    [['/run/csi.sock', 'Node/NodeGetInfo', '{'], 1, 'the request is not JSON: {'],
    [['/run/csi.sock', 'Node/NoSuchVerb'], 1, 'csi.proto has no Node.NoSuchVerb'],
  ])('says how it is done: %j', async (args, exitCode, sentence) => {
    const done = await call(...args);
    expect(done.exitCode).toBe(exitCode);
    expect(done.stderr).toContain(sentence);
  });
});
