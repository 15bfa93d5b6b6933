import '../../runtime/system/native/polyfill.ts';
import { describeError, Fault } from '../../proto/fault.ts';
import { createLog } from '../../runtime/system/log.ts';
import { forgive } from '../../runtime/system/native/errors.ts';
import { createStream } from '../../runtime/system/native/stream.ts';
import { SIG, sys } from '../../runtime/system/native/sys.ts';
import { serve } from '../../runtime/system/rpc/ttrpc-server.ts';
import { startTrace, TRACE_VARIABLE } from '../../runtime/system/trace.ts';
import { hostService } from './service.ts';
import { answerSlowCall } from './slow-calls.ts';

/** The end of the socket pair that berth-csi gives. */
const SOCKET = 3;
const STDERR = 2;

const USAGE = 'berth-csi-host makes system calls for berth-csi, which starts it; it is not for use by hand';

/** A log that cannot be written is lost: it must not end the process that holds the locks. */
const writeStderr = (text: string): void => {
  forgive(['ENOSPC', 'EDQUOT', 'EIO', 'EPIPE'], undefined, () => sys.write(STDERR, sys.utf8Encode(text)));
};

/** Serves until berth-csi has gone, however it went: the kernel then frees every lock that was taken here. */
async function main(): Promise<number> {
  const [, verb = '', method = ''] = sys.args();
  startTrace(sys.env()[TRACE_VARIABLE], writeStderr);
  // A terminal, and systemd, signal the whole group: the server stops by itself, and needs this process until then.
  sys.signalfd([SIG.TERM, SIG.INT, SIG.HUP]);
  if (verb === 'call') return answerSlowCall(method);
  if (verb !== 'serve') throw new Fault('invalid', USAGE);
  await serve(createStream(SOCKET, 'berth-csi'), hostService, createLog(writeStderr, 'warn')).ended;
  return 0;
}

sys.main = () =>
  void main().then(sys.exit, (error: unknown) => {
    writeStderr(`berth-csi-host: ${describeError(error)}\n`);
    sys.exit(1);
  });
