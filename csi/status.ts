import { status } from '@grpc/grpc-js';
import { describeError, Fault } from '../proto/fault.ts';
import { STATUS_OF_FAULT } from '../proto/status.ts';
import { toWireText } from './wire-text.ts';

/** What a client gets for whatever a verb threw. */
export interface ServiceError {
  readonly code: status;
  readonly details: string;
}

/** gRPC sends details in a header; peers limit those to 8 KiB. */
const MAX_DETAILS = 2000;

export function toServiceError(thrown: unknown): ServiceError {
  if (!(thrown instanceof Fault)) {
    return { code: status.INTERNAL, details: 'unexpected error; the log of berth-csi has it' };
  }
  // Requests arrive decoded: what cannot be read is a record on disk. It is not the caller's fault, and the verb is there.
  const isRecord = thrown.code === 'malformed' || thrown.code === 'unsupported';
  const code: number = isRecord ? status.INTERNAL : STATUS_OF_FAULT[thrown.code];
  // In a header, half a surrogate pair would even end the server.
  return { code, details: toWireText(describeError(thrown), MAX_DETAILS) };
}
