import { asFault } from '../proto/fault.ts';
import { type IfName, parseIfName } from '../proto/ids.ts';
import { variableFault } from './error-codes.ts';

/** What CNI_ARGS can say of the TAP, in the words of tc-redirect-tap. */
export interface CniArgs {
  readonly tapName?: IfName;
  readonly uid?: number;
  readonly gid?: number;
}

const NAME = 'TC_REDIRECT_TAP_NAME';
const UID = 'TC_REDIRECT_TAP_UID';
const GID = 'TC_REDIRECT_TAP_GID';

/**
 * A pattern for names that the kernel makes up, its names for the settings of all interfaces, and ours for what queues
 * the incoming packets of one.
 */
const NOT_A_TAP = /%|^(all|default|berth\d+-in)$/;

/** (uid_t) -1 is no id. */
export const MAX_ID = 0xfffffffe;

/**
 * `KEY=value;KEY=value`, as container engines write it. Keys that are for others (IgnoreUnknown, K8S_POD_NAME ...)
 * pass. Throws the Fault of a bad variable, naming CNI_ARGS and the key.
 */
export function parseCniArgs(text = ''): CniArgs {
  if (text === '') return {};
  const pairs = new Map(text.split(';').map(parsePair));
  const name = pairs.get(NAME);
  const uid = pairs.get(UID);
  const gid = pairs.get(GID);
  return {
    ...(name === undefined ? {} : { tapName: parseTapName(name) }),
    ...(uid === undefined ? {} : { uid: parseId(UID, uid) }),
    ...(gid === undefined ? {} : { gid: parseId(GID, gid) }),
  };
}

function parsePair(pair: string): [key: string, value: string] {
  const at = pair.indexOf('=');
  if (at > 0) return [pair.slice(0, at), pair.slice(at + 1)];
  throw variableFault(`CNI_ARGS has ${JSON.stringify(pair)} where there must be KEY=value, separated by ";"`);
}

function parseTapName(value: string): IfName {
  if (NOT_A_TAP.test(value)) {
    throw variableFault(`CNI_ARGS: ${NAME} is ${JSON.stringify(value)}, which no TAP can be called`);
  }
  try {
    return parseIfName(value, NAME);
  } catch (error) {
    throw variableFault(`CNI_ARGS: ${asFault(error, 'internal', `${NAME} could not be read`).message}`);
  }
}

function parseId(key: string, value: string): number {
  const id = /^\d{1,10}$/.test(value) ? Number(value) : Number.NaN;
  if (id <= MAX_ID) return id;
  throw variableFault(`CNI_ARGS: ${key} is ${JSON.stringify(value)}, but must be a number from 0 to ${MAX_ID}`);
}
