import '../runtime/system/native/polyfill.ts';
import { armFailpoint } from '../runtime/system/failpoint.ts';
import { createLog, type Log } from '../runtime/system/log.ts';
import { nativeFailpointHost } from '../runtime/system/native/failpoint-host.ts';
import { nativeFiles } from '../runtime/system/native/files.ts';
import { sys } from '../runtime/system/native/sys.ts';
import { startTrace, TRACE_VARIABLE } from '../runtime/system/trace.ts';
import { add, explainAdd } from './add.ts';
import { isBeyondAdd } from './beyond-add.ts';
import { check } from './check.ts';
import { forgiveKeys, type JsonObject } from './config-keys.ts';
import { del } from './del.ts';
import { variableFault } from './error-codes.ts';
import { answerToFlag, parseFlag } from './flag.ts';
import { gc, parseValidAttachments } from './gc.ts';
import { parseKataDanDir } from './kata-dan.ts';
import { findLikelyMisspelt } from './likely-misspelt.ts';
import { type NetworkConfig, parseJsonObject, parseNetworkConfig } from './network-config.ts';
import type { Place } from './place.ts';
import { parseNetworkRequest, parsePodRequest } from './pod-request.ts';
import { convertResult, errorResult } from './result.ts';
import { status } from './status.ts';
import { holdStandardStreams, readStdin, writeStderr, writeStdout } from './stdio.ts';
import { parseTraceId } from './trace-context.ts';
import { parseDelVariables, parsePodVariables, parseVerb, type Verb } from './variables.ts';
import { refuseVerbBeforeItsTime, versionResult } from './version.ts';

interface Call {
  readonly variables: Readonly<Record<string, string>>;
  readonly json: JsonObject;
  /** Print what ADD would do, and do nothing. */
  readonly explain: boolean;
}

/** What each verb prints; undefined is nothing at all. */
const VERBS: Record<Verb, (call: Call) => Promise<unknown>> = {
  ADD: async (call) => {
    const attachment = parsePodVariables(call.variables, 'ADD');
    const place = openPlace('ADD', call);
    const request = parsePodRequest(call.json, call.variables['CNI_ARGS']);
    if (!request.isVm) return convertResult(request.chain.prevResult, place.config.cniVersion);
    return (call.explain ? explainAdd : add)({ ...place, attachment, ...request });
  },
  DEL: async (call) => {
    const attachment = parseDelVariables(call.variables);
    const place = openPlace('DEL', call);
    const kataDanDir = forgiveKeys(call.json, (json) => parseKataDanDir(json, { mode: 'tc' }), tellOf(place.log));
    return del({ ...place, attachment, kataDanDir });
  },
  CHECK: async (call) => {
    const attachment = parsePodVariables(call.variables, 'CHECK');
    const place = openPlace('CHECK', call);
    const { isVm, chain } = parsePodRequest(call.json, call.variables['CNI_ARGS']);
    if (isVm) await check({ ...place, attachment, prevResult: chain.prevResult });
  },
  GC: async (call) => gc(openPlace('GC', call), parseValidAttachments(call.json)),
  STATUS: async (call) => {
    const place = openPlace('STATUS', call);
    return status(place, parseNetworkRequest(call.json));
  },
  VERSION: async ({ json }) => versionResult(json['cniVersion']),
};

/** These clear up what was made when the configuration may have been another, and right. */
const FORGIVING: readonly Verb[] = ['DEL', 'GC'];

function openPlace(verb: Verb, { json, variables }: Call): Place {
  const problems: string[] = [];
  const config = FORGIVING.includes(verb)
    ? forgiveKeys(json, parseNetworkConfig, (problem) => problems.push(problem))
    : parseNetworkConfig(json);
  refuseVerbBeforeItsTime(verb, config.cniVersion);
  const log = openLog(config, variables);
  problems.forEach(tellOf(log));
  if (verb === 'ADD')
    for (const like of findLikelyMisspelt(json)) log.warn('unknown key, is it misspelt?', { ...like });
  return { files: nativeFiles, log, config };
}

const tellOf = (log: Log) => (problem: string) => log.warn('going on without a key of ours', { problem });

function openLog({ logLevel }: Pick<NetworkConfig, 'logLevel'>, { TRACEPARENT: traceparent }: Call['variables']): Log {
  const log = createLog(writeStderr, logLevel);
  const traceId = parseTraceId(traceparent);
  if (traceId === 'malformed') log.warn('TRACEPARENT is no trace context, going on without it', { traceparent });
  return log.with(traceVariables(traceId));
}

/** What is on every line, so that it can be found by the engine's trace. */
const traceVariables = (traceId: ReturnType<typeof parseTraceId>): { readonly traceId?: string } =>
  traceId === undefined || traceId === 'malformed' ? {} : { traceId };

/** Ends here: after a return, the engine would free the whole program, object by object, for nobody. */
async function main(): Promise<never> {
  sys.exit(await run());
}

async function run(): Promise<number> {
  holdStandardStreams();
  const variables = sys.env();
  startTrace(variables[TRACE_VARIABLE], writeStderr, traceVariables(parseTraceId(variables['TRACEPARENT'])));
  armFailpoint(nativeFailpointHost);
  const { printed, exitCode } = await carryOut(variables);
  if (printed === undefined) return exitCode;
  try {
    await writeStdout(printed);
    return exitCode;
  } catch (error) {
    createLog(writeStderr, 'error').error('the container engine did not get the answer', { error });
    return 1;
  }
}

interface Outcome {
  readonly printed: string | undefined;
  readonly exitCode: 0 | 1;
}

async function carryOut(variables: Call['variables']): Promise<Outcome> {
  let asked: unknown;
  try {
    const flag = parseFlag(sys.args().slice(1));
    const told = answerToFlag(flag);
    if (told !== undefined) return { printed: told, exitCode: 0 };
    const verb = parseVerb(variables);
    const explain = flag === '--explain';
    if (explain && verb !== 'ADD') throw variableFault(`CNI_COMMAND is ${verb}, but --explain is for ADD`);
    const json = parseJsonObject(await readInput(verb));
    asked = json['cniVersion'];
    const answer = await answerTo(verb, { json, explain, variables });
    const printed = answer === undefined ? undefined : `${JSON.stringify(answer, null, explain ? 2 : undefined)}\n`;
    return { printed, exitCode: 0 };
  } catch (error) {
    return { printed: `${JSON.stringify(errorResult(asked, error))}\n`, exitCode: 1 };
  }
}

async function answerTo(verb: Verb, call: Call): Promise<unknown> {
  try {
    return await VERBS[verb](call);
  } catch (error) {
    const { json, variables } = call;
    if (!isBeyondAdd(verb, variables['CNI_CONTAINERID'], json['name'])) throw error;
    openLog({ logLevel: 'warn' }, variables).warn('no ADD takes such a name: there is nothing to clear up', { error });
    return undefined;
  }
}

/** An engine that only asks for the version may send nothing. */
async function readInput(verb: Verb): Promise<string> {
  const text = await readStdin();
  return verb === 'VERSION' && text.trim() === '' ? '{}' : text;
}

sys.isBrief = true;
sys.main = () => void main();
