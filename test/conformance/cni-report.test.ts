import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createScratch, removeScratch } from '../../deploy/demo/scratch.ts';
import { findPrograms } from '../../runtime/cli/programs.ts';
import { RULES } from './cni/rules.ts';

let scratch: string;
beforeAll(async () => {
  scratch = await createScratch();
  await writeFile(join(scratch, 'config.json'), '{"type": "berth"}');
});
afterAll(() => removeScratch(scratch));

const suite = (...args: string[]) =>
  execa(process.execPath, ['deploy/setup/run-ts.mjs', 'test/conformance/cni/main.ts', ...args], { reject: false });
const plugin = (path: string): string[] => ['--plugin', path, '--config', join(scratch, 'config.json')];

describe('the conformance suite by hand', () => {
  it('says how it is used', async () => {
    const { exitCode, stderr } = await suite();
    expect(exitCode).toBe(2);
    expect(stderr).toContain('--plugin PATH');
  });

  it.each(['--help', '-h'])('explains itself with %s, whatever is said beside it', async (flag) => {
    const { exitCode, stdout } = await suite(...plugin('/nonexistent'), flag);
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: expect.stringContaining('--plugin PATH') });
  });

  it('writes a report for machines and one for persons', async () => {
    const berth = join(findPrograms().cniDirectory, 'berth');
    const { exitCode, stdout } = await suite(...plugin(berth), '--only', 'version-lists', '--report', scratch);
    expect({ exitCode, stdout }).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^holds +version-lists/) });
    expect(JSON.parse(await readFile(join(scratch, 'report.json'), 'utf8'))).toMatchObject({
      format: 1,
      plugin: berth,
      untestedVersions: [],
      isChained: false,
      rules: [{ id: 'version-lists', level: 'must', outcome: 'holds', notes: [] }],
    });
    const text = await readFile(join(scratch, 'report.md'), 'utf8');
    expect(text).toContain('1 rules hold, 0 fail, 0 are not applicable.');
    expect(text).toContain('| version-lists | must | holds | VERSION answers with ');
  });

  it('ends with status 1 when a rule fails, and says why', async () => {
    const { exitCode, stdout } = await suite(...plugin('/bin/false'), '--only', 'version-lists');
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/^fails +version-lists .*\n +VERSION: exit status 1, no output/);
  });

  it('lets no rule hold for a program that says nothing, and none pass for not applicable', async () => {
    const { exitCode, stdout } = await suite(...plugin('/bin/true'));
    expect(exitCode).toBe(1);
    const outcomes = stdout.split('\n').filter((line) => line !== '' && !line.startsWith(' '));
    expect(outcomes).toHaveLength(RULES.length);
    expect(outcomes.filter((line) => !line.startsWith('fails'))).toEqual([]);
  });

  it.each(['/nonexistent', '/etc', '/etc/passwd'])('refuses to look at %s, which is no program', async (path) => {
    const { exitCode, stdout, stderr } = await suite(...plugin(path));
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    expect(stderr).toMatch(new RegExp(`^${path} cannot be executed \\(env: `));
  });

  it('refuses a file that is not there in a sentence', async () => {
    const { exitCode, stderr } = await suite('--plugin', '/bin/true', '--config', '/nonexistent.json');
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^\/nonexistent.json cannot be read\n {2}because: ENOENT[^\n]*$/);
  });

  it.each([
    [['--only', 'no-such-rule'], 'there is no rule no-such-rule'],
    [['--verbose'], 'the command line cannot be read'],
    [['--chain-before', '/dev/null'], '/dev/null is not JSON'],
  ])('refuses %j', async (args, sentence) => {
    const { exitCode, stderr } = await suite(...plugin('/bin/true'), ...args);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(sentence);
  });
});
