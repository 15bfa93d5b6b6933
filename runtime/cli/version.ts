import { execa } from 'execa';
import manifest from '../../package.json' with { type: 'json' };
import { guestManifestRecord } from '../../proto/guest-manifest.ts';
import { createNodeSystem } from '../system/node/system.ts';
import { recordFile } from '../system/record-file.ts';
import { type Command, parseFlags } from './command.ts';
import { findPrograms, type Programs } from './programs.ts';

export const versionCommand: Command = {
  name: 'version',
  summary: 'print the versions of berth, its engines and the guest',
  help: `berth version: what this build consists of

Usage: berth version

Prints the versions of berth, of the engines that run it (Node for the CLI and the CSI driver, QuickJS and the C
library for the static programs), and of the guest's kernel. A bug report wants all of them.
`,
  prepare(args) {
    parseFlags(args, { options: {} });
    return async () => {
      const programs = findPrograms();
      process.stdout.write(`berth ${manifest.version}\nnode ${process.versions.node}\n`);
      process.stdout.write(`${await describeShim(programs)}\n${await describeGuest(programs)}\n`);
      return 0;
    };
  },
};

async function describeShim({ shim }: Programs): Promise<string> {
  const { stdout } = await execa(shim, ['-v']);
  return stdout.trim();
}

async function describeGuest({ guestDirectory }: Programs): Promise<string> {
  const path = `${guestDirectory}/manifest.json`;
  const guest = await recordFile(createNodeSystem(), guestManifestRecord, path, { durable: false }).load();
  return guest === undefined ? `guest: none at ${path}` : `guest kernel ${guest.kernelVersion}`;
}
