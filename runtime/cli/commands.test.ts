import { describe, expect, it } from 'vitest';
import { COMMANDS } from './commands.ts';

describe.each(COMMANDS.map((command) => [command.name, command] as const))('berth %s --help', (name, command) => {
  it('begins with what the command does, and has a usage and an example', () => {
    expect(command.help).toMatch(new RegExp(`^berth ${name}: .+\n\nUsage: berth ${name}`));
    expect(command.help).toMatch(new RegExp(`^(Example:|Examples:\n) .*berth ${name}`, 'm'));
  });

  it('explains every flag, and none that there is not', () => {
    const explained = [...command.help.matchAll(/^ {2}--([a-z-]+)/gm)].map(([, flag]) => flag);
    expect(explained.toSorted()).toEqual(Object.keys(command.flags).toSorted());
  });

  it('fits a terminal', () => {
    for (const line of command.help.split('\n')) expect(line.length).toBeLessThanOrEqual(120);
  });
});
