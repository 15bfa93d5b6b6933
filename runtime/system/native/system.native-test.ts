import { systemContract } from '../contract.ts';
import { sys } from './sys.ts';
import { createNativeSystem } from './system.ts';
import { expect, expectEqual, expectThrows, nativeTest } from './testing.ts';

for (const { name, run } of systemContract) {
  nativeTest(`system: ${name}`, (directory) => run(createNativeSystem(), directory));
}

nativeTest('system: a daemon that a program leaves behind is not waited for', async () => {
  const system = createNativeSystem();
  const script = 'sleep 60 & echo $!';
  const { stdout } = await system.run({ file: '/bin/sh', args: ['-c', script] });
  const daemon = Number(new TextDecoder().decode(stdout));
  expect(daemon > 1, 'the output is complete');
  sys.kill(daemon, 9);
});

nativeTest('system: programs that cannot be started leave no descriptor', async () => {
  const system = createNativeSystem();
  const before = sys.readdir('/proc/self/fd').length;
  for (let attempt = 0; attempt < 5; attempt += 1) {
    await system.run({ file: 'berth-none', args: [], stdin: new Uint8Array(1) }).catch(() => {});
  }
  await system.run({ file: 'true', args: [], stdin: new Uint8Array(1) });
  expectEqual(sys.readdir('/proc/self/fd').length, before);
});

nativeTest(
  'a directory that cannot be made is a Fault, also where the file system says that its parent is not there',
  async () => {
    await expectThrows('ENOENT', () => createNativeSystem().makeDirectory('/proc/x/y', 0o700));
  },
);
