import { execa } from 'execa';
import { formatSeconds, report } from './progress.ts';

/** Scripts of package.json that share nothing: each list runs beside the other, in its order. Unit tests take all cores. */
const BESIDE_ONE_ANOTHER = [['types:node'], ['types:native', 'lint', 'boundaries', 'unused']];

/** `npm run check`: what must hold before a commit and needs neither root nor a build. All that fails is shown. */
export async function main(): Promise<number> {
  const checked = await Promise.all(BESIDE_ONE_ANOTHER.map(runInOrder));
  if (checked.flat().includes(false)) return 1;
  const unit = await execa('npm', ['run', '--silent', 'unit'], { reject: false, stdio: 'inherit' });
  return unit.failed ? 1 : 0;
}

/** Whether each passed. */
async function runInOrder(scripts: readonly string[]): Promise<boolean[]> {
  const passed: boolean[] = [];
  for (const script of scripts) {
    const startMs = Date.now();
    const { failed, all } = await execa('npm', ['run', '--silent', script], { all: true, reject: false });
    report(`${script} ... ${formatSeconds(Date.now() - startMs)}${failed ? `, failed\n${all}` : ''}`);
    passed.push(!failed);
  }
  return passed;
}
