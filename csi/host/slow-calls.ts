import { Fault } from '../../proto/fault.ts';
import { type HostMethods, hostMethods } from '../../proto/host-calls.ts';
import { type ReplyOf, type RequestOf, ttrpcStatus } from '../../proto/ttrpc.ts';
import { writeAll } from '../../runtime/system/native/file.ts';
import { run } from '../../runtime/system/native/run.ts';
import { createStream } from '../../runtime/system/native/stream.ts';
import { faultOfWire, statusOfThrown } from '../../runtime/system/rpc/fault-status.ts';
import { allocate, clone, readExtents } from './content.ts';

/**
 * Calls that may wait for a disk, for seconds: each is made by a process of this same program, which takes the request
 * at its standard input and puts the reply, or the status of its failure, on its standard output. A system call cannot
 * be waited for otherwise, and the next mount must not wait behind it.
 */
const SLOW_CALLS: { readonly [K in SlowMethod]: (request: RequestOf<HostMethods[K]>) => ReplyOf<HostMethods[K]> } = {
  clone: ({ from, to }) => clone(from, to),
  allocate: ({ path, sizeBytes }) => allocate(path, sizeBytes),
  extents: ({ path, start }) => readExtents(path, start),
};
type SlowMethod = 'clone' | 'allocate' | 'extents';

const STDIN = 0;
const STDOUT = 1;
const FAILED = 3;

/** In the process that serves. */
export async function runSlowCall<K extends SlowMethod>(
  name: K,
  request: RequestOf<HostMethods[K]>,
): Promise<ReplyOf<HostMethods[K]>> {
  const { request: requestMessage, reply } = hostMethods[name];
  const stdin = requestMessage.encode(request as never);
  const { exitCode, stdout, stderr } = await run({ file: '/proc/self/exe', args: ['call', name], stdin });
  if (exitCode === 0) return reply.decode(stdout) as ReplyOf<HostMethods[K]>;
  if (exitCode === FAILED) throw faultOfWire(ttrpcStatus.decode(stdout));
  throw new Fault('exec', `the process for ${name} ended with status ${exitCode}`, {
    fields: { name, exitCode, stderr: new TextDecoder().decode(stderr) },
  });
}

/** In the process that makes the call: its exit status. */
export async function answerSlowCall(name: string): Promise<number> {
  try {
    writeAll(STDOUT, await call(name));
    return 0;
  } catch (error) {
    writeAll(STDOUT, ttrpcStatus.encode(statusOfThrown(error)));
    return FAILED;
  }
}

async function call(name: string): Promise<Uint8Array> {
  if (!isSlow(name)) throw new Fault('invalid', `there is no slow call ${name}`);
  const { request, reply } = hostMethods[name];
  const make = SLOW_CALLS[name] as (request: unknown) => object;
  return reply.encode(make(request.decode(await readStdin())));
}

const isSlow = (name: string): name is SlowMethod => name in SLOW_CALLS;

/** A request: a few paths. */
async function readStdin(): Promise<Uint8Array> {
  const stream = createStream(STDIN, 'standard input');
  const bytes: number[] = [];
  for (let chunk = await stream.read(); chunk !== undefined; chunk = await stream.read()) bytes.push(...chunk);
  return Uint8Array.from(bytes);
}
