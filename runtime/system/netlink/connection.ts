import { Fault, type FaultCode } from '../../../proto/fault.ts';
import { failpoint } from '../failpoint.ts';
import { trace } from '../trace.ts';
import {
  encodeMessage,
  type NetlinkMessage,
  type NetlinkRequest,
  NLM_F,
  NLM_F_DUMP_INTR,
  NLMSG_DONE,
  NLMSG_ERROR,
  NLMSG_NOOP,
  parseMessages,
  parseVerdict,
  type Verdict,
} from './message.ts';

/** How often a dump is asked anew when the kernel says that it changed meanwhile. */
const DUMP_ATTEMPTS = 8;

/** rtnetlink as its callers see it. The kernel answers within the call, so nothing here is asynchronous. */
export interface Netlink {
  /** Sends one request and waits for its acknowledgement; answers the messages that came before it. */
  request(request: NetlinkRequest): NetlinkMessage[];
  /** Asks for all objects of a kind: a consistent list, or Fault `busy`. */
  dump(request: NetlinkRequest): NetlinkMessage[];
}

/** The socket beneath, and the names of errors. */
export interface NetlinkTransport {
  send(bytes: Uint8Array): void;
  /** Blocks until the kernel has answered; one receive may hold several messages. */
  receive(): Uint8Array;
  /** `EEXIST` and `File exists` of 17. */
  describeErrno(errno: number): { code: string; message: string };
}

const FAULT_OF_ERRNO: Readonly<Record<string, FaultCode>> = {
  EEXIST: 'exists',
  ENOENT: 'not-found',
  ENODEV: 'not-found',
  ESRCH: 'not-found',
  EBUSY: 'busy',
  EAGAIN: 'busy',
  ENOMEM: 'exhausted',
  ENOBUFS: 'exhausted',
  ENOSPC: 'exhausted',
  EOPNOTSUPP: 'unsupported',
  EAFNOSUPPORT: 'unsupported',
  EPERM: 'environment',
  EACCES: 'environment',
};

/**
 * Requests and answers on one netlink socket. A refusal of the kernel is a Fault: its message is the request in words,
 * the errno name and the kernel's explanation if there is one; `fields.errno` is the name, for who forgives it.
 */
export class NetlinkConnection implements Netlink {
  private readonly transport: NetlinkTransport;
  private sequence = 0;

  constructor(transport: NetlinkTransport) {
    this.transport = transport;
  }

  request(request: NetlinkRequest): NetlinkMessage[] {
    const { messages } = this.exchange(request, NLM_F.ACK);
    if (isChange(request)) failpoint('netlink.changed');
    return messages;
  }

  dump(request: NetlinkRequest): NetlinkMessage[] {
    for (let attempt = 0; attempt < DUMP_ATTEMPTS; attempt += 1) {
      const answer = this.exchange(request, NLM_F.DUMP);
      if (!answer.interrupted) return answer.messages;
    }
    throw new Fault('busy', `could not ${request.words}: it changed during each of ${DUMP_ATTEMPTS} attempts`);
  }

  private exchange(request: NetlinkRequest, mode: number): { messages: NetlinkMessage[]; interrupted: boolean } {
    this.sequence += 1;
    const { type, payload } = request;
    const flags = NLM_F.REQUEST | mode | request.flags;
    this.transport.send(encodeMessage({ type, flags, sequence: this.sequence, payload }));
    const messages: NetlinkMessage[] = [];
    let interrupted = false;
    for (;;) {
      for (const message of parseMessages(this.transport.receive())) {
        // What an exchange that failed half-way has left in the socket.
        if (message.sequence !== this.sequence || message.type === NLMSG_NOOP) continue;
        interrupted ||= mode === NLM_F.DUMP && (message.flags & NLM_F_DUMP_INTR) !== 0;
        if (message.type === NLMSG_ERROR || message.type === NLMSG_DONE) {
          this.judge(request, parseVerdict(message));
          return { messages, interrupted };
        }
        messages.push(message);
      }
    }
  }

  private judge(request: NetlinkRequest, verdict: Verdict): void {
    if (verdict.errno === 0) {
      trace('netlink')?.(request.words, {});
      return;
    }
    const { code, message } = this.transport.describeErrno(verdict.errno);
    trace('netlink')?.(request.words, { errno: code, explanation: verdict.explanation });
    const reason = verdict.explanation ?? message;
    throw new Fault(FAULT_OF_ERRNO[code] ?? 'io', `could not ${request.words}: ${code}: ${reason}`, {
      fields: { errno: code },
    });
  }
}

/** rtnetlink(7) has four messages for a kind of object: new, delete, get, set. */
const isChange = ({ type }: NetlinkRequest): boolean => type % 4 !== 2;

/** Whether the kernel refused with one of these errno names. */
export function hasErrno(error: unknown, ...names: readonly string[]): boolean {
  return error instanceof Fault && typeof error.fields['errno'] === 'string' && names.includes(error.fields['errno']);
}

/** Runs `act`; false when the kernel refused with one of these errno names. */
export function forgiving(names: readonly string[], act: () => unknown): boolean {
  try {
    act();
    return true;
  } catch (error) {
    if (hasErrno(error, ...names)) return false;
    throw error;
  }
}
