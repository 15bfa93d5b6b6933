import { describe, expect, it } from 'vitest';
import { container, facts, request, spec, target, volume } from './plan.fixture.ts';
import { planPod } from './plan.ts';
import type { DirectVolume, Plan, PlanFacts, PlanRequest } from './types.ts';

function plan(asked: PlanRequest, known: PlanFacts): Plan {
  const result = planPod(asked, known);
  if (result.kind === 'refusal') throw result.fault;
  return result.plan;
}

const ask = (name: string, changes: { containerPath?: string; readOnly?: boolean; subPath?: string } = {}) => ({
  ...{ targetPath: target(name), containerPath: '/data', readOnly: false, subPath: '', isDevice: false },
  ...changes,
});
const sourcesOf = (made: Plan) =>
  made.guest.containers.map(({ spec: { mounts = [] } }) =>
    mounts.map(({ source, options }) => [source, options?.at(-1)]),
  );

describe('several containers', () => {
  it('have each a root and streams of their own; the first names the host', () => {
    const main = container('web', { spec: spec({ hostname: 'web-0' }) });
    const made = plan(
      request({ containers: [main, container('log', { spec: spec({ hostname: 'other' }) })] }),
      facts(),
    );
    expect(made.vm.shares.map(({ tag, path }) => [tag, path])).toEqual([
      ['rootfs-0', '/bundles/web/rootfs'],
      ['rootfs-1', '/bundles/log/rootfs'],
    ]);
    expect(made.guest).toMatchObject({
      hostname: 'web-0',
      containers: [
        { id: 'web', bundle: '/bundles/web', stdioId: 1, rootfs: { shareTag: 'rootfs-0' } },
        { id: 'log', bundle: '/bundles/log', stdioId: 2, rootfs: { shareTag: 'rootfs-1' } },
      ],
    });
    expect(made.guest.containers.map((one) => [one.spec.root.path, one.spec.linux?.cgroupsPath])).toEqual([
      ['/run/berth/containers/web/rootfs', '/berth/web'],
      ['/run/berth/containers/log/rootfs', '/berth/log'],
    ]);
    expect(made.choices.map(({ source }) => source)).toContain('root /bundles/log/rootfs');
  });

  it('share a volume that is one disk, mounted once and shown to each by a bind of its own', () => {
    const containers = [
      container('web', { volumes: [ask('v', { subPath: 'html', readOnly: true })] }),
      container('log', { volumes: [ask('v'), ask('v', { subPath: 'log', containerPath: '/log' })] }),
    ];
    const made = plan(request({ containers }), facts({ volumes: [volume('v')] }));
    expect(made.vm.disks.map(({ serial, readOnly }) => [serial, readOnly])).toEqual([
      ['berth-root', true],
      ['s-v', false],
    ]);
    expect(made.guest.volumes).toMatchObject([
      {
        storage: { serial: 's-v', readOnly: false },
        places: [
          { containerId: 'web', containerPath: '/data' },
          { containerId: 'log', containerPath: '/data' },
          { containerId: 'log', containerPath: '/log' },
        ],
      },
    ]);
    expect(sourcesOf(made)).toEqual([
      [['/run/berth/containers/web/binds/volume-0', 'ro']],
      [
        ['/run/berth/volumes/s-v', 'rw'],
        ['/run/berth/containers/log/binds/volume-1', 'rw'],
      ],
    ]);
    expect(made.guest.containers.map(({ binds }) => binds.map(({ subPath }) => subPath))).toEqual([['html'], ['log']]);
  });

  it('that all only read a volume have a disk that is only read', () => {
    const reading = { volumes: [ask('v', { readOnly: true })] };
    const asked = request({ containers: [container('web', reading), container('log', reading)] });
    const made = plan(asked, facts({ volumes: [volume('v')] }));
    expect(made.vm.disks[1]?.readOnly).toBe(true);
    expect(made.guest.volumes[0]?.storage?.readOnly).toBe(true);
  });

  it('share a volume of another driver, whatever the order in which they ask', () => {
    const direct: DirectVolume = { device: '/dev/sdx', deviceKind: 'block', fsType: 'ext4', options: [], metadata: {} };
    const known = facts({
      direct: new Map([
        [target('d'), direct],
        [target('e'), { ...direct, device: '/dev/sdy' }],
      ]),
    });
    const containers = [
      container('web', { volumes: [ask('d', { readOnly: true })] }),
      container('log', { volumes: [ask('e'), ask('d', { containerPath: '/d' })] }),
    ];
    const made = plan(request({ containers }), known);
    expect(made.vm.disks.slice(1).map(({ path, serial, readOnly }) => [path, serial, readOnly])).toEqual([
      ['/dev/sdx', 'direct-0', false],
      ['/dev/sdy', 'direct-1', false],
    ]);
    expect(sourcesOf(made)).toEqual([
      [['/run/berth/volumes/direct-0', 'ro']],
      [
        ['/run/berth/volumes/direct-1', 'rw'],
        ['/run/berth/volumes/direct-0', 'rw'],
      ],
    ]);
  });

  it('have each the device that they ask for, and none of its placeholder', () => {
    const block = volume('v', { attachment: { volumeMode: 'Block', device: { major: 7, minor: 3 } } });
    const linux = {
      namespaces: [{ type: 'pid' }],
      devices: [{ path: '/dev/x', type: 'b', major: 7, minor: 3 }],
    };
    const containers = [
      container('web', { volumes: [{ ...ask('v', { containerPath: '/dev/y', readOnly: true }), isDevice: true }] }),
      container('log', { spec: spec({ linux }) }),
    ];
    const made = plan(request({ containers }), facts({ volumes: [block] }));
    expect(made.guest.containers.map(({ devices }) => devices)).toEqual([
      [{ serial: 's-v', path: '/dev/y', readOnly: true }],
      [{ serial: 's-v', path: '/dev/x', readOnly: false }],
    ]);
    expect(made.guest.containers[1]?.spec.linux?.devices).toEqual([]);
    expect(made.vm.disks[1]?.readOnly).toBe(false);
  });

  it.each([
    ['a volume that is not published', { volumes: [ask('v')] }, 'precondition', /^container log: .*no volume is/],
    ['two volumes at one place', { volumes: [ask('w'), ask('w')] }, 'invalid', /^container log: \/data is asked for/],
    ['a root that is not there', { bundle: '/none' }, 'not-found', /^container log: root\.path: \/none\/rootfs does/],
    [
      'a terminal',
      { spec: spec({ process: { args: ['sh'], terminal: true } }) },
      'unsupported',
      /^container log: process\.terminal/,
    ],
  ] as const)('are refused with %s, by the name of the one', (_, changes, code, message) => {
    const containers = [container('web', { volumes: [ask('w')] }), container('log', changes)];
    expect(planPod(request({ containers }), facts({ volumes: [volume('w')] }))).toMatchObject({
      kind: 'refusal',
      fault: { code, message: expect.stringMatching(message), fields: { containerId: 'log' } },
    });
  });
});
