import { Fault } from '../../../proto/fault.ts';
import { attempt } from '../../system/native/errors.ts';
import { searchPath } from '../../system/native/process.ts';
import { O, S_IF, S_IFMT, sys } from '../../system/native/sys.ts';

/** The first of the PATH, unless the operator names one. */
export const QEMU = 'qemu-system-x86_64';

export interface QemuProgram {
  /** Path, or name in the PATH. */
  readonly binary: string;
  /** Command that takes a JailRequest and QEMU's arguments, and becomes QEMU: runtime/vmm/jail. */
  readonly jail: readonly string[];
}

/** What a missing program or part says: the name, and what installs it. */
export function missingQemu(what: string): Fault {
  return new Fault('environment', `${what}; apt-get install qemu-system-x86`, {
    fields: { package: 'qemu-system-x86' },
  });
}

/** The file of `binary`, found as exec finds it, by a path without symbolic links. Fault `environment` if there is none. */
export function findQemu(binary: string): string {
  const places = binary.includes('/')
    ? [binary]
    : searchPath()
        .split(':')
        .map((directory) => `${directory}/${binary}`);
  const found = places.find(isProgram);
  if (found === undefined) throw missingQemu(`the virtual machine monitor ${binary} is not installed`);
  return attempt(`could not look at ${found}`, () => {
    const fd = sys.open(found, O.PATH);
    try {
      return sys.readlink(`/proc/self/fd/${fd}`);
    } finally {
      sys.close(fd);
    }
  });
}

function isProgram(path: string): boolean {
  const mode = sys.stat(path)?.mode ?? 0;
  return (mode & S_IFMT) === S_IF.REG && (mode & 0o111) !== 0;
}
