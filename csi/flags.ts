import { isIP } from 'node:net';
import { parseArgs } from 'node:util';
import { Fault } from '../proto/fault.ts';
import { DEFAULT_RUN_DIRECTORY } from '../proto/paths.ts';
import { LOG_LEVELS, type LogLevel } from '../runtime/system/log.ts';
import type { MetricsAddress } from './metrics/metrics-server.ts';
import type { PoolOptions } from './pool/port.ts';
import { POOL_NAME, POOL_NAME_RULE } from './volume-id.ts';

export interface PoolFlag {
  readonly name: string;
  readonly backend: 'image-file';
  readonly directory: string;
  readonly options: PoolOptions;
}

export interface Flags {
  readonly socketPath: string;
  readonly nodeId: string;
  readonly stateDirectory: string;
  readonly runDirectory: string;
  readonly pools: readonly PoolFlag[];
  readonly allowUnfitPool: boolean;
  readonly logLevel: LogLevel;
  /** ControllerPublishVolume and its pair are served. */
  readonly isControllerPublish: boolean;
  /** 0: no limit. */
  readonly maxVolumesPerNode: number;
  readonly metricsAddress: MetricsAddress | undefined;
  readonly registrationDirectory: string | undefined;
}

export const USAGE = `berth-csi: the CSI driver of berth, one server per node

  berth-csi --endpoint unix:///PATH --node-id ID --state-dir DIR --pool NAME=image-file:DIR ...

  --endpoint unix:///PATH       socket to serve CSI on, made with mode 0600; a stale one is replaced
  --node-id ID                  name of this node, at most 256 bytes; volume ids carry a key of it, so it must never change
  --state-dir DIR               directory of this server; a second server on it is refused
  --pool NAME=image-file:DIR[,OPTION=VALUE ...]
                                a pool of volumes, as image files in DIR on a local disk; may be repeated
      overcommit=FACTOR         volumes and snapshots may be promised FACTOR times the size of DIR's file system (default
                                1), 1.5 for instance, or unlimited; a guest stops at a write when the disk is full
  --run-dir DIR                 where berth's programs meet on this node (default ${DEFAULT_RUN_DIRECTORY})
  --kubelet-registration-dir DIR
                                kubelet's plugins_registry (/var/lib/kubelet/plugins_registry), to register there without a
                                node-driver-registrar
  --controller-publish          serve ControllerPublishVolume, for clusters whose CSIDriver has attachRequired: true; it
                                only keeps record of what is published
  --max-volumes-per-node N      volumes that the scheduler may give this node (default 0: no limit)
  --metrics-address ADDRESS     serve Prometheus metrics at http://IP:PORT/metrics, or on a socket of mode 0600: unix:///PATH;
                                whoever reaches it reads the names of all volumes
  --log-level LEVEL             ${LOG_LEVELS.join(', ')} (default info); the log goes to stderr, a JSON object per line
  --allow-unfit-pool            accept a pool on tmpfs, overlay, FUSE or a network file system: for tests
  --version                     print the version
  --help                        print this

SIGTERM and SIGINT let running verbs finish, for 20 seconds at most, then end the server.
`;

const MAX_NODE_ID_BYTES = 256; // CSI 1.12, NodeGetInfoResponse.node_id

/** Flags of the command line, or what to print instead. Fault `invalid` names the flag. */
export function parseFlags(argv: readonly string[]): Flags | 'help' | 'version' {
  const values = parseWords(argv);
  if (values.help === true) return 'help';
  if (values.version === true) return 'version';
  return {
    socketPath: parseEndpoint(required(values.endpoint, '--endpoint')),
    nodeId: parseNodeId(required(values['node-id'], '--node-id')),
    stateDirectory: parseDirectory(required(values['state-dir'], '--state-dir'), '--state-dir'),
    runDirectory: parseDirectory(values['run-dir'] ?? DEFAULT_RUN_DIRECTORY, '--run-dir'),
    pools: parsePools(values.pool ?? []),
    allowUnfitPool: values['allow-unfit-pool'] ?? false,
    logLevel: parseLogLevel(values['log-level'] ?? 'info'),
    isControllerPublish: values['controller-publish'] ?? false,
    maxVolumesPerNode: parseCount(values['max-volumes-per-node'] ?? '0', '--max-volumes-per-node'),
    metricsAddress: parseMetricsAddress(values['metrics-address']),
    registrationDirectory: parseOptionalDirectory(values['kubelet-registration-dir'], '--kubelet-registration-dir'),
  };
}

export const FLAG_OPTIONS = {
  endpoint: { type: 'string' },
  'node-id': { type: 'string' },
  'state-dir': { type: 'string' },
  'run-dir': { type: 'string' },
  pool: { type: 'string', multiple: true },
  'log-level': { type: 'string' },
  'allow-unfit-pool': { type: 'boolean' },
  'controller-publish': { type: 'boolean' },
  'max-volumes-per-node': { type: 'string' },
  'metrics-address': { type: 'string' },
  'kubelet-registration-dir': { type: 'string' },
  version: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

function parseWords(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: FLAG_OPTIONS,
    }).values;
  } catch (cause) {
    throw new Fault('invalid', 'the command line is wrong', { cause });
  }
}

function flagFault(flag: string, problem: string): Fault {
  return new Fault('invalid', `${flag} ${problem}`, { fields: { flag } });
}

function required(value: string | undefined, flag: string): string {
  if (value === undefined || value === '') throw flagFault(flag, 'is required');
  return value;
}

function parseEndpoint(value: string): string {
  const path = /^unix:\/\/(\/.+)$/.exec(value)?.[1];
  if (path === undefined) throw flagFault('--endpoint', `is ${value}, but must be unix:///PATH`);
  return path;
}

function parseNodeId(value: string): string {
  const bytes = Buffer.byteLength(value);
  if (bytes > MAX_NODE_ID_BYTES)
    throw flagFault('--node-id', `has ${bytes} bytes, but CSI allows ${MAX_NODE_ID_BYTES}`);
  return value;
}

function parseDirectory(value: string, flag: string): string {
  if (!value.startsWith('/')) throw flagFault(flag, `is ${value}, but must be an absolute path`);
  return value.replace(/(?<=.)\/+$/, '');
}

function parseOptionalDirectory(value: string | undefined, flag: string): string | undefined {
  return value === undefined ? undefined : parseDirectory(value, flag);
}

function parseCount(value: string, flag: string): number {
  if (!/^\d{1,9}$/.test(value)) throw flagFault(flag, `is ${value}, but must be a whole number`);
  return Number(value);
}

function parseMetricsAddress(value: string | undefined): MetricsAddress | undefined {
  if (value === undefined) return undefined;
  const path = /^unix:\/\/(\/.+)$/.exec(value)?.[1];
  if (path !== undefined) return { path };
  const [, v6, v4, port = ''] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(value) ?? [];
  const host = v6 ?? v4 ?? '';
  if (isIP(host) === (v6 === undefined ? 4 : 6) && Number(port) < 2 ** 16) return { host, port: Number(port) };
  throw flagFault('--metrics-address', `is ${value}, but must be IP:PORT or unix:///PATH`);
}

function parsePools(values: readonly string[]): PoolFlag[] {
  if (values.length === 0) throw flagFault('--pool', 'is required');
  const pools = values.map(parsePool);
  for (const [index, { name, directory }] of pools.entries()) {
    const before = pools.slice(0, index);
    if (before.some((pool) => pool.name === name)) throw flagFault('--pool', `names ${name} twice`);
    if (before.some((pool) => pool.directory === directory)) throw flagFault('--pool', `names ${directory} twice`);
  }
  return pools;
}

function parsePool(value: string): PoolFlag {
  const [, name, backend, rest] = /^([^=]*)=([^:]*):(.*)$/.exec(value) ?? [];
  if (name === undefined || rest === undefined) {
    throw flagFault('--pool', `is ${value}, but must be NAME=image-file:DIR`);
  }
  if (!POOL_NAME.test(name)) throw flagFault('--pool', `has the name ${JSON.stringify(name)}, not ${POOL_NAME_RULE}`);
  if (backend !== 'image-file') throw flagFault('--pool', `${name} has the backend ${backend}; there is image-file`);
  const [directory = '', ...words] = rest.split(',');
  return {
    ...{ name, backend, directory: parseDirectory(directory, `the directory of --pool ${name}`) },
    options: parsePoolOptions(words, name),
  };
}

function parsePoolOptions(words: readonly string[], name: string): PoolOptions {
  const options: { overcommit?: number } = {};
  for (const word of words) {
    const [, key, text = ''] = /^([^=]*)=(.*)$/.exec(word) ?? [];
    if (key !== 'overcommit') throw flagFault('--pool', `${name} has the option ${word}; there is overcommit=FACTOR`);
    const factor = /^\d{1,4}(\.\d{1,3})?$/.test(text) ? Number(text) : 0;
    if (text === 'unlimited') options.overcommit = Number.POSITIVE_INFINITY;
    else if (factor > 0) options.overcommit = factor;
    else throw flagFault('--pool', `${name} has ${word}, but must have a number like 1.5, or unlimited`);
  }
  return options;
}

function parseLogLevel(value: string): LogLevel {
  const known = LOG_LEVELS.find((level) => level === value);
  if (known === undefined) throw flagFault('--log-level', `is ${value}, not one of ${LOG_LEVELS.join(', ')}`);
  return known;
}
