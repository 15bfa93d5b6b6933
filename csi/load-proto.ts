import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ServiceDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { Fault } from '../proto/fault.ts';

/** Each file that berth-csi serves, and its package; the names of their services differ. */
export const PROTOS: Readonly<Record<string, string>> = {
  'csi.proto': 'csi.v1',
  'health.proto': 'grpc.health.v1',
  'pluginregistration.proto': 'pluginregistration',
};

/** Where they lie beside the bundle (dist/proto/) and, from source, beside the room (proto/). */
const CANDIDATES = ['./proto', '../proto'];

/** gRPC services by their short names; messages.ts says what messages look like. */
export function loadProto(names: readonly string[]): ReadonlyMap<string, ServiceDefinition> {
  const directory = findDirectory();
  const files = Object.keys(PROTOS).map((file) => join(directory, file));
  const definition = loadSync(files, { keepCase: true, longs: String, enums: String, defaults: true, oneofs: true });
  return new Map(
    names.map((name) => {
      const fullNames = Object.values(PROTOS).map((packageName) => `${packageName}.${name}`);
      const service = fullNames.map((fullName) => definition[fullName]).find((found) => found !== undefined);
      if (service === undefined || 'format' in service) throw new Fault('internal', `no .proto has a service ${name}`);
      return [name, service];
    }),
  );
}

function findDirectory(): string {
  const paths = CANDIDATES.map((candidate) => fileURLToPath(new URL(candidate, import.meta.url)));
  const found = paths.find((path) => existsSync(join(path, 'csi.proto')));
  if (found !== undefined) return found;
  throw new Fault('environment', `csi.proto is not in ${paths.join(' or ')}; build berth again`);
}
