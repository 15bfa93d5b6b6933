import * as v from 'valibot';
import { Fault } from '../../../proto/fault.ts';
import { absolutePath, count, decodeWith, filled } from '../../../proto/record.ts';

/** What fits into struct ifreq, with the zero byte that ends it. */
const interfaceName = v.pipe(v.string(), v.regex(/^[!-~]{1,15}$/, 'is no name of an interface'));

const jailRequest = v.strictObject({
  /** The VMM's file, without symbolic links on the way to it. */
  program: absolutePath,
  /** What the guest boots; undefined: there is no guest. */
  guest: v.optional(v.strictObject({ kernel: absolutePath, initrd: absolutePath })),
  shares: v.array(v.strictObject({ id: filled, path: absolutePath })),
  /** Needs /dev/kvm. */
  kvm: v.boolean(),
  /** Descriptors that the VMM inherits: 0 to one less than this. Those of the TAPs and macvtaps follow. */
  inherited: count,
  /** A descriptor for each queue of each, in this order. */
  taps: v.array(
    v.strictObject({
      kind: v.picklist(['tap', 'macvtap']),
      name: interfaceName,
      ifIndex: count,
      queues: v.pipe(v.number(), v.integer(), v.minValue(1)),
      isMultiQueue: v.boolean(),
    }),
  ),
  /** The VMM is killed when the parent of this process ends. */
  endsWithParent: v.boolean(),
});

/** What the VMM's process is told before it is the VMM: see enter-jail.ts. */
export type JailRequest = v.InferOutput<typeof jailRequest>;
export type JailTap = JailRequest['taps'][number];

export const encodeJailRequest = (request: JailRequest): string => JSON.stringify(request);

export function parseJailRequest(text: string): JailRequest {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Fault('malformed', 'the request of a jail is no JSON', { cause: error });
  }
  return decodeWith(jailRequest, value, 'the request of a jail');
}
