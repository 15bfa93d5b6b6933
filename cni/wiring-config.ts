import * as v from 'valibot';
import type { IfName } from '../proto/ids.ts';
import { MACVTAP_MODES, MAX_QUEUES } from '../proto/network-attachment.ts';
import { type CniArgs, MAX_ID } from './args.ts';
import { checkKeys, type JsonObject } from './config-keys.ts';
import { fieldFault } from './error-codes.ts';

/** How a pod's interface is to be wired: of the network configuration, CNI_ARGS and the runtime's capabilities. */
export interface WiringConfig {
  readonly mode: 'tc' | 'macvtap';
  /** Of `macvtap` alone. */
  readonly macvtapMode: (typeof MACVTAP_MODES)[number];
  /** 1 to MAX_QUEUES: how many the VMM opens. */
  readonly queues: number;
  /** Undefined: the name that follows from the interface's index. */
  readonly tapName: IfName | undefined;
  /** Who may open the TAP without being root; undefined: nobody. */
  readonly owner: TapOwner | undefined;
  /** Undefined: not shaped. */
  readonly bandwidth: Bandwidth | undefined;
}

/** At least one of them. Who opens the TAP must be the user, if there is one, and in the group, if there is one. */
export interface TapOwner {
  readonly uid?: number;
  readonly gid?: number;
}

/** The capability of CNI's CONVENTIONS: bits a second and bits; 0: no limit. `ingress` is towards the pod. */
export interface Bandwidth {
  readonly ingressRate: number;
  readonly ingressBurst: number;
  readonly egressRate: number;
  readonly egressBurst: number;
}

/** Where only CNI_ARGS or a capability say something. */
const DEFAULTS = { mode: 'tc', macvtapMode: 'passthru', queues: 1, owner: {} } as const;

const userId = v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(MAX_ID)));
const wiringKeys = v.object({
  mode: v.optional(v.picklist(['tc', 'macvtap']), DEFAULTS.mode),
  macvtapMode: v.optional(v.picklist(MACVTAP_MODES)),
  queues: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_QUEUES)), DEFAULTS.queues),
  tapOwner: userId,
  tapGroup: userId,
});

/** CNI_ARGS are a container's: they go before the configuration, which is the network's. Throws `invalid`. */
export function parseWiringConfig(json: JsonObject, args: CniArgs, bandwidth: Bandwidth | undefined): WiringConfig {
  const { tapName, ...asked } = args;
  const { owner: configured, ...rest } = parseKeys(json);
  const owner = { ...configured, ...asked };
  const hasOwner = owner.uid !== undefined || owner.gid !== undefined;
  if (rest.mode === 'macvtap' && hasOwner) {
    throw fieldFault('mode', rest.mode, 'with an owner of the TAP (tapOwner, tapGroup, CNI_ARGS): only root opens it');
  }
  return { ...rest, tapName, owner: hasOwner ? owner : undefined, bandwidth };
}

function parseKeys(json: JsonObject): Pick<WiringConfig, 'mode' | 'macvtapMode' | 'queues'> & { owner: TapOwner } {
  const { mode, macvtapMode, queues, tapOwner, tapGroup } = checkKeys(wiringKeys, json);
  if (macvtapMode !== undefined && mode !== 'macvtap') {
    throw fieldFault('macvtapMode', macvtapMode, `with mode ${JSON.stringify(mode)}: it is of mode "macvtap" alone`);
  }
  const owner = {
    ...(tapOwner === undefined ? {} : { uid: tapOwner }),
    ...(tapGroup === undefined ? {} : { gid: tapGroup }),
  };
  return { mode, macvtapMode: macvtapMode ?? DEFAULTS.macvtapMode, queues, owner };
}
