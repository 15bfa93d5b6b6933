import { sys } from '../system/native/sys.ts';
import { expectEqual, nativeTest } from '../system/native/testing.ts';
import { redirectStderr, writeStderr } from './standard-streams.ts';

const STDERR = 2;
/** A number that no other descriptor of the test has. */
const KEPT = 100;

nativeTest('a log whose file system is full is lost, and nothing else', async (directory) => {
  sys.dup2(STDERR, KEPT);
  try {
    redirectStderr('/dev/full');
    writeStderr('lost\n');
    redirectStderr(`${directory}/log`);
    writeStderr('kept\n');
  } finally {
    sys.dup2(KEPT, STDERR);
    sys.close(KEPT);
  }
  expectEqual(sys.utf8Decode(sys.readFile(`${directory}/log`)), 'kept\n');
});
