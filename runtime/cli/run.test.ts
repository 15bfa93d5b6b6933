import { describe, expect, it } from 'vitest';
import { runCommand } from './run.ts';
import { parseRunOptions } from './run-options.ts';

describe('arguments of berth run', () => {
  it('has a default for everything but the bundle', () => {
    const { id, ...options } = parseRunOptions(['/bundle']);
    expect(id).toMatch(/^run-[0-9a-f]{8}$/);
    expect(options).toEqual({
      bundle: '/bundle',
      volumes: [],
      directVolumesDirectory: '',
      netnsPath: '',
      memoryMib: 256,
      vcpus: 1,
      accelerator: 'auto',
      runDirectory: '/run/berth',
      guestDirectory: undefined,
      qemu: '',
      bootTimeoutMs: 60_000,
    });
  });

  it('reads every flag', () => {
    const line =
      '/b --id pod1 --volume /t/a:/data --volume /t/b:/logs:ro --netns /run/netns/p --memory 512 --cpus 2 ' +
      '--device /t/c:/dev/x --direct-volumes /k --accelerator kvm --boot-timeout 7 --run-dir /r --guest /g --qemu /q';
    expect(parseRunOptions(line.split(' '))).toEqual({
      bundle: '/b',
      id: 'pod1',
      volumes: [
        { targetPath: '/t/a', containerPath: '/data', readOnly: false, subPath: '', isDevice: false },
        { targetPath: '/t/b', containerPath: '/logs', readOnly: true, subPath: '', isDevice: false },
        { targetPath: '/t/c', containerPath: '/dev/x', readOnly: false, subPath: '', isDevice: true },
      ],
      directVolumesDirectory: '/k',
      netnsPath: '/run/netns/p',
      memoryMib: 512,
      vcpus: 2,
      accelerator: 'kvm',
      bootTimeoutMs: 7000,
      runDirectory: '/r',
      guestDirectory: '/g',
      qemu: '/q',
    });
  });

  it.each([
    ['', 'BUNDLE is missing'],
    ['/a /b', 'one BUNDLE is expected'],
    ['/a --volumes x', "Unknown option '--volumes'"],
    ['/a --id ../x', '--id is "../x"'],
    ['/a --memory lots', '--memory is "lots"'],
    ['/a --memory 8', 'from 128 to'],
    ['/a --cpus 0', '--cpus is "0"'],
    ['/a --boot-timeout 1.5', '--boot-timeout is "1.5"'],
    ['/a --accelerator xen', '--accelerator is "xen", but must be one of auto, tcg, kvm'],
    ['/a --volume data:/data', '--volume "data:/data": TARGET is no absolute path'],
    ['/a --id', "'--id <value>' argument missing"],
  ])('refuses "%s"', (line, message) => {
    expect(() => runCommand.prepare(line.split(' ').filter(Boolean))).toThrow(message);
  });
});
