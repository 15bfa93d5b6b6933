import { describe, expect, it } from 'vitest';
import { runCommand } from './run.ts';
import { parseRunOptions } from './run-options.ts';

describe('arguments of berth run', () => {
  it('has a default for everything but the bundle', () => {
    const { id, ...options } = parseRunOptions(['/bundle']);
    expect(id).toMatch(/^run-[0-9a-f]{8}$/);
    expect(options).toEqual({
      main: { id: 'main', bundle: '/bundle', volumes: [] },
      sidecars: [],
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
      '/b --id pod1 --volume /t/a:/data --volume /t/b=:/logs:ro --netns /run/netns/p --memory 512 --cpus 2 ' +
      '--sidecar log=/l --sidecar a-2=/x=y --volume log=/t/a//s:/in:ro --device log=/t/c:/dev/y ' +
      '--device /t/c:/dev/x --direct-volumes /k --accelerator kvm --boot-timeout 7 --run-dir /r --guest /g --qemu /q';
    expect(parseRunOptions(line.split(' '))).toEqual({
      id: 'pod1',
      main: {
        id: 'main',
        bundle: '/b',
        volumes: [
          { targetPath: '/t/a', containerPath: '/data', readOnly: false, subPath: '', isDevice: false },
          { targetPath: '/t/b=', containerPath: '/logs', readOnly: true, subPath: '', isDevice: false },
          { targetPath: '/t/c', containerPath: '/dev/x', readOnly: false, subPath: '', isDevice: true },
        ],
      },
      sidecars: [
        {
          id: 'log',
          bundle: '/l',
          volumes: [
            { targetPath: '/t/a', containerPath: '/in', readOnly: true, subPath: 's', isDevice: false },
            { targetPath: '/t/c', containerPath: '/dev/y', readOnly: false, subPath: '', isDevice: true },
          ],
        },
        { id: 'a-2', bundle: '/x=y', volumes: [] },
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
    ['/a --volume log=/t:/data', '--volume "log=/t:/data": there is no --sidecar log'],
    ['/a --sidecar log=/l --device main=/t:/dev/x', 'there is no --sidecar main'],
    ['/a --sidecar log=/l --volume log=t:/data', '--volume "log=t:/data": TARGET is no absolute path'],
    ['/a --sidecar /l', '--sidecar "/l": a name and a bundle are wanted; it reads NAME=BUNDLE'],
    ['/a --sidecar log=', 'a name and a bundle are wanted'],
    ['/a --sidecar Log=/l', '"Log" is no DNS label'],
    ['/a --sidecar main=/l', '"main" is what BUNDLE\'s own container is called'],
    ['/a --id web --sidecar web=/l', '"web" is what BUNDLE\'s own container is called'],
    ['/a --sidecar log=/l --sidecar log=/m', 'there are two of the name "log"'],
    ['/a --id', "'--id <value>' argument missing"],
  ])('refuses "%s"', (line, message) => {
    expect(() => runCommand.prepare(line.split(' ').filter(Boolean))).toThrow(message);
  });
});
