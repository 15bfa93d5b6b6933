import { describe, expect, it } from 'vitest';
import { POD_ANNOTATIONS } from './capabilities.ts';
import { parseNetworkRequest, parsePodRequest } from './pod-request.ts';
import { refusal } from './refusal.fixture.ts';

const prevResult = { interfaces: [{ name: 'eth0', sandbox: '/run/netns/pod' }] };

describe('what is asked for a pod', () => {
  it('is of configuration, CNI_ARGS and capabilities', () => {
    const json = {
      prevResult,
      queues: 2,
      kataDanDir: '/run/dans',
      runtimeConfig: {
        mac: '02:00:00:00:00:01',
        dns: { Servers: ['10.0.0.7'] },
        bandwidth: { egressRate: 8, egressBurst: 8 },
      },
    };
    expect(parsePodRequest(json, 'TC_REDIRECT_TAP_UID=7')).toMatchObject({
      wiring: { mode: 'tc', queues: 2, owner: { uid: 7 }, bandwidth: { egressRate: 8, ingressRate: 0 } },
      dialect: { kind: 'plain' },
      kataDanDir: '/run/dans',
      when: undefined,
      chain: { prevResult, dns: { nameservers: ['10.0.0.7'] } },
      identity: [{ kind: 'mac' }],
      isVm: true,
    });
  });

  it('is not of CNI_ARGS where the pod is no VM', () => {
    const chosen = (annotations: object) => ({
      prevResult,
      when: { annotation: 'vm' },
      runtimeConfig: { [POD_ANNOTATIONS]: annotations },
    });
    expect(parsePodRequest(chosen({}), 'nonsense')).toMatchObject({ isVm: false });
    expect(refusal(() => parsePodRequest(chosen({ vm: '' }), 'nonsense'))).toEqual([
      4,
      expect.stringContaining('CNI_ARGS'),
    ]);
  });

  it('cannot be where the plugin is first in its chain', () => {
    expect(refusal(() => parsePodRequest({}, undefined))).toEqual([
      7,
      expect.stringContaining('prevResult is missing'),
    ]);
  });
});

it('what a network asks for needs no pod', () => {
  expect(parseNetworkRequest({ type: 'tc-redirect-tap', when: { annotation: 'vm' } })).toMatchObject({
    wiring: { mode: 'tc', queues: 1 },
    dialect: { kind: 'tc-redirect-tap' },
    when: { annotation: 'vm' },
  });
});
