import { parseArgs } from 'node:util';
import { Fault } from '../proto/fault.ts';
import { DEFAULT_RUN_DIRECTORY } from '../proto/paths.ts';
import { LOG_LEVELS, type LogLevel } from '../runtime/system/log.ts';
import { POOL_NAME, POOL_NAME_RULE } from './volume-id.ts';

export interface PoolFlag {
  readonly name: string;
  readonly backend: 'image-file';
  readonly directory: string;
}

export interface Flags {
  readonly socketPath: string;
  readonly nodeId: string;
  readonly stateDirectory: string;
  readonly runDirectory: string;
  readonly pools: readonly PoolFlag[];
  readonly allowUnfitPool: boolean;
  readonly logLevel: LogLevel;
}

export const USAGE = `berth-csi: the CSI driver of berth, one server per node

  berth-csi --endpoint unix:///PATH --node-id ID --state-dir DIR --pool NAME=image-file:DIR ...

  --endpoint unix:///PATH       socket to serve CSI on, made with mode 0600; a stale one is replaced
  --node-id ID                  name of this node, at most 256 bytes; volume ids carry a key of it, so it must never change
  --state-dir DIR               directory of this server; a second server on it is refused
  --pool NAME=image-file:DIR    a pool of volumes, as sparse image files in DIR on a local disk; may be repeated
  --run-dir DIR                 where berth's programs meet on this node (default ${DEFAULT_RUN_DIRECTORY})
  --log-level LEVEL             ${LOG_LEVELS.join(', ')} (default info); the log goes to stderr, a JSON object per line
  --allow-unfit-pool            accept a pool on tmpfs, overlay, FUSE or a network file system: for tests
  --version                     print the version
  --help                        print this

SIGTERM and SIGINT let running verbs finish, then end the server.
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
  };
}

function parseWords(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        endpoint: { type: 'string' },
        'node-id': { type: 'string' },
        'state-dir': { type: 'string' },
        'run-dir': { type: 'string' },
        pool: { type: 'string', multiple: true },
        'log-level': { type: 'string' },
        'allow-unfit-pool': { type: 'boolean' },
        version: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
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
  const [, name, backend, directory] = /^([^=]*)=([^:]*):(.*)$/.exec(value) ?? [];
  if (name === undefined || directory === undefined) {
    throw flagFault('--pool', `is ${value}, but must be NAME=image-file:DIR`);
  }
  if (!POOL_NAME.test(name)) throw flagFault('--pool', `has the name ${JSON.stringify(name)}, not ${POOL_NAME_RULE}`);
  if (backend !== 'image-file') throw flagFault('--pool', `${name} has the backend ${backend}; there is image-file`);
  return { name, backend, directory: parseDirectory(directory, `the directory of --pool ${name}`) };
}

function parseLogLevel(value: string): LogLevel {
  const known = LOG_LEVELS.find((level) => level === value);
  if (known === undefined) throw flagFault('--log-level', `is ${value}, not one of ${LOG_LEVELS.join(', ')}`);
  return known;
}
