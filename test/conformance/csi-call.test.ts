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

  it('reaches the services of snapshots too, and tells what streams', async () => {
    const { stdout } = await call(driver.socket, 'GroupController/GroupControllerGetCapabilities');
    expect(stdout).toContain('CREATE_DELETE_GET_VOLUME_GROUP_SNAPSHOT');
    const access_mode = { mode: 'SINGLE_NODE_WRITER' };
    const { volume } = await driver.client.call('Controller', 'CreateVolume', {
      ...{
        name: 'one',
        capacity_range: { required_bytes: 1 << 20 },
        volume_capabilities: [{ block: {}, access_mode }],
      },
    });
    const request = { name: 's', source_volume_id: volume.volume_id, parameters: { allowCopy: 'true' } };
    const { snapshot } = await driver.client.call('Controller', 'CreateSnapshot', request);
    const asked = JSON.stringify({ snapshot_id: snapshot.snapshot_id });
    const streamed = await call(driver.socket, 'SnapshotMetadata/GetMetadataAllocated', asked);
    expect(JSON.parse(streamed.stdout)).toEqual([
      { block_metadata_type: 'VARIABLE_LENGTH', volume_capacity_bytes: 1 << 20, block_metadata: [] },
    ]);
    const none = await call(driver.socket, 'SnapshotMetadata/GetMetadataAllocated', '{"snapshot_id":"none"}');
    expect(none).toMatchObject({
      exitCode: 1,
      stderr: 'GetMetadataAllocated answered NOT_FOUND: there is no snapshot none',
    });
  });

  it('prints what the driver says against it', async () => {
    const { exitCode, stderr } = await call(driver.socket, 'Controller/DeleteVolume', '{"volume_id":""}');
    expect(exitCode).toBe(1);
    expect(stderr).toBe('DeleteVolume answered INVALID_ARGUMENT: volume_id is required');
  });

  it.each([
    [['/run/csi.sock'], 2, 'SERVICE/VERB'],
    [['/run/csi.sock', 'CreateVolume'], 2, 'SERVICE/VERB'],
    [
      ['/run/csi.sock', 'Health/Check'],
      2,
      'SERVICE one of Identity, Controller, GroupController, SnapshotMetadata, Node',
    ],
    [['/run/csi.sock', 'Node/NodeGetInfo', '{'], 1, 'the request is not JSON: {'],
    [['/run/csi.sock', 'Node/NoSuchVerb'], 1, 'csi.proto has no Node.NoSuchVerb'],
  ])('says how it is done: %j', async (args, exitCode, sentence) => {
    const done = await call(...args);
    expect(done.exitCode).toBe(exitCode);
    expect(done.stderr).toContain(sentence);
  });
});
