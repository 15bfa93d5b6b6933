import type { Command } from './command.ts';
import { demoCommand } from './demo.ts';
import { doctorCommand } from './doctor.ts';
import { logsCommand } from './logs.ts';
import { nicCommand } from './nic.ts';
import { psCommand } from './ps.ts';
import { runCommand } from './run.ts';
import { stopCommand } from './stop.ts';
import { symbolicateCommand } from './symbolicate.ts';
import { versionCommand } from './version.ts';
import { volumeCommand } from './volume.ts';

/** In the order of their use. */
export const COMMANDS: readonly Command[] = [
  runCommand,
  stopCommand,
  psCommand,
  logsCommand,
  volumeCommand,
  nicCommand,
  doctorCommand,
  symbolicateCommand,
  demoCommand,
  versionCommand,
];
