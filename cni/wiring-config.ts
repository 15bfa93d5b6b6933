import type { IfName } from '../proto/ids.ts';
import type { MACVTAP_MODES } from '../proto/network-attachment.ts';

/** How a pod's interface is to be wired: of the network configuration, `args`, CNI_ARGS and the runtime's capabilities. */
export interface WiringConfig {
  readonly mode: 'tc' | 'macvtap';
  /** Of `macvtap` alone. */
  readonly macvtapMode: (typeof MACVTAP_MODES)[number];
  /** 1 to MAX_QUEUES: how many the VMM opens. */
  readonly queues: number;
  /** Undefined: the name that follows from the interface's index. */
  readonly tapName: IfName | undefined;
  /** Who may open the TAP without being root; undefined: nobody. */
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
  /** Undefined: not shaped. */
  readonly bandwidth: Bandwidth | undefined;
}

/** The capability of CNI's CONVENTIONS: bits a second and bits; 0: no limit. `ingress` is towards the pod. */
export interface Bandwidth {
  readonly ingressRate: number;
  readonly ingressBurst: number;
  readonly egressRate: number;
  readonly egressBurst: number;
}
