import { asFault } from '../proto/fault.ts';
import { cniCodeOf } from './error-codes.ts';

/** For tests: what an act is refused with. */
export function refusal(act: () => unknown): [code: number, message: string] {
  try {
    act();
  } catch (error) {
    const fault = asFault(error, 'internal', 'unexpected error');
    return [cniCodeOf(fault), fault.message];
  }
  throw new Error('nothing was refused');
}
