import { runPaths } from '../proto/paths.ts';
import type { Log } from '../runtime/system/log.ts';
import { createNodeSystem } from '../runtime/system/node/system.ts';
import type { Undo } from '../runtime/system/undo.ts';
import { Attachments } from './attachments.ts';
import { Publications } from './controller/publications.ts';
import { createController } from './controller.ts';
import { EphemeralVolumes } from './ephemeral-volumes.ts';
import type { Flags } from './flags.ts';
import { clearUnfinishedGroups } from './group-controller/clear-group.ts';
import { createGroupController } from './group-controller/service.ts';
import { UnfinishedGroups } from './group-controller/unfinished-groups.ts';
import { createHealth } from './health.ts';
import type { HostCalls } from './host-calls.ts';
import { createIdentity } from './identity.ts';
import { lockDirectory } from './instance-lock.ts';
import { startMetricsServer } from './metrics/metrics-server.ts';
import { RpcMetrics } from './metrics/rpc-metrics.ts';
import { collectVolumeMetrics } from './metrics/volume-metrics.ts';
import { sweepBlockFiles } from './node/block-files.ts';
import { createNode } from './node.ts';
import { PodShims } from './pod-shims.ts';
import { openImageFilePool } from './pool/image-file/pool.ts';
import type { Pool } from './pool/port.ts';
import { startRegistration } from './registration.ts';
import { type RunningServer, startServer } from './server.ts';
import { createSnapshotMetadata } from './snapshot-metadata/service.ts';
import { Snapshots } from './snapshots/snapshots.ts';
import { survey } from './survey.ts';
import { VolumeConditions } from './volume-conditions.ts';
import { toNodeKey } from './volume-id.ts';
import { Volumes } from './volumes.ts';

/**
 * Puts the driver together: what is on disk is read and mended before the first request is taken. `opened` gets what
 * closes it again, in reverse: after a failed start and at the end alike.
 */
export async function startDriver(flags: Flags, host: HostCalls, opened: Undo, log: Log): Promise<RunningServer> {
  const { socketPath, nodeId, stateDirectory, runDirectory, maxVolumesPerNode } = flags;
  const startedAt = performance.now();
  const owner = `berth-csi of node ${nodeId}, process ${process.pid}, endpoint unix://${socketPath}`;
  const system = createNodeSystem();
  await system.makeDirectory(stateDirectory, 0o700);
  const stateLock = await lockDirectory(host, stateDirectory, '--state-dir', owner);
  opened.defer('state directory', () => stateLock.release());

  const volumes = new Volumes(toNodeKey(nodeId), await openPools(flags, host, owner, opened, log));
  const run = runPaths(runDirectory);
  const isFirstOfBoot = (await system.list(run.csi)).length === 0;
  await system.makeDirectory(run.csi, 0o700);
  const runLock = await lockDirectory(host, run.csi, '--run-dir', owner);
  opened.defer('run directory', () => runLock.release());
  const attachments = await Attachments.open(system, runDirectory);
  await sweepBlockFiles({ system, host, attachments }, run);
  const conditions = new VolumeConditions();
  const ephemeral = new EphemeralVolumes(volumes, log, (volumeId) => conditions.forget(volumeId));
  opened.defer('inline volumes', () => ephemeral.close());
  await ephemeral.sweep(attachments, { isFirstOfBoot });
  await survey(attachments, volumes, log);
  const publications = flags.isControllerPublish ? await Publications.load(volumes, log) : undefined;
  const shims = new PodShims(system, run);
  const unfinished = await UnfinishedGroups.open(system, `${stateDirectory}/groups`);
  const snapshots = new Snapshots(volumes, unfinished);
  const groups = { volumes, snapshots, attachments, shims, unfinished };
  await clearUnfinishedGroups(groups, log);

  const metrics = new RpcMetrics();
  if (flags.metricsAddress !== undefined) {
    const collect = async () => [...metrics.families(), ...(await collectVolumeMetrics(volumes, conditions))];
    const metricsServer = await startMetricsServer(flags.metricsAddress, collect, log);
    opened.defer('metrics', () => metricsServer.close());
  }
  const services = {
    Identity: createIdentity(volumes),
    Controller: createController({
      ...{ nodeId, volumes, snapshots, attachments, conditions, shims, publications, maxVolumesPerNode },
    }),
    GroupController: createGroupController(groups),
    SnapshotMetadata: createSnapshotMetadata(snapshots),
    Node: createNode({
      ...{ nodeId, run, host, volumes, ephemeral, attachments, conditions, shims, maxVolumesPerNode },
      measurements: new Map(),
    }),
  };
  const health = createHealth(Object.keys(services), volumes);
  const server = await startServer(socketPath, { ...services, Health: health }, metrics, log);
  opened.defer('server', async () => {
    await server.close();
  });
  if (flags.registrationDirectory !== undefined) {
    const options = { directory: flags.registrationDirectory, socketPath };
    const registration = await startRegistration(options, metrics, log);
    opened.defer('registration', async () => {
      await registration.close();
    });
  }
  log.info('ready', { ms: Math.round(performance.now() - startedAt), volumes: countOf(volumes) });
  return server;
}

async function openPools(flags: Flags, host: HostCalls, owner: string, opened: Undo, log: Log): Promise<Pool[]> {
  const { stateDirectory, allowUnfitPool: allowUnfit } = flags;
  const pools: Pool[] = [];
  for (const { name, directory, options } of flags.pools) {
    const all = { ...options, host, name, directory, stateDirectory, allowUnfit, owner };
    const pool = await openImageFilePool(all, log.with({ pool: name }));
    opened.defer(`pool ${name}`, () => pool.close());
    pools.push(pool);
  }
  return pools;
}

function countOf(volumes: Volumes): number {
  return [...volumes.pools.values()].reduce((sum, pool) => sum + pool.volumes().length, 0);
}
