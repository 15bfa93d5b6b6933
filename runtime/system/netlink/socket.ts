import { AF, EAGAIN, SOCK, sys } from '../native/sys.ts';
import { type Netlink, NetlinkConnection } from './connection.ts';

const NETLINK_ROUTE = 0;
const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;

export interface NetlinkSocket extends Netlink {
  close(): void;
}

/** An rtnetlink socket of the network namespace that the process is in now: it stays there after a later setns. */
export function openNetlink(): NetlinkSocket {
  const fd = sys.socket(AF.NETLINK, SOCK.RAW, NETLINK_ROUTE);
  sys.setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, 1);
  sys.setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, 1);
  const connection = new NetlinkConnection({
    send: (bytes) => sys.write(fd, bytes),
    receive() {
      const datagram = sys.receive(fd);
      // The socket blocks, so that EAGAIN does not happen.
      return datagram === EAGAIN ? new Uint8Array(0) : datagram;
    },
    describeErrno: (errno) => sys.strerror(errno),
  });
  return {
    request: (request) => connection.request(request),
    dump: (request) => connection.dump(request),
    close: () => sys.close(fd),
  };
}
