import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ServiceDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { Fault } from '../proto/fault.ts';

/** Where csi.proto lies beside the bundle (dist/proto/) and, from source, beside the room (proto/). */
const CANDIDATES = ['./proto/csi.proto', '../proto/csi.proto'];

/** The gRPC services of csi.proto by their short names; messages.ts says what messages look like. */
export function loadProto(names: readonly string[]): ReadonlyMap<string, ServiceDefinition> {
  const definition = loadSync(findProto(), {
    keepCase: true,
    longs: String,
    enums: String,
    defaults: true,
    oneofs: true,
  });
  return new Map(
    names.map((name) => {
      const service = definition[`csi.v1.${name}`];
      if (service === undefined || 'format' in service) throw new Fault('internal', `csi.proto has no service ${name}`);
      return [name, service];
    }),
  );
}

function findProto(): string {
  const paths = CANDIDATES.map((candidate) => fileURLToPath(new URL(candidate, import.meta.url)));
  const found = paths.find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new Fault('environment', `csi.proto is not at ${paths.join(' or ')}; build berth again`);
}
