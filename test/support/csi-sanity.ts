import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import type { CsiNode } from './csi-node.ts';

/** What csi-sanity says of one of its specs. */
export interface SanitySpec {
  /** `ControllerGetVolume > should fail when no volume id is provided` */
  readonly name: string;
  /** Ginkgo's word: passed, failed, skipped, pending, panicked, timedout ... */
  readonly state: string;
  /** Of a failure or a skip. */
  readonly message: string;
}

export interface SanityOptions {
  readonly volumeMode: 'mount' | 'block';
  readonly snapshotParameters: Readonly<Record<string, string>>;
  readonly mutableParameters: Readonly<Record<string, string>>;
}

const MIB = 1024 * 1024;

/** Ginkgo's report, as far as it is looked at: its JSON has fields that are absent in place of empty. */
const REPORT = v.array(
  v.object({
    SpecReports: v.array(
      v.object({
        ContainerHierarchyTexts: v.nullable(v.array(v.string())),
        LeafNodeType: v.string(),
        LeafNodeText: v.string(),
        State: v.string(),
        Failure: v.optional(v.object({ Message: v.optional(v.string(), '') })),
      }),
    ),
  }),
);

/**
 * All specs of csi-sanity against the driver that listens on `socket` in the node's world. Seeds are fixed: csi-sanity
 * would run its groups in another order each time, and a failure could not be seen again.
 */
export async function runCsiSanity(
  node: CsiNode,
  program: string,
  socket: string,
  { volumeMode, snapshotParameters, mutableParameters }: SanityOptions,
): Promise<SanitySpec[]> {
  const inScratch = (name: string): string => join(node.scratch, name);
  const report = inScratch('report.json');
  const writeYaml = async (name: string, words: object): Promise<string> => {
    await writeFile(inScratch(name), JSON.stringify(words)); // JSON is YAML
    return inScratch(name);
  };
  const { exitCode, stdout, stderr } = await node.run(
    program,
    `--csi.endpoint=unix:${socket}`,
    `--csi.mountdir=${inScratch('published')}`,
    `--csi.stagingdir=${inScratch('staged')}`,
    `--csi.testvolumeaccesstype=${volumeMode}`,
    `--csi.testvolumesize=${32 * MIB}`,
    `--csi.testvolumeexpandsize=${64 * MIB}`,
    `--csi.testsnapshotparameters=${await writeYaml('snapshot.yaml', snapshotParameters)}`,
    `--csi.testvolumemutableparameters=${await writeYaml('mutable.yaml', mutableParameters)}`,
    '--csi.testnodevolumeattachlimit',
    '--ginkgo.seed=1',
    '--ginkgo.no-color',
    '--ginkgo.succinct',
    `--ginkgo.json-report=${report}`,
  );
  const specs = parseReport(await readFile(report, 'utf8').catch(() => '[]'));
  if (specs.length === 0) throw new Error(`csi-sanity ended with ${exitCode} and no report:\n${stdout}\n${stderr}`);
  return specs;
}

function parseReport(text: string): SanitySpec[] {
  return v
    .parse(REPORT, JSON.parse(text))
    .flatMap(({ SpecReports }) => SpecReports)
    .filter(({ LeafNodeType }) => LeafNodeType === 'It')
    .map((spec) => ({
      name: [...(spec.ContainerHierarchyTexts ?? []).map(withoutTags), spec.LeafNodeText].join(' > '),
      state: spec.State,
      message: spec.Failure?.Message ?? '',
    }));
}

/** `Controller Service [Controller Server]`: the tag says it again. */
const withoutTags = (text: string): string => text.replace(/ \[[^\]]*\]$/, '');
