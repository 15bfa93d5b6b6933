import { asFault, Fault } from '../proto/fault.ts';
import { type CniContainerId, type IfName, parseCniContainerId, parseIfName } from '../proto/ids.ts';
import { variableFault } from './error-codes.ts';

const VERBS = ['ADD', 'DEL', 'CHECK', 'GC', 'STATUS', 'VERSION'] as const;
export type Verb = (typeof VERBS)[number];

/** What the plugin is called for. `netnsPath` is absent in a DEL whose namespace is gone. */
export interface Attachment {
  readonly containerId: CniContainerId;
  readonly ifName: IfName;
  readonly netnsPath?: string;
}

/** An attachment whose namespace is there: what ADD and CHECK need. */
export type PodAttachment = Attachment & { readonly netnsPath: string };

type Variables = Readonly<Record<string, string | undefined>>;

/** Which verbs cannot do without a variable (CNI 1.1.0, section 2). */
const VARIABLES: Record<'CNI_CONTAINERID' | 'CNI_NETNS' | 'CNI_IFNAME', readonly Verb[]> = {
  CNI_CONTAINERID: ['ADD', 'CHECK', 'DEL'],
  CNI_NETNS: ['ADD', 'CHECK'],
  CNI_IFNAME: ['ADD', 'CHECK', 'DEL'],
};

/** Throws a Fault with the code of a bad variable, naming CNI_COMMAND. */
export function parseVerb(variables: Variables): Verb {
  const command = variables['CNI_COMMAND'] ?? '';
  const verb = VERBS.find((known) => known === command);
  if (verb !== undefined) return verb;
  if (command === '')
    throw variableFault('CNI_COMMAND is not set: this program is a CNI plugin, run by a container engine');
  throw variableFault(`CNI_COMMAND is ${JSON.stringify(command)}, but this plugin does ${VERBS.join(', ')}`);
}

/** Throws a Fault with the code of a bad variable that names all that are missing or bad, not only the first. */
export function parsePodVariables(variables: Variables, verb: 'ADD' | 'CHECK'): PodAttachment {
  const { netnsPath = '', ...attachment } = parseVariables(variables, verb);
  return { ...attachment, netnsPath };
}

/** As for ADD, but the namespace may be gone. */
export const parseDelVariables = (variables: Variables): Attachment => parseVariables(variables, 'DEL');

function parseVariables(variables: Variables, verb: 'ADD' | 'CHECK' | 'DEL'): Attachment {
  const problems: string[] = [];
  const read = <T>(name: keyof typeof VARIABLES, parse: (value: unknown, field: string) => T): T | undefined => {
    const value = variables[name] ?? '';
    if (value === '') {
      if (VARIABLES[name].includes(verb)) problems.push(`${name} is not set`);
      return undefined;
    }
    try {
      return parse(value, name);
    } catch (error) {
      problems.push(asFault(error, 'internal', `${name} could not be read`).message);
      return undefined;
    }
  };
  const containerId = read('CNI_CONTAINERID', parseCniContainerId);
  const netnsPath = read('CNI_NETNS', parseNetnsPath);
  const ifName = read('CNI_IFNAME', parseIfName);
  if (problems.length > 0 || containerId === undefined || ifName === undefined) {
    throw variableFault(problems.join('; '));
  }
  return { containerId, ifName, ...(netnsPath === undefined ? {} : { netnsPath }) };
}

function parseNetnsPath(value: unknown, field: string): string {
  if (typeof value === 'string' && value.startsWith('/')) return value;
  throw new Fault('invalid', `${field} is ${JSON.stringify(value)}, but must be an absolute path`);
}
