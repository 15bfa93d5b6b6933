import { once } from 'node:events';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import { execa } from 'execa';
import { podPaths, runPaths } from '../../proto/paths.ts';
import { type Lab, programs } from './lab.ts';
import { within } from './within.ts';

const LIMIT_MS = 120_000;
const MARK = '=== ended with';
/** To look at frames, to send pings, and to make an interface take all that comes. */
const CAPABILITIES = ['CAP_NET_RAW', 'CAP_NET_ADMIN'];
/** A shell that does what standard input says, and ends with it. */
const SCRIPT = `while IFS= read -r line; do eval "$line" 2>&1; echo; echo "${MARK} $?"; done`;

/** A pod whose container does what a test says, one thing after another. */
export interface ShellPod {
  readonly name: string;
  /** One line of shell; answers what it printed, trimmed. One that fails is an error with that. */
  run(line: string): Promise<string>;
  /** Of `berth run`. */
  end(): Promise<number>;
}

export interface ShellPodOptions {
  readonly flags: readonly string[];
  /** Static programs for the container's /bin. */
  readonly tools?: readonly string[];
}

/** Resolves when the guest is up and answers. */
export async function startShellPod(lab: Lab, name: string, { flags, tools = [] }: ShellPodOptions): Promise<ShellPod> {
  const bundle = await lab.bundle(name, SCRIPT);
  for (const tool of tools) await copyFile(tool, join(bundle, 'rootfs/bin', basename(tool)));
  await allow(bundle);
  const [file = '', ...prefix] = lab.prefix;
  const berth = [process.execPath, programs.berth, 'run', bundle, '--id', name, '--accelerator', 'tcg', ...flags];
  const child = execa(file, [...prefix, ...berth], { reject: false, stdin: 'pipe', buffer: { stdout: false } });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const diagnose = async (): Promise<string> => {
    const path = `${lab.root}${podPaths(runPaths(lab.runDirectory), name).console}`;
    return (await readFile(path, 'utf8').catch(() => '(no console)')).slice(-2000);
  };
  const readAnswer = async (line: string): Promise<string> => {
    const printed: string[] = [];
    for (;;) {
      const { value, done } = await answers.next();
      if (done === true) throw new Error(`pod ${name} ended at ${line}: ${(await child).stderr}`);
      if (value.startsWith(MARK)) {
        if (value === `${MARK} 0`) return printed.join('\n').trim();
        throw new Error(`in pod ${name} ${line} ${value}:\n${printed.join('\n')}`);
      }
      printed.push(value);
    }
  };
  const pod: ShellPod = {
    name,
    run(line) {
      child.stdin.write(`${line}\n`);
      return within(`pod ${name}: ${line}`, LIMIT_MS, readAnswer(line), diagnose);
    },
    async end() {
      child.stdin.end();
      if (child.exitCode === null) await once(child, 'exit');
      return (await child).exitCode ?? 255;
    },
  };
  await pod.run('true');
  return pod;
}

async function allow(bundle: string): Promise<void> {
  const path = join(bundle, 'config.json');
  const spec = JSON.parse(await readFile(path, 'utf8'));
  for (const kind of ['bounding', 'effective', 'permitted']) spec.process.capabilities[kind].push(...CAPABILITIES);
  await writeFile(path, JSON.stringify(spec));
}
