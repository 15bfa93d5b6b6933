import { run } from '../../../runtime/system/node/exec.ts';

/** A plugin that takes longer is taken to hang: engines wait for minutes, and nobody wants them to. */
const HANGS_AFTER_MS = 20_000;
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** What a plugin did when it was executed. */
export interface Called {
  /** 128 and the signal's number if a signal ended it. */
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** `stdout`, parsed. Undefined if it is empty or not JSON. */
  readonly answer: unknown;
}

export interface CallPlugin {
  readonly plugin: string;
  /** Enters the namespaces in which plugins run. */
  readonly prefix: readonly string[];
  /** All that the plugin sees; undefined is not set. */
  readonly variables: Readonly<Record<string, string | undefined>>;
  readonly stdin: string;
  /** SIGKILL to the plugin itself, not to programs that it runs. */
  readonly killAfterMs?: number;
}

/** Executes the plugin as engines do. Throws Fault `timeout` if it hangs. */
export async function callPlugin({ plugin, prefix, variables, stdin, killAfterMs }: CallPlugin): Promise<Called> {
  const assignments = Object.entries({ PATH, ...variables }).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${value}`],
  );
  const limit = killAfterMs === undefined ? [] : ['timeout', '--foreground', '--signal=KILL', `${killAfterMs / 1000}s`];
  const [file = '', ...args] = [...prefix, 'env', '-i', ...assignments, ...limit, plugin];
  const completed = await run({ file, args, stdin: new TextEncoder().encode(stdin), timeoutMs: HANGS_AFTER_MS });
  const stdout = new TextDecoder().decode(completed.stdout);
  const stderr = new TextDecoder().decode(completed.stderr);
  return { exitCode: completed.exitCode, stdout, stderr, answer: parse(stdout) };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** For a sentence: `error 7: prevResult is missing`, `success`. */
export function describeCall({ exitCode, stdout, stderr, answer }: Called): string {
  if (exitCode === 0) return stdout.trim() === '' ? 'success without output' : `success: ${cut(stdout)}`;
  const { code, msg, details } = (answer ?? {}) as { code?: unknown; msg?: unknown; details?: unknown };
  if (code === undefined) return `exit status ${exitCode}, ${cut(stdout) || cut(stderr) || 'no output'}`;
  return `error ${String(code)}: ${String(msg)}${details ? ` (${String(details)})` : ''}`;
}

const cut = (text: string): string => {
  const line = text.trim().replaceAll(/\s+/g, ' ');
  return line.length > 200 ? `${line.slice(0, 200)} ...` : line;
};
