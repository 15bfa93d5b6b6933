import * as v from 'valibot';
import { describeError, FAULT_CODES, Fault } from '../../../proto/fault.ts';
import type { MessageType } from '../../../proto/protobuf.ts';
import { faultOfStatus, STATUS_OF_FAULT } from '../../../proto/status.ts';
import { FAULT_DETAIL, type ttrpcStatus } from '../../../proto/ttrpc.ts';

type Status = MessageType<typeof ttrpcStatus>;

/** Several fault codes share one status: the detail carries the code itself, so that nothing is lost on the way. */
const detailSchema = v.object({
  code: v.picklist(FAULT_CODES),
  fields: v.record(v.string(), v.union([v.string(), v.number(), v.boolean()])),
});

/** Whatever a handler threw, for the wire. The chain of causes goes into the message: causes do not travel. */
export function statusOfThrown(thrown: unknown): Status {
  const code = thrown instanceof Fault ? thrown.code : 'internal';
  const fields = thrown instanceof Fault ? thrown.fields : {};
  const value = new TextEncoder().encode(JSON.stringify({ code, fields }));
  return {
    code: STATUS_OF_FAULT[code],
    message: describeError(thrown),
    details: [{ typeUrl: FAULT_DETAIL, value }],
  };
}

/** The Fault that the peer threw; of a peer that sends no detail of ours, the nearest code. */
export function faultOfWire(status: Status): Fault {
  const detail = status.details.find((one) => one.typeUrl === FAULT_DETAIL);
  const parsed = detail === undefined ? undefined : v.safeParse(detailSchema, parseJson(detail.value));
  if (parsed?.success !== true) return faultOfStatus(status.code, status.message);
  return new Fault(parsed.output.code, status.message, { fields: parsed.output.fields });
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}
