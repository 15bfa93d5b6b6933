import { resolve } from 'node:path';
import { DEFAULT_RUN_DIRECTORY } from '../../proto/paths.ts';
import { type Command, formatJson, JSON_FLAG, parseFlags, RUN_DIRECTORY_FLAG } from './command.ts';
import { type DoctorPlaces, examine } from './doctor/examine.ts';
import { isTrouble } from './doctor/finding.ts';
import { formatFindings, toPlain } from './doctor/format-findings.ts';
import { repair } from './doctor/repair.ts';
import { POOL_FLAG, parsePoolFlag } from './pool-flag.ts';
import { findPrograms } from './programs.ts';

const CNI_CONFIGURATIONS = '/etc/cni/net.d';
const FLAGS = {
  repair: { type: 'boolean', default: false },
  ...POOL_FLAG,
  guest: { type: 'string' },
  qemu: { type: 'string' },
  'cni-conf-dir': { type: 'string', default: CNI_CONFIGURATIONS },
  ...JSON_FLAG,
  ...RUN_DIRECTORY_FLAG,
} as const;

export const doctorCommand: Command = {
  name: 'doctor',
  summary: 'say what this host can and cannot do, and why; find what was left behind',
  help: `berth doctor: what this host can and cannot do, and what was left behind

Usage: berth doctor [FLAGS]

Tries what berth needs (kernel features in a network namespace of its own, QEMU, the guest image byte by byte, KVM by a
guest that boots) and compares records with what is alive. Below what is not well stands the command that mends it.
Exit status 0 if all is well, 1 if something is missing or orphaned. Run it as root, where berth's programs run.

  --repair                    clear what is proved safe to clear, and say why it was; never a volume, nor a VM that runs
  --pool NAME=image-file:DIR  look at a pool, as berth-csi was given it; may be repeated
  --guest DIR                 kernel, initrd and root image; default: the build's
  --qemu PATH                 default: qemu-system-x86_64 of the PATH
  --cni-conf-dir DIR          network configurations; default ${CNI_CONFIGURATIONS}
  --json                      the findings as a JSON array
  --run-dir DIR               default ${DEFAULT_RUN_DIRECTORY}

Example: berth doctor --pool fast=image-file:/srv/berth
`,
  flags: FLAGS,
  prepare(args) {
    const { values } = parseFlags(args, { options: FLAGS });
    const pools = (values.pool ?? []).map(parsePoolFlag);
    return async () => {
      const programs = findPrograms();
      const places: DoctorPlaces = {
        programs,
        guestDirectory: values.guest === undefined ? programs.guestDirectory : resolve(values.guest),
        runDirectory: resolve(values['run-dir']),
        qemu: values.qemu === undefined ? undefined : resolve(values.qemu),
        pools,
        cniConfigurations: resolve(values['cni-conf-dir']),
      };
      const found = await examine(places);
      const findings = values.repair ? await repair(found) : found;
      process.stdout.write(values.json ? formatJson(toPlain(findings)) : formatFindings(findings));
      return findings.some(isTrouble) ? 1 : 0;
    };
  },
};
