import { AF, EAGAIN, SOCK, sys } from '../native/sys.ts';
import { type Netlink, NetlinkConnection } from './connection.ts';

const NETLINK_ROUTE = 0;
const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
/** The kernel's answers are at most 32 KiB; a single object with many attributes may be larger. */
const RECEIVE_BYTES = 64 << 10;

export interface NetlinkSocket extends Netlink {
  close(): void;
}

/** An rtnetlink socket of the network namespace that the process is in now: it stays there after a later setns. */
export function openNetlink(): NetlinkSocket {
  const fd = sys.socket(AF.NETLINK, SOCK.RAW, NETLINK_ROUTE);
  sys.setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, 1);
  sys.setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, 1);
  const buffer = new Uint8Array(RECEIVE_BYTES);
  const connection = new NetlinkConnection({
    send: (bytes) => sys.write(fd, bytes),
    receive() {
      const length = sys.read(fd, buffer);
      // A copy: the messages of a dump outlive the next receive. The socket blocks, so EAGAIN does not happen.
      return length === EAGAIN ? new Uint8Array(0) : buffer.slice(0, length);
    },
    describeErrno: (errno) => sys.strerror(errno),
  });
  return {
    request: (request) => connection.request(request),
    dump: (request) => connection.dump(request),
    close: () => sys.close(fd),
  };
}
