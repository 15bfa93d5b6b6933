import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseChainInput } from '../../cni/chain-input.ts';
import { parseJsonObject, parseNetworkConfig } from '../../cni/network-config.ts';
import { errorResult } from '../../cni/result.ts';
import { parsePodVariables, parseVerb } from '../../cni/variables.ts';
import * as ids from '../../proto/ids.ts';
import { crunFault, parsePidFile } from '../../runtime/guest/crun.ts';
import { parseMemoryTotal } from '../../runtime/guest/service.ts';
import { parseSignature } from '../../runtime/guest/signature.ts';
import { parseOciSpec } from '../../runtime/plan/oci-spec.ts';
import { facts, network, request, target, volume } from '../../runtime/plan/plan.fixture.ts';
import { planPod } from '../../runtime/plan/plan.ts';
import { tailOf } from '../../runtime/sandbox/console-tail.ts';
import { parseTscKhz } from '../../runtime/sandbox/tsc-frequency.ts';
import { parseMountinfo } from '../../runtime/system/mountinfo.ts';
import { parseProcess } from '../../runtime/system/process-identity.ts';
import { anyText, brokenBytes, brokenJson, orFault, runs } from '../support/fuzz.ts';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const brokenText = (...samples: readonly string[]) =>
  fc.oneof(
    brokenBytes(...samples.map(utf8)).map((bytes) => new TextDecoder().decode(bytes)),
    anyText(200),
  );

describe('words of the kernel', () => {
  const lines = brokenText(
    '36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n',
    '37 36 0:40 / /a\\040b rw shared:7 master:1 - tmpfs berth:pool.key.v ro\n',
  );

  it('mountinfo: a table is understood, or refused as a whole', () => {
    fc.assert(
      fc.property(lines, (text) => void orFault(['malformed'], () => parseMountinfo(text))),
      runs(1500),
    );
  });

  it.each<[string, (text: string) => unknown, string]>([
    ['cpuinfo', parseTscKhz, 'cpu MHz\t\t: 2499.998\n'],
    ['meminfo', parseMemoryTotal, 'MemTotal:         243512 kB\n'],
    [
      'stat',
      (text) => parseProcess(1, text)?.startTicks ?? 0,
      '1 (a) b) S 0 1 1 0 -1 4194560 1 1 1 1 1 1 1 1 20 0 1 0 12345 1 1',
    ],
    ['console', (text) => tailOf(text).length, '\u001b[1;31mPanic\u001b[0m\r\nend\r\n'],
  ])('%s: a number, nothing thrown', (_what, parse, sample) => {
    fc.assert(
      fc.property(brokenText(sample), (text) => {
        expect(typeof parse(text)).toBe('number');
      }),
      runs(500),
    );
  });
});

describe('words of programs', () => {
  it('blkid: blank only when it says so with all it has', () => {
    const answer = fc.record({
      exitCode: fc.constantFrom(0, 1, 2, 4, 8, 139),
      stdout: brokenBytes(utf8('DEVNAME=/dev/vdb\nLABEL=x\nTYPE=ext4\nUSAGE=filesystem\n'), utf8('PTTYPE=gpt\n')),
      stderr: brokenBytes(),
    });
    fc.assert(
      fc.property(answer, (completed) => {
        const refused = Symbol();
        const words = orFault(['exec'], () => ({ found: parseSignature('/dev/vdb', completed) })) ?? refused;
        const isBlank = words !== refused && (words as { found: unknown }).found === undefined;
        expect(isBlank).toBe(completed.exitCode === 2 && completed.stdout.length === 0);
      }),
      runs(500),
    );
  });

  it('crun: a pid above 1 or a Fault; its last line is the reason', () => {
    fc.assert(
      fc.property(brokenText('4711', '1\n'), (text) => {
        const pid = orFault(['internal'], () => parsePidFile(text, 'c'));
        if (pid !== undefined) expect(pid).toBeGreaterThan(1);
        expect(crunFault('start', 'c', 1, text).message).toContain('container c');
      }),
      runs(500),
    );
  });
});

describe('config.json of a bundle', () => {
  const spec = {
    ociVersion: '1.2.0',
    process: { args: ['sh'], terminal: false, env: ['A=b'], cwd: '/' },
    root: { path: 'rootfs', readonly: true },
    hostname: 'pod',
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/data', type: 'bind', source: target('v'), options: ['rbind', 'rw'] },
    ],
    hooks: { prestart: [] },
    annotations: { 'io.kubernetes.cri.sandbox-uid': 'u' },
    linux: {
      namespaces: [{ type: 'network', path: '/run/netns/a' }, { type: 'pid' }],
      cgroupsPath: '/a',
      devices: [],
    },
  };

  it('is a plan that keeps what it was given, or a refusal', () => {
    const known = facts({ volumes: [volume('v')], networks: [network('eth0')] });
    fc.assert(
      fc.property(brokenJson(spec), (text) => {
        let json: unknown;
        try {
          json = JSON.parse(text);
        } catch {
          return;
        }
        const parsed = orFault(['malformed'], () => parseOciSpec(json, 'config.json'));
        if (parsed === undefined) return;
        const result = planPod(request({ spec: parsed }), known);
        if (result.kind === 'refusal') expect(result.fault.code).not.toBe('internal');
        else expect(result.plan.guest.containers[0]?.spec.process).toEqual(parsed.process);
      }),
      runs(2000),
    );
  });
});

describe('the network configuration', () => {
  const conf = {
    cniVersion: '1.0.0',
    name: 'net',
    type: 'berth',
    runDir: '/run/berth',
    logLevel: 'info',
    dns: { nameservers: ['10.0.0.1'] },
    prevResult: {
      cniVersion: '1.0.0',
      interfaces: [
        { name: 'veth', mac: 'x' },
        { name: 'eth0', sandbox: '/n' },
      ],
      ips: [{ address: '10.0.0.2/24', interface: 1 }],
      dns: { search: ['a'] },
    },
  };

  it('is read, or an error of the specification that says why', () => {
    fc.assert(
      fc.property(brokenJson(conf), (text) => {
        try {
          const json = parseJsonObject(text);
          parseNetworkConfig(json);
          parseChainInput(json);
        } catch (error) {
          const { code, msg } = errorResult(undefined, error);
          expect([1, 6, 7]).toContain(code);
          expect(msg).not.toBe('');
        }
      }),
      runs(1500),
    );
  });

  it('variables are read, or an error that names them', () => {
    const value = fc.option(fc.oneof(anyText(20), fc.constantFrom('ADD', 'eth0', '/run/netns/a', 'c1')), {
      nil: undefined,
    });
    const variables = fc.record({ CNI_COMMAND: value, CNI_CONTAINERID: value, CNI_NETNS: value, CNI_IFNAME: value });
    fc.assert(
      fc.property(variables, (env) => {
        for (const parse of [() => parseVerb(env), () => parsePodVariables(env, 'ADD')]) {
          try {
            parse();
          } catch (error) {
            expect(errorResult(undefined, error)).toMatchObject({ code: 4, msg: expect.stringMatching(/^CNI_/) });
          }
        }
      }),
      runs(1000),
    );
  });
});

describe('ids', () => {
  it('are names of files as they are: one component that needs no escape', () => {
    const { parsePodUid, parseSandboxId, parseCniContainerId, parseNetworkName, parseVolumeId, parseDiskSerial } = ids;
    const parsers = [
      parsePodUid,
      parseSandboxId,
      parseCniContainerId,
      parseNetworkName,
      parseVolumeId,
      parseDiskSerial,
    ];
    fc.assert(
      fc.property(fc.constantFrom(...parsers, ids.parseIfName), anyText(), (parse, text) => {
        const id = orFault(['invalid'], () => parse(text));
        if (id === undefined) return;
        expect(id).toBe(text);
        expect(id).not.toMatch(/^\.{0,2}$|[/\0]/);
        expect(new TextEncoder().encode(id).length).toBeLessThanOrEqual(128);
        if (parse === ids.parseIfName) expect(new TextEncoder().encode(id).length).toBeLessThanOrEqual(15);
      }),
      runs(3000),
    );
  });
});
