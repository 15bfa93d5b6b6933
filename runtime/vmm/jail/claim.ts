import { Fault } from '../../../proto/fault.ts';
import { deviceClaim } from '../../../proto/network-attachment.ts';
import { attempt, isErrno } from '../../system/native/errors.ts';
import { AF, SOCK, sys } from '../../system/native/sys.ts';

/**
 * A descriptor that makes the device of this network namespace the VMM's alone, for as long as it is open: a macvtap,
 * and a TAP of several queues, would let a second VMM take a share of the frames. An abstract socket belongs to its
 * network namespace, and its name is given once.
 */
export function claimDevice(name: string): number {
  return attempt(`could not claim ${name} for the VMM`, () => {
    const socket = sys.socket(AF.UNIX, SOCK.DGRAM, 0);
    try {
      // struct sockaddr_un: the family in host order, and a zero byte before a name that is no path.
      sys.bind(socket, Uint8Array.from([AF.UNIX, 0, 0, ...sys.utf8Encode(deviceClaim(name))]));
    } catch (error) {
      if (!isErrno(error, 'EADDRINUSE')) throw error;
      throw new Fault('busy', `another VMM has ${name} of this network namespace open; end its pod first`);
    }
    return socket;
  });
}
