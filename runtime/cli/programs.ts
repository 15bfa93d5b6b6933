import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Fault } from '../../proto/fault.ts';

/** What `npm run build` makes, by absolute path. */
export interface Programs {
  readonly berth: string;
  readonly csi: string;
  /** The CSI protocol, for clients. */
  readonly csiProto: string;
  readonly cniDirectory: string;
  readonly shim: string;
  readonly guestDirectory: string;
}

/** The build's output beside the running program: dist/berth.js itself, or a source file of the same checkout. */
export function findPrograms(from: string = fileURLToPath(import.meta.url)): Programs {
  const dist = findDist(dirname(from));
  return {
    berth: join(dist, 'berth.js'),
    csi: join(dist, 'berth-csi.js'),
    csiProto: join(dist, 'proto', 'csi.proto'),
    cniDirectory: join(dist, 'cni'),
    shim: join(dist, 'shim', 'containerd-shim-berth-v2'),
    guestDirectory: join(dist, 'guest'),
  };
}

function findDist(directory: string): string {
  for (let at = directory; ; at = dirname(at)) {
    if (existsSync(join(at, 'shim', 'containerd-shim-berth-v2'))) return at;
    if (existsSync(join(at, 'dist', 'shim', 'containerd-shim-berth-v2'))) return join(at, 'dist');
    if (at === dirname(at)) {
      throw new Fault('environment', `there is no build of berth in or above ${directory}; "npm run build" makes one`);
    }
  }
}
