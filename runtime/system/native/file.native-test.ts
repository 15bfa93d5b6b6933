import { ensureDirectory } from './file.ts';
import { spawnChild } from './process.ts';
import { S_IF, S_IFMT, sys } from './sys.ts';
import { expectEqual, nativeProgram, nativeTest, testProgram } from './testing.ts';

const TREES = 400;

nativeProgram('make-directories', ([root = '']) => {
  for (let tree = 0; tree < TREES; tree += 1) ensureDirectory(`${root}/${tree}/a/b`, 0o700);
});

nativeTest('file: a directory whose parents others make at the same time is made', async (directory) => {
  const makers = [1, 2, 3, 4].map(() =>
    spawnChild({ argv: testProgram('make-directories', directory), fds: [-1, 2, 2] }),
  );
  const exits = await Promise.all(makers.map(({ exited }) => exited));
  expectEqual(exits.map(({ code }) => code).join(), '0,0,0,0');
  const isMade = (tree: number) => ((sys.stat(`${directory}/${tree}/a/b`)?.mode ?? 0) & S_IFMT) === S_IF.DIR;
  expectEqual(Array.from({ length: TREES }, (_, tree) => isMade(tree)).indexOf(false), -1);
});
