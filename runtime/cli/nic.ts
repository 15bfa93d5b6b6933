import { resolve } from 'node:path';
import { describeDevice, isTap, type NetworkAttachment } from '../../proto/network-attachment.ts';
import { DEFAULT_RUN_DIRECTORY } from '../../proto/paths.ts';
import { createNodeSystem } from '../system/node/system.ts';
import { type Command, formatJson, JSON_FLAG, onePositional, parseFlags, RUN_DIRECTORY_FLAG } from './command.ts';
import { formatTable } from './format-table.ts';
import { listNetworks } from './list-attachments.ts';
import { parseSubcommand, reportUnreadable } from './subcommand.ts';

const FLAGS = { ...JSON_FLAG, ...RUN_DIRECTORY_FLAG } as const;
const HEADER = ['NETWORK', 'CONTAINER', 'INTERFACE', 'STATE', 'DEVICE', 'QUEUES', 'ADDRESSES', 'NAMESPACE'];

export const nicCommand: Command = {
  name: 'nic',
  summary: 'list the pod interfaces that are wired for VMs',
  help: `berth nic: the pod interfaces that berth's CNI plugin wired

Usage: berth nic ls [FLAGS]

One line for each record of the plugin: which interface of which container leads to which device of a VM, with how many
queues, a macvtap in which mode, and the addresses that the guest takes over. STATE is "wiring" while ADD is at work, or
since it was killed; then DEL, and ADD again.

  --json         the records themselves, as a JSON array
  --run-dir DIR  default ${DEFAULT_RUN_DIRECTORY}

Example: berth nic ls
`,
  flags: FLAGS,
  prepare(args) {
    const { values, positionals } = parseFlags(args, { allowPositionals: true, options: FLAGS });
    parseSubcommand(onePositional(positionals, 'the verb ls'), ['ls']);
    return async () => {
      const { found, unreadable } = await listNetworks(createNodeSystem(), resolve(values['run-dir']));
      const records = found.map(({ record }) => record);
      process.stdout.write(values.json ? formatJson(records) : formatNics(records));
      return reportUnreadable(unreadable);
    };
  },
};

export function formatNics(records: readonly NetworkAttachment[]): string {
  return formatTable(
    HEADER,
    records.map(({ network, containerId, ifName, state, device, nic, netnsPath }) => [
      network,
      containerId,
      ifName,
      state,
      `${describeDevice(device)}${device.kind === 'macvtap' ? `, ${device.mode}` : ''}`,
      isTap(device) ? String(device.queues) : '-',
      nic?.addresses.map(({ address }) => address).join(', ') || '-',
      netnsPath,
    ]),
  );
}
