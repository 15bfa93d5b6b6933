import { Fault } from '../../proto/fault.ts';
import { CSI_SERVICES, createCsiClient } from '../demo/csi-client.ts';

const USAGE = `One call of a CSI driver. Prints the reply as JSON; fields are called as in proto/csi.proto.

  node deploy/setup/run-ts.mjs deploy/examples/csi-call.ts SOCKET SERVICE/VERB [REQUEST]

SOCKET is an absolute path, SERVICE one of ${CSI_SERVICES.join(', ')};
REQUEST is JSON, default {}.
`;

/** CSI as kubelet and its sidecars speak it, for a person: docs/by-hand.md. */
export async function main([socket, method, request = '{}']: readonly string[]): Promise<number> {
  const [, name, verb] = /^(\w+)\/(\w+)$/.exec(method ?? '') ?? [];
  const service = CSI_SERVICES.find((known) => known === name);
  if (socket === undefined || verb === undefined || service === undefined) {
    process.stderr.write(USAGE);
    return 2;
  }
  const client = createCsiClient(socket, 'proto/csi.proto');
  try {
    const reply = await client.call(service, verb, parseRequest(request));
    process.stdout.write(`${JSON.stringify(reply, null, 2)}\n`);
    return 0;
  } finally {
    client.close();
  }
}

function parseRequest(text: string): object {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new Fault('malformed', `the request is not JSON: ${text}`, { cause });
  }
  if (typeof value === 'object' && value !== null) return value;
  throw new Fault('malformed', `the request is not a JSON object: ${text}`);
}
