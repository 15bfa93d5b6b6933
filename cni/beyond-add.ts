import { parseCniContainerId, parseNetworkName } from '../proto/ids.ts';
import type { Verb } from './variables.ts';

/** Of network names and container ids (CNI 1.1.0, sections 1 and 2). */
const CNI_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;

/**
 * Whether a call is for what no ADD of ours has made: CNI bounds the length of neither name, but they are in names of
 * files and in marks of ours, and ADD refuses longer ones. Where DEL refused them too, an engine could never tear the
 * pod down, for it asks the last plugin of the chain first.
 */
export function isBeyondAdd(verb: Verb, containerId: string | undefined, network: unknown): boolean {
  if (verb !== 'DEL' && verb !== 'GC') return false;
  return isTooLong(network, parseNetworkName) || (verb === 'DEL' && isTooLong(containerId, parseCniContainerId));
}

function isTooLong(value: unknown, parse: (value: unknown) => string): boolean {
  if (typeof value !== 'string' || !CNI_NAME.test(value)) return false;
  try {
    parse(value);
    return false;
  } catch {
    return true;
  }
}
