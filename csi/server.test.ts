import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, credentials, type ServiceError, status } from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { silentLog } from '../runtime/system/log.ts';
import { loadProto } from './load-proto.ts';
import { formatMetrics } from './metrics/exposition.ts';
import { RpcMetrics } from './metrics/rpc-metrics.ts';
import { type RunningServer, startServer } from './server.ts';
import type { Call, CallContext } from './verb.ts';

function withResolvers<T>() {
  let resolve: (value: T) => void = () => {};
  let reject: (reason: unknown) => void = () => {};
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

/** A verb that says when it has begun, and ends when it is told to. */
function createGate() {
  const begun = withResolvers<CallContext>();
  const open = withResolvers<object>();
  return {
    begun: begun.promise,
    open: () => open.resolve({}),
    run: (context: CallContext) => {
      begun.resolve(context);
      return open.promise;
    },
  };
}

let directory: string;
let server: RunningServer;
let client: Client;
let metrics: RpcMetrics;
let gate: ReturnType<typeof createGate>;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-server-'));
  metrics = new RpcMetrics();
  gate = createGate();
  const wait = (request: { volume_id: string }): Call<object> => ({ locks: [request.volume_id], run: gate.run });
  const services = { Controller: { DeleteVolume: wait, ControllerUnpublishVolume: wait } };
  server = await startServer(`${directory}/csi.sock`, services, metrics, silentLog);
  client = new Client(`unix:${directory}/csi.sock`, credentials.createInsecure());
});
afterEach(async () => {
  client.close();
  gate.open();
  await server.close();
  await rm(directory, { recursive: true });
});

function call(verb: string, deadlineMs?: number) {
  const method = loadProto(['Controller']).get('Controller')?.[verb];
  if (method === undefined) throw new TypeError(`there is no ${verb}`);
  const { path, requestSerialize, responseDeserialize } = method;
  const options = deadlineMs === undefined ? {} : { deadline: Date.now() + deadlineMs };
  const answer = withResolvers<unknown>();
  const done = (error: ServiceError | null, response?: unknown): void =>
    error === null ? answer.resolve(response) : answer.reject(error);
  const request = { volume_id: 'a.key.v' };
  const sent = client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, options, done);
  answer.promise.catch(() => {});
  return { answer: answer.promise, cancel: () => sent.cancel() };
}

const aborted = (signal: AbortSignal): Promise<unknown> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve(signal.reason);
    signal.addEventListener('abort', () => resolve(signal.reason));
  });

it('tells a verb when its caller has gone, and keeps its lock until it has ended', async () => {
  const first = call('DeleteVolume');
  const { signal } = await gate.begun;
  first.cancel();
  expect(await aborted(signal)).toMatchObject({ message: 'the caller of DeleteVolume does not wait any more' });
  await expect(call('ControllerUnpublishVolume').answer).rejects.toMatchObject({
    code: status.ABORTED,
    details: 'DeleteVolume is at work on a.key.v; try again',
  });
});

it('tells a verb when its deadline is over', async () => {
  const late = call('DeleteVolume', 50);
  const { signal } = await gate.begun;
  await aborted(signal);
  await expect(late.answer).rejects.toMatchObject({ code: status.DEADLINE_EXCEEDED });
});

it('lets verbs end when it stops, and takes no others', async () => {
  const running = call('DeleteVolume');
  await gate.begun;
  const closed = server.close();
  await expect(call('ControllerUnpublishVolume').answer).rejects.toMatchObject({ code: status.UNAVAILABLE });
  gate.open();
  expect(await running.answer).toEqual({});
  expect(await closed).toBe(true);
});

async function startImpatient(): Promise<RunningServer> {
  await server.close();
  const services = { Controller: { DeleteVolume: (): Call<object> => ({ run: gate.run }) } };
  const limits = { graceMs: 1, windUpMs: 1 };
  return startServer(`${directory}/csi.sock`, services, metrics, silentLog, limits);
}

it('does not take a verb for ended whose caller has gone', async () => {
  const impatient = await startImpatient();
  const running = call('DeleteVolume');
  const { signal } = await gate.begun;
  running.cancel();
  await aborted(signal);
  expect(await impatient.close()).toBe(false);
});

it('says that verbs did not end, and tells them', async () => {
  const impatient = await startImpatient();
  const running = call('DeleteVolume');
  const { signal } = await gate.begun;
  expect(await impatient.close()).toBe(false);
  expect(signal.reason).toMatchObject({ message: 'berth-csi stops; try again' });
  gate.open();
  expect(await running.answer).toEqual({});
});

it('counts what it served by status', async () => {
  const running = call('DeleteVolume');
  await gate.begun;
  await expect(call('DeleteVolume').answer).rejects.toMatchObject({ code: status.ABORTED });
  expect(formatMetrics(metrics.families())).toContain('berth_csi_rpc_in_flight{rpc="DeleteVolume"} 1\n');
  gate.open();
  await running.answer;
  const text = formatMetrics(metrics.families());
  expect(text).toContain('berth_csi_rpc_total{rpc="DeleteVolume",code="OK"} 1\n');
  expect(text).toContain('berth_csi_rpc_total{rpc="DeleteVolume",code="ABORTED"} 1\n');
});
