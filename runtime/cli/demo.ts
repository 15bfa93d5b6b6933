import { type Command, parseFlags } from './command.ts';
import { findPrograms } from './programs.ts';

export const demoCommand: Command = {
  name: 'demo',
  summary: 'show the main job: volume, network, three pod VMs, and nothing left',
  help: `berth demo: the main job, end to end, on this machine

Usage: berth demo

Makes a volume over CSI and a network by CNI, runs three pods in VMs of their own, lets one write data, another fetch
them over the network and a third find them again on the volume, and clears everything up through the same public
verbs. Runs as root in mount, network and PID namespaces of its own, so that nothing on this machine is touched and
Ctrl-C leaves nothing. Takes about a minute without hardware acceleration. Exit status 1 if any check fails.

Example: berth demo
`,
  flags: {},
  prepare(args) {
    parseFlags(args, { options: {} });
    return async () => {
      // Loaded on demand: the gRPC client would slow every other command down.
      const { demo } = await import('../../deploy/demo/demo.ts');
      return demo(findPrograms());
    };
  },
};
