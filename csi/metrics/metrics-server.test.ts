import { mkdtemp, rm, stat } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { silentLog } from '../../runtime/system/log.ts';
import { startMetricsServer } from './metrics-server.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-metrics-'));
});
afterEach(() => rm(directory, { recursive: true }));

function get(socketPath: string, path: string, method = 'GET'): Promise<{ status: number | undefined; text: string }> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, path, method, agent: false }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      response.on('end', () => resolve({ status: response.statusCode, text }));
    });
    sent.once('error', reject);
    sent.end();
  });
}

it('serves metrics, and nothing else', async () => {
  const path = join(directory, 'metrics.sock');
  let isBroken = false;
  const collect = async () => {
    if (isBroken) throw new Error('no');
    return [{ name: 'm', type: 'gauge', help: 'h', series: [{ labels: {}, value: 1 }] } as const];
  };
  const server = await startMetricsServer({ path }, collect, silentLog);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await get(path, '/metrics')).toEqual({ status: 200, text: '# HELP m h\n# TYPE m gauge\nm 1\n' });
  expect(await get(path, '/')).toMatchObject({ status: 404 });
  expect(await get(path, '/metrics', 'POST')).toMatchObject({ status: 404 });
  isBroken = true;
  expect(await get(path, '/metrics')).toMatchObject({ status: 500 });
  isBroken = false;
  expect(await get(path, '/metrics')).toMatchObject({ status: 200 });
  await server.close();
  await expect(get(path, '/metrics')).rejects.toMatchObject({ code: 'ENOENT' });
});

it('says where it could not be', async () => {
  const address = { host: '192.0.2.1', port: 1 };
  await expect(startMetricsServer(address, async () => [], silentLog)).rejects.toThrow(
    'could not serve metrics on 192.0.2.1:1',
  );
});
