import { execa } from 'execa';
import manifest from '../../package.json' with { type: 'json' };
import { guestManifestRecord } from '../../proto/guest-manifest.ts';
import { createNodeSystem } from '../system/node/system.ts';
import { recordFile } from '../system/record-file.ts';
import { type Command, formatJson, JSON_FLAG, parseFlags } from './command.ts';
import { findPrograms, type Programs } from './programs.ts';

interface Versions {
  readonly berth: string;
  readonly node: string;
  /** `name: engine, C library`, as the program says. */
  readonly shim: string;
  /** Absent where no guest image was built. */
  readonly guestKernel?: string;
}

export const versionCommand: Command = {
  name: 'version',
  summary: 'print the versions of berth, its engines and the guest',
  help: `berth version: what this build consists of

Usage: berth version [FLAGS]

Prints the versions of berth, of the engines that run it (Node for the CLI and the CSI driver, QuickJS and the C
library for the static programs), and of the guest's kernel. A bug report wants all of them.

  --json  the same as a JSON object

Example: berth version --json
`,
  flags: JSON_FLAG,
  prepare(args) {
    const { values } = parseFlags(args, { options: JSON_FLAG });
    return async () => {
      const versions = await readVersions(findPrograms());
      process.stdout.write(values.json ? formatJson(versions) : formatVersions(versions));
      return 0;
    };
  },
};

async function readVersions({ shim, guestDirectory }: Programs): Promise<Versions> {
  const { stdout } = await execa(shim, ['-v']);
  const path = `${guestDirectory}/manifest.json`;
  const guest = await recordFile(createNodeSystem(), guestManifestRecord, path, { durable: false }).load();
  return {
    berth: manifest.version,
    node: process.versions.node,
    shim: stdout.trim(),
    ...(guest === undefined ? {} : { guestKernel: guest.kernelVersion }),
  };
}

function formatVersions({ berth, node, shim, guestKernel = 'none, "npm run build" makes it' }: Versions): string {
  return `berth ${berth}\nnode ${node}\n${shim}\nguest kernel ${guestKernel}\n`;
}
