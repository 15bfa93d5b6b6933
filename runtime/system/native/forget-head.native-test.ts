import { replaceFile } from './file.ts';
import { forgetHead } from './forget-head.ts';
import { O, sys } from './sys.ts';
import { expect, expectEqual, nativeTest } from './testing.ts';

const KEPT = 64 << 10;

nativeTest('forget-head: keeps the end, and who writes goes on', (directory) => {
  const path = `${directory}/log`;
  forgetHead(path, KEPT);
  replaceFile(path, new Uint8Array(10 * KEPT).fill(7), { mode: 0o600, durable: false });
  const fd = sys.open(path, O.RDWR);
  sys.lseek(fd, 0, 2);
  forgetHead(path, KEPT);
  sys.write(fd, Uint8Array.of(8));
  const { size, blocks } = sys.fstat(fd);
  expectEqual(size, 10 * KEPT + 1);
  expect(blocks * 512 < 2 * KEPT, `${blocks} blocks are left`);
  const content = sys.readFile(path);
  expectEqual([content[0], content[9 * KEPT], content[10 * KEPT]], [0, 7, 8]);
  sys.close(fd);
});

nativeTest('forget-head: leaves alone what is not twice as long', (directory) => {
  const path = `${directory}/log`;
  replaceFile(path, new Uint8Array(2 * KEPT).fill(7), { mode: 0o600, durable: false });
  forgetHead(path, KEPT);
  expectEqual(sys.readFile(path)[0], 7);
});
