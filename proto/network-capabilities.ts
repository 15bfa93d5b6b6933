import * as v from 'valibot';
import { count, defineRecord, filled } from './record.ts';

/** What the kernel needs for networks, each by one name, with the modules that bring it. */
export const NETWORK_FEATURES = {
  tun: { what: 'TAP interfaces', modules: ['tun'] },
  macvtap: { what: 'macvtap interfaces', modules: ['macvtap'] },
  redirect: { what: 'redirection of packets', modules: ['sch_ingress', 'cls_u32', 'act_mirred'] },
  tbf: { what: 'token bucket queues', modules: ['sch_tbf'] },
  ifb: { what: 'intermediate functional block interfaces', modules: ['ifb'] },
} as const satisfies Readonly<Record<string, { readonly what: string; readonly modules: readonly string[] }>>;
export type NetworkFeature = keyof typeof NETWORK_FEATURES;

/**
 * /run/berth/network-capabilities.json: what the kernel was found to lack, and when. Written by cni, as ADD finds it, and
 * by `berth doctor`, which tries it all; read by STATUS. Not there while nothing is lacking.
 */
export const networkCapabilitiesRecord = defineRecord('network capabilities', 1, {
  /** Modules are loaded anew at each boot. */
  bootId: filled,
  lacks: v.array(
    v.strictObject({
      feature: v.picklist(Object.keys(NETWORK_FEATURES) as NetworkFeature[]),
      /** Wall clock. */
      foundAtMs: count,
    }),
  ),
});
export type NetworkCapabilities = ReturnType<typeof networkCapabilitiesRecord.decode>;

/** The record after a feature was tried; undefined where nothing is lacking any more. `previous` may be of another boot. */
export function noteFeature(
  previous: NetworkCapabilities | undefined,
  bootId: string,
  feature: NetworkFeature,
  found: { readonly isPresent: boolean; readonly nowMs: number },
): NetworkCapabilities | undefined {
  const known = previous?.bootId === bootId ? previous.lacks : [];
  if (found.isPresent && known.length > 0 && known.every((lack) => lack.feature !== feature)) return previous;
  const others = known.filter((lack) => lack.feature !== feature);
  const lacks = found.isPresent ? others : [...others, { feature, foundAtMs: found.nowMs }];
  return lacks.length === 0 ? undefined : { bootId, lacks };
}
