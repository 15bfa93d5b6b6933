import { sys } from '../runtime/system/native/sys.ts';
import { variableFault } from './error-codes.ts';
import { SUPPORTED_VERSIONS } from './version.ts';

/** deploy/setup/constants.ts. */
declare const __BERTH_VERSION__: string;

const FLAGS = ['--explain', '--version', '--help'] as const;
export type Flag = (typeof FLAGS)[number];

/**
 * An engine gives no argument, a person may. Throws the Fault of a bad variable for any other: what was misspelt for
 * `--explain` would wire the pod.
 */
export function parseFlag(args: readonly string[]): Flag | undefined {
  const [given] = args;
  if (given === undefined) return undefined;
  const flag = FLAGS.find((known) => known === given);
  if (flag !== undefined && args.length === 1) return flag;
  throw variableFault(
    `unknown arguments ${JSON.stringify(args.join(' '))}: CNI_COMMAND says what to do, ` +
      `and one of ${FLAGS.join(', ')} is all that may be given`,
  );
}

/** What a person is told who asks for no verb; undefined for `--explain`. */
export function answerToFlag(flag: Flag | undefined): string | undefined {
  if (flag === '--version') return describeVersion();
  return flag === '--help' ? HELP : undefined;
}

function describeVersion(): string {
  const { engine, libc } = sys.versions();
  return `berth ${__BERTH_VERSION__}\nCNI ${SUPPORTED_VERSIONS.join(', ')}\n${engine}, ${libc}\n`;
}

const HELP = `berth: a CNI plugin that hands a pod's interface to the virtual machine in it

A container engine runs it, last in the list of a network, with CNI_COMMAND and the other variables of CNI, and the
network configuration on standard input.

  --explain  with CNI_COMMAND=ADD: print what ADD would do, and do nothing
  --version  print the versions of berth, of CNI, of the engine and of the C library
  --help     print this
`;
