import * as v from 'valibot';
import { run } from '../../system/node/exec.ts';

const TIMEOUT_MS = 20_000;

const version = v.object({ supportedVersions: v.array(v.string()) });
const refusal = v.object({ code: v.number(), msg: v.string(), details: v.optional(v.string(), '') });

export interface CniAnswer {
  /** Undefined: it did as it was told. Without a code where it ended otherwise than CNI says. */
  readonly refusal: { readonly code: number | undefined; readonly message: string } | undefined;
  /** Of VERSION. */
  readonly supportedVersions: readonly string[];
}

/** Executes the plugin as engines do. Fault `environment` or `exec` if it cannot be started, `timeout` if it hangs. */
export async function callCni(
  plugin: string,
  variables: Readonly<Record<string, string>>,
  config: Readonly<Record<string, unknown>>,
): Promise<CniAnswer> {
  const { exitCode, stdout } = await run({
    file: plugin,
    args: [],
    stdin: new TextEncoder().encode(JSON.stringify(config)),
    env: { CNI_PATH: '', ...variables },
    timeoutMs: TIMEOUT_MS,
  });
  const text = new TextDecoder().decode(stdout).trim();
  const answer = parse(text);
  if (exitCode === 0) {
    const { success, output } = v.safeParse(version, answer);
    return { refusal: undefined, supportedVersions: success ? output.supportedVersions : [] };
  }
  const { success, output } = v.safeParse(refusal, answer);
  if (!success)
    return { refusal: { code: undefined, message: `exit status ${exitCode}: ${text}` }, supportedVersions: [] };
  const { code, msg, details } = output;
  return { refusal: { code, message: details === '' ? msg : `${msg}: ${details}` }, supportedVersions: [] };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
