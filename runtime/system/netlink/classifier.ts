import type { Attributes } from './attributes.ts';
import type { LinkRef } from './link.ts';
import type { MessageBuilder } from './message-builder.ts';

/** TCA_U32_*, TCA_BPF_*, TCA_MATCHALL_* of linux/pkt_cls.h. */
const TCA_U32_SEL = 5;
const TCA_U32_ACT = 7;
const TC_U32_TERMINAL = 1;
const TCA_MATCHALL_ACT = 2;
const TCA_BPF_ACT = 1;
const TCA_BPF_OPS_LEN = 4;
const TCA_BPF_OPS = 5;
/** BPF_RET | BPF_K: the program's answer is a constant, of which -1 means that the packet matches. */
const BPF_RETURN = 0x06;
const BPF_MATCH = 0xffffffff;
/** TCA_ACT_*, and TCA_MIRRED_* of linux/tc_act/tc_mirred.h. */
const TCA_ACT_KIND = 1;
const TCA_ACT_OPTIONS = 2;
const TCA_MIRRED_PARMS = 2;
const MIRRED_PARMS_BYTES = 28;
const TC_ACT_STOLEN = 4;
const TCA_EGRESS_REDIR = 1;

/** Classifiers that can match every packet, in the order in which they are tried: kernels lack now this, now that. */
export const CLASSIFIERS = ['u32', 'matchall', 'bpf'] as const;
export type Classifier = (typeof CLASSIFIERS)[number];

/** Where a filter of each kind has its actions. */
const ACTIONS: Record<Classifier, number> = { u32: TCA_U32_ACT, matchall: TCA_MATCHALL_ACT, bpf: TCA_BPF_ACT };

/** Writes what matches every packet. */
const WRITE_MATCH: Record<Classifier, (options: MessageBuilder) => unknown> = {
  // struct tc_u32_sel: flags, shift, number of keys; then masks and offsets of those. No key: every packet matches.
  u32: (options) => options.attribute(TCA_U32_SEL, (selector) => selector.u8(TC_U32_TERMINAL, 0, 0, 0).u32(0, 0, 0)),
  matchall: () => {},
  bpf: (options) =>
    options
      .attribute(TCA_BPF_OPS_LEN, (length) => length.u16(1))
      .attribute(TCA_BPF_OPS, (program) => program.u16(BPF_RETURN).u8(0, 0).u32(BPF_MATCH)),
};

/** The options of a filter that sends every packet out of `to`. */
export function writeRedirect(options: MessageBuilder, classifier: Classifier, to: LinkRef): void {
  WRITE_MATCH[classifier](options);
  options.attribute(ACTIONS[classifier], (actions) => actions.attribute(1, (first) => writeAction(first, to)));
}

/** Index of the interface that a filter of this kind sends packets to, 0 if it is gone; undefined: it does not. */
export function parseRedirectTarget(options: Attributes | undefined, kind: string): number | undefined {
  const classifier = CLASSIFIERS.find((known) => known === kind);
  if (classifier === undefined) return undefined;
  const action = options?.nested(ACTIONS[classifier])?.nested(1);
  const mirred = action?.nested(TCA_ACT_OPTIONS)?.bytes(TCA_MIRRED_PARMS);
  if (action?.text(TCA_ACT_KIND) !== 'mirred') return undefined;
  if (mirred === undefined || mirred.length < MIRRED_PARMS_BYTES) return undefined;
  const view = new DataView(mirred.buffer, mirred.byteOffset, mirred.length);
  return view.getUint32(20, true) === TCA_EGRESS_REDIR ? view.getUint32(24, true) : undefined;
}

/** struct tc_mirred: u32 index, capabilities, action, reference counts, what is done, interface. */
function writeAction(action: MessageBuilder, to: LinkRef): void {
  action
    .textAttribute(TCA_ACT_KIND, 'mirred')
    .attribute(TCA_ACT_OPTIONS, (options) =>
      options.attribute(TCA_MIRRED_PARMS, (mirred) =>
        mirred.u32(0, 0, TC_ACT_STOLEN, 0, 0, TCA_EGRESS_REDIR, to.index),
      ),
    );
}
