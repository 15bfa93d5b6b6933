import { startTrace, TRACE_AREAS, TRACE_VARIABLE } from '../system/trace.ts';
import type { Prepared } from './command.ts';
import { COMMANDS } from './commands.ts';
import { formatFailure } from './format-failure.ts';

const width = Math.max(...COMMANDS.map(({ name }) => name.length));
const HELP = `berth: storage and network for pod VMs

Usage: berth COMMAND [ARGUMENTS]

${COMMANDS.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`).join('\n')}

"berth COMMAND --help" explains a command by an example. The environment's ${TRACE_VARIABLE} has every program of berth
print what it does, a line of JSON each: a list of ${TRACE_AREAS.join(', ')}.
`;

/** Exit status: the command's own; 1 if it failed, 2 for a command line that is wrong, when nothing was done. */
async function main([name, ...args]: readonly string[]): Promise<number> {
  if (name === undefined || ['help', '--help', '-h'].includes(name)) return say(name === undefined ? 2 : 0, HELP);
  const command = COMMANDS.find((one) => one.name === (name === '--version' ? 'version' : name));
  if (command === undefined) return complain(`berth: "${name}" is no command of berth\n`, 'berth --help');
  if (asksForHelp(args)) return say(0, command.help);
  let execute: Prepared;
  try {
    execute = command.prepare(args);
  } catch (error) {
    return complain(formatFailure(error), `berth ${command.name} --help`, command.failureStatus);
  }
  return execute().catch((error: unknown) => {
    process.stderr.write(formatFailure(error));
    return command.failureStatus ?? 1;
  });
}

/** `--help` anywhere among the flags wins over whatever is wrong with the others. */
function asksForHelp(args: readonly string[]): boolean {
  const end = args.indexOf('--');
  return (end < 0 ? args : args.slice(0, end)).some((arg) => arg === '--help' || arg === '-h');
}

function say(exitCode: number, text: string): number {
  process.stdout.write(text);
  return exitCode;
}

function complain(failure: string, hint: string, exitCode = 2): number {
  process.stderr.write(`${failure}Try "${hint}".\n`);
  return exitCode;
}

startTrace(process.env[TRACE_VARIABLE], (line) => process.stderr.write(line));

// Not by a drained event loop: a terminal's stdin, once read, would hold it.
main(process.argv.slice(2)).then(
  (exitCode) => process.exit(exitCode),
  (error: unknown) => {
    process.stderr.write(formatFailure(error));
    process.exit(1);
  },
);
