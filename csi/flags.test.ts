import { describe, expect, it } from 'vitest';
import { parseFlags } from './flags.ts';

const good = ['--endpoint', 'unix:///run/csi.sock', '--node-id', 'n', '--state-dir', '/s', '--pool', 'a=image-file:/p'];
const without = (flag: string): string[] => {
  const at = good.indexOf(flag);
  return [...good.slice(0, at), ...good.slice(at + 2)];
};

describe('parseFlags', () => {
  it('has defaults', () => {
    expect(parseFlags(good)).toEqual({
      socketPath: '/run/csi.sock',
      nodeId: 'n',
      stateDirectory: '/s',
      runDirectory: '/run/berth',
      pools: [{ name: 'a', backend: 'image-file', directory: '/p', options: {} }],
      allowUnfitPool: false,
      logLevel: 'info',
      isControllerPublish: false,
      maxVolumesPerNode: 0,
      metricsAddress: undefined,
      registrationDirectory: undefined,
    });
  });

  it('takes a pool in a directory with ":" and "="', () => {
    const flags = parseFlags([...good, '--pool', 'b=image-file:/a=b:c/']);
    expect(flags).toMatchObject({ pools: [{ name: 'a' }, { name: 'b', directory: '/a=b:c' }] });
  });

  it.each([
    ['b=image-file:/b,overcommit=1.5', { overcommit: 1.5 }],
    ['b=image-file:/b,overcommit=unlimited', { overcommit: Number.POSITIVE_INFINITY }],
  ])('takes options of a pool: %s', (pool, options) => {
    expect(parseFlags([...good, '--pool', pool])).toMatchObject({ pools: [{}, { directory: '/b', options }] });
  });

  it.each([
    ['127.0.0.1:9100', { host: '127.0.0.1', port: 9100 }],
    ['[::1]:9100', { host: '::1', port: 9100 }],
    ['unix:///run/metrics.sock', { path: '/run/metrics.sock' }],
  ])('takes metrics at %s', (value, metricsAddress) => {
    expect(parseFlags([...good, '--metrics-address', value])).toMatchObject({ metricsAddress });
  });

  it.each(['--endpoint', '--node-id', '--state-dir', '--pool'])('requires %s', (flag) => {
    expect(() => parseFlags(without(flag))).toThrow(`${flag} is required`);
  });

  it.each([
    ['--endpoint', 'tcp://0.0.0.0:1', '--endpoint is tcp://0.0.0.0:1, but must be unix:///PATH'],
    ['--endpoint', 'unix://relative', '--endpoint is unix://relative'],
    ['--node-id', 'n'.repeat(257), '--node-id has 257 bytes'],
    ['--state-dir', 'here', '--state-dir is here, but must be an absolute path'],
    ['--pool', 'a', '--pool is a, but must be NAME=image-file:DIR'],
    ['--pool', 'A=image-file:/p', '--pool has the name "A"'],
    ['--pool', 'b=lvm:/p', '--pool b has the backend lvm'],
    ['--pool', 'b=image-file:p', 'the directory of --pool b is p'],
    ['--pool', 'a=image-file:/q', '--pool names a twice'],
    ['--pool', 'b=image-file:/p/', '--pool names /p twice'],
    ['--pool', 'b=image-file:/b,size=1', '--pool b has the option size=1; there is overcommit=FACTOR'],
    ['--pool', 'b=image-file:/b,overcommit=0', '--pool b has overcommit=0, but must have a number like 1.5'],
    ['--max-volumes-per-node', '-1', '--max-volumes-per-node is -1, but must be a whole number'],
    ['--metrics-address', 'localhost:9100', '--metrics-address is localhost:9100, but must be IP:PORT'],
    ['--metrics-address', '127.0.0.1:65536', '--metrics-address is 127.0.0.1:65536'],
    ['--metrics-address', '::1:80', '--metrics-address is ::1:80'],
    ['--kubelet-registration-dir', 'here', '--kubelet-registration-dir is here, but must be an absolute path'],
    ['--log-level', 'loud', '--log-level is loud, not one of debug, info, warn, error'],
  ])('refuses %s %s', (flag, value, message) => {
    expect(() => parseFlags([...good, `${flag}=${value}`])).toThrow(message);
  });

  it('names a flag that there is not', () => {
    expect(() => parseFlags([...good, '--nod-id', 'x'])).toThrow(
      expect.objectContaining({ cause: expect.objectContaining({ message: expect.stringContaining('--nod-id') }) }),
    );
  });

  it('asks for nothing else when help or version is wanted', () => {
    expect(parseFlags(['--help'])).toBe('help');
    expect(parseFlags(['--version'])).toBe('version');
  });
});
