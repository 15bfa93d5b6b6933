import type { Case, Experiment } from '../core/suite.ts';
import { type CniCase, openCniCases } from './cni-case.ts';

const KIB_PER_MB = 1024;

export const cniMemory: Experiment = {
  name: 'cni-memory',
  title: 'CNI plugin, memory',
  method:
    'VmHWM (the most that was resident, of a static binary mostly its own file) of ADD, read while the plugin is held up ' +
    'in writing its result. Programs that a plugin starts, as ptp does host-local, are not in it.',
  measures: [{ key: 'peak', title: 'ADD, VmHWM', unit: 'MB' }],
  warmUp: 1,
  rounds: 10,
  async open(context) {
    const { plugins, absent, close } = await openCniCases(context);
    return { cases: plugins.map(weighed), absent, close };
  },
};

const weighed = (plugin: CniCase): Case => ({
  name: plugin.name,
  async measure() {
    const { peakKib } = await plugin.add('peak');
    await plugin.del();
    return { peak: peakKib / KIB_PER_MB };
  },
});
