import { AGENT_SERVICE, type AgentMethods, agentMethods } from '../../proto/agent.ts';
import type { ByteStream } from '../system/port.ts';
import { type Client, createClient } from '../system/rpc/ttrpc-client.ts';
import { traceCall } from '../system/trace.ts';

/**
 * A hung guest must not hang its pod: every call has a deadline but the one that waits for a container's life. The
 * deadlines are for guests under emulation on a busy host; mkfs and journal replay grow with the disk.
 */
const TIMEOUT_MS: Readonly<Record<keyof AgentMethods, number | undefined>> = {
  getGuestDetails: 30_000,
  setUpSandbox: 30_000,
  checkBlank: 30_000,
  formatVolume: 300_000,
  mountVolume: 300_000,
  measureVolume: 30_000,
  growVolume: 300_000,
  freezeVolumes: 30_000,
  thawVolumes: 30_000,
  trimVolume: 300_000,
  checkVolume: undefined,
  createContainer: 60_000,
  startContainer: 60_000,
  waitContainer: undefined,
  signalContainer: 30_000,
  removeContainer: 60_000,
  shutdown: 60_000,
};

/** The guest's agent; a call throws the agent's Fault, `timeout`, or `io` when the guest is gone. */
export type Agent = Client<AgentMethods>;

/** `stream` is the control channel after the hand-shake; the client owns it from here on. */
export function createAgent(stream: ByteStream): Agent {
  const client = createClient(stream, AGENT_SERVICE, agentMethods);
  return {
    ...client,
    call: (name, request, options = { timeoutMs: TIMEOUT_MS[name] }) =>
      traceCall('agent', 'agent call', { call: name }, () => client.call(name, request, options)),
  };
}
