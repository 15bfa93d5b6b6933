import { Fault } from '../../../proto/fault.ts';

/** The first of the PATH, unless the operator names one. */
export const QEMU = 'qemu-system-x86_64';

/** What a missing program or part says: the name, and what installs it. */
export function missingQemu(what: string, cause?: unknown): Fault {
  return new Fault('environment', `${what}; apt-get install qemu-system-x86`, {
    fields: { package: 'qemu-system-x86' },
    ...(cause === undefined ? {} : { cause }),
  });
}

/** A Fault `environment` of starting `binary`, with the way out; anything else as it is. */
export function withHint(error: unknown, binary: string): unknown {
  if (!(error instanceof Fault) || error.code !== 'environment') return error;
  return missingQemu(`the virtual machine monitor ${binary} is not installed`, error);
}
