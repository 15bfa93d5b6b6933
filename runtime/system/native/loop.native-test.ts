import { createStream } from './stream.ts';
import { O, sys } from './sys.ts';
import { expect, expectEqual, expectThrows, nativeTest } from './testing.ts';

const sleep = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));
const one = new Uint8Array(1);

nativeTest('loop: timers come in the order of their times, and of two equal ones in the order of setting', async () => {
  const order: string[] = [];
  setTimeout(() => order.push('30'), 30);
  setTimeout(() => order.push('10 first'), 10);
  setTimeout(() => order.push('10 second'), 10);
  const cleared = setTimeout(() => order.push('cleared'), 10);
  clearTimeout(cleared);
  clearTimeout(cleared);
  clearTimeout(undefined);
  setTimeout(() => order.push('0'));
  const start = sys.now();
  await sleep(31);
  expect(sys.now() - start >= 31, 'a timer is never early');
  expectEqual(order, ['0', '10 first', '10 second', '30']);
});

nativeTest('loop: timers that set timers do not keep descriptors from their turn', async () => {
  const [reader, writer] = sys.pipe();
  let isRead = false;
  sys.watch(
    reader,
    () => {
      isRead = true;
      sys.close(reader);
    },
    null,
  );
  sys.write(writer, one);
  let turns = 0;
  while (!isRead) {
    await sleep(0);
    turns += 1;
  }
  expect(turns <= 2, `the descriptor came after ${turns} turns`);
  sys.close(writer);
});

nativeTest('loop: promise jobs run before the next callback', async () => {
  const order: string[] = [];
  setTimeout(() => {
    order.push('first');
    void Promise.resolve().then(() => order.push('its job'));
  });
  setTimeout(() => order.push('second'));
  await sleep(5);
  expectEqual(order, ['first', 'its job', 'second']);
});

nativeTest('loop: an event of a closed descriptor does not reach the next one of that number', async () => {
  // Both are ready in the same turn; the first callback closes the second and takes its number for another pipe.
  const pipes = [sys.pipe(), sys.pipe()] as const;
  const stale: string[] = [];
  let isDone = false;
  let reused: [number, number] | undefined;
  for (const index of [0, 1] as const) {
    const mine = pipes[index][0];
    const other = pipes[1 - index]?.[0] ?? -1;
    sys.watch(
      mine,
      () => {
        if (isDone) return;
        isDone = true;
        sys.close(other);
        reused = sys.pipe();
        expectEqual(reused[0], other);
        sys.watch(other, () => stale.push('delivered'), null);
        sys.watch(mine, null, null);
      },
      null,
    );
  }
  for (const [, writer] of pipes) sys.write(writer, one);
  await sleep(20);
  expect(isDone, 'one of the two was called');
  expectEqual(stale, []);
  sys.write(reused?.[1] ?? -1, one);
  await sleep(5);
  expect(stale.length > 0, 'the new pipe is watched');
  // Both reader numbers and the four writers.
  for (const fd of [pipes[0][0], pipes[0][1], pipes[1][0], pipes[1][1], reused?.[1] ?? -1]) sys.close(fd);
});

nativeTest('loop: a callback may close its own descriptor before the writable half is called', async () => {
  const [reader, writer] = sys.pipe();
  sys.close(reader);
  let calls = 0;
  const callback = (): void => {
    calls += 1;
    sys.close(writer);
  };
  sys.watch(writer, callback, callback);
  await sleep(10);
  expectEqual(calls, 1);
});

nativeTest('loop: a regular file cannot be watched', async (directory) => {
  const fd = sys.open(`${directory}/a`, O.RDWR | O.CREAT);
  await expectThrows('EPERM', () => sys.watch(fd, () => {}, null));
  sys.close(fd);
});

nativeTest('stream: writes wait for the reader, in order, and a fast writer does not starve timers', async () => {
  const [reader, writer] = sys.pipe();
  const [source, sink] = [createStream(reader, 'source'), createStream(writer, 'sink')];
  const chunk = sys.getrandom(50_000);
  const writes = Promise.all(Array.from({ length: 40 }, (_, index) => sink.write(chunk.fill(index))));
  expectEqual(await Promise.race([writes.then(() => 'written'), sleep(10).then(() => 'waiting')]), 'waiting');
  let total = 0;
  for (let data = await source.read(); data !== undefined && total + data.length < 2_000_000; ) {
    total += data.length;
    data = await source.read();
  }
  await writes;
  sink.close();
  source.close();
});

nativeTest('stream: a second read at a time, and a write after close, are refused', async () => {
  const [reader, writer] = sys.pipe();
  const [source, sink] = [createStream(reader, 'source'), createStream(writer, 'sink')];
  const pending = source.read();
  await expectThrows('internal', () => source.read());
  sink.close();
  expectEqual(await pending, undefined);
  expectEqual(await source.read(), undefined);
  await expectThrows('io', () => sink.write(one));
  source.close();
});
