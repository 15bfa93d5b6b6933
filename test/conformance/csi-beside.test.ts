import { join } from 'node:path';
import { Client, credentials, type ServiceError, status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DRIVER_NAME } from '../../csi/identity.ts';
import { loadProto } from '../../csi/load-proto.ts';
import { type CsiNode, type CsiProcess, createCsiNode } from '../support/csi-node.ts';
import { mountXfsPool } from '../support/xfs-pool.ts';

/** What berth-csi serves beside CSI, as those who ask for it ask. */
let node: CsiNode;
let driver: CsiProcess;
let registry: string;
beforeEach(async () => {
  node = await createCsiNode();
  registry = join(node.scratch, 'plugins_registry');
  driver = await node.start({ 'kubelet-registration-dir': registry });
});
afterEach(async () => {
  await driver.stop();
  await node.close();
});

interface Answer {
  readonly code: status;
  readonly response?: unknown;
}

async function call(socket: string, service: string, verb: string, request: object): Promise<Answer> {
  const method = loadProto([service]).get(service)?.[verb];
  if (method === undefined) throw new Error(`there is no ${service}/${verb}`);
  const client = new Client(`unix:${socket}`, credentials.createInsecure());
  const { path, requestSerialize, responseDeserialize } = method;
  try {
    return await new Promise((resolve) => {
      const done = (error: ServiceError | null, response?: unknown): void =>
        resolve(error === null ? { code: status.OK, response } : { code: error.code });
      client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        { deadline: Date.now() + 5000 },
        done,
      );
    });
  } finally {
    client.close();
  }
}

describe('gRPC health', () => {
  it('is SERVING, as a whole and of each service of CSI', async () => {
    const services = ['', 'Identity', 'Controller', 'GroupController', 'SnapshotMetadata', 'Node'];
    for (const service of services.map((name) => (name === '' ? '' : `csi.v1.${name}`))) {
      const answer = await call(driver.socket, 'Health', 'Check', { service });
      expect([service, answer]).toEqual([service, { code: status.OK, response: { status: 'SERVING' } }]);
    }
    const other = await call(driver.socket, 'Health', 'Check', { service: 'csi.v1.Other' });
    expect(other.code).toBe(status.NOT_FOUND);
    expect((await call(driver.socket, 'Health', 'Watch', {})).code).toBe(status.UNIMPLEMENTED);
  });
});

it('a pool whose file system has shut down makes the driver unhealthy, and its verbs fail without loss', async () => {
  const broken = await createCsiNode();
  try {
    await mountXfsPool(broken);
    const server = await broken.start();
    const capability = { block: {}, access_mode: { mode: 'SINGLE_NODE_WRITER' } };
    const request = { capacity_range: { required_bytes: 1 << 20 }, volume_capabilities: [capability] };
    const create = (name: string) => server.client.call('Controller', 'CreateVolume', { ...request, name });
    await create('kept');
    expect(await server.client.call('Identity', 'Probe')).toEqual({ ready: { value: true } });
    expect((await broken.run('xfs_io', '-x', '-c', 'shutdown -f', broken.pool)).exitCode).toBe(0);
    await expect(create('lost')).rejects.toMatchObject({ code: status.INTERNAL });
    await expect(server.client.call('Identity', 'Probe')).rejects.toMatchObject({
      code: status.FAILED_PRECONDITION,
      details: expect.stringContaining('pool main'),
    });
    const answer = await call(server.socket, 'Health', 'Check', { service: 'csi.v1.Controller' });
    expect(answer.response).toEqual({ status: 'NOT_SERVING' });
    await server.stop();
    await broken.run('umount', broken.pool);
    await broken.run('mount', '-o', 'loop', `${broken.scratch}/pool.xfs`, broken.pool);
    const next = await broken.start();
    const { entries } = await next.client.call('Controller', 'ListVolumes');
    expect(entries.map(({ volume }) => volume.volume_id)).toEqual([expect.stringMatching(/\.kept$/)]);
    await next.stop();
  } finally {
    await broken.close();
  }
});

describe('registration with kubelet', () => {
  it('is offered in its directory, with the name and the socket of the driver', async () => {
    const socket = join(registry, `${DRIVER_NAME}-reg.sock`);
    expect(await call(socket, 'Registration', 'GetInfo', {})).toEqual({
      code: status.OK,
      response: { type: 'CSIPlugin', name: DRIVER_NAME, endpoint: driver.socket, supported_versions: ['1.0.0'] },
    });
    const refusal = { plugin_registered: false, error: 'a name that is taken' };
    expect((await call(socket, 'Registration', 'NotifyRegistrationStatus', refusal)).code).toBe(status.OK);
    await expect.poll(() => driver.log.join('\n'), { timeout: 10_000 }).toContain('a name that is taken');
  });

  it('is offered again by a server that follows a killed one', async () => {
    const socket = join(registry, `${DRIVER_NAME}-reg.sock`);
    await driver.crash();
    driver = await node.start({ 'kubelet-registration-dir': registry });
    expect((await call(socket, 'Registration', 'GetInfo', {})).code).toBe(status.OK);
  });
});
