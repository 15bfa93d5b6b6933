import { existsSync } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, credentials, type ServiceError } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLog } from '../runtime/system/log.ts';
import { loadProto } from './load-proto.ts';
import { RpcMetrics } from './metrics/rpc-metrics.ts';
import { startRegistration } from './registration.ts';
import type { RunningServer } from './server.ts';

let scratch: string;
let socket: string;
let server: RunningServer;
let client: Client;
let lines: string[];
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'berth-registration-'));
  lines = [];
  const options = { directory: join(scratch, 'plugins_registry'), socketPath: '/run/berth/csi.sock' };
  server = await startRegistration(
    options,
    new RpcMetrics(),
    createLog((line) => lines.push(line), 'info'),
  );
  socket = join(options.directory, 'csi.berth.dev-reg.sock');
  client = new Client(`unix:${socket}`, credentials.createInsecure());
});
afterEach(async () => {
  client.close();
  await server.close();
  await rm(scratch, { recursive: true });
});

/** What kubelet does, and what it reads. */
const call = (verb: string, request: object): Promise<object> =>
  new Promise((resolve, reject) => {
    const method = loadProto(['Registration']).get('Registration')?.[verb];
    if (method === undefined) throw new Error(`there is no ${verb}`);
    const done = (error: ServiceError | null, response?: object): void =>
      error === null ? resolve(response ?? {}) : reject(error);
    client.makeUnaryRequest(method.path, method.requestSerialize, method.responseDeserialize, request, done);
  });

describe('registration', () => {
  it('tells kubelet what the driver is and where it is served', async () => {
    expect(await call('GetInfo', {})).toEqual({
      type: 'CSIPlugin',
      name: 'csi.berth.dev',
      endpoint: '/run/berth/csi.sock',
      supported_versions: ['1.0.0'],
    });
    expect((await stat(socket)).mode & 0o777).toBe(0o600);
  });

  it('says in the log how it went, and goes on when it went wrong', async () => {
    await call('NotifyRegistrationStatus', { plugin_registered: false, error: 'no such node' });
    expect(lines.join('')).toMatch(/"level":"error","message":"kubelet has not registered.*"no such node"/);
    await call('NotifyRegistrationStatus', { plugin_registered: true });
    expect(lines.join('')).toMatch(/"level":"info","message":"kubelet has registered/);
  });

  it('takes its socket with it', async () => {
    await server.close();
    expect(existsSync(socket)).toBe(false);
  });
});
