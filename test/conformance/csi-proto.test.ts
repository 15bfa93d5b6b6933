import {
  loadFileDescriptorSetFromBuffer,
  loadSync,
  type MessageTypeDefinition,
  type PackageDefinition,
} from '@grpc/proto-loader';
import { execa } from 'execa';
import fc from 'fast-check';
import { describe, expect, it, type TestContext } from 'vitest';
import { runs } from '../support/fuzz.ts';
import { needGoTool } from '../support/go-tool.ts';
import { type Messages, requestArbitrary } from '../support/proto-arbitrary.ts';
import { describeContract, type FileDescriptor, fieldsWithOption } from '../support/proto-contract.ts';

/** As csi/load-proto.ts has them. */
const OPTIONS = { keepCase: true, longs: String, enums: String, defaults: true, oneofs: true };
const PACKAGE = 'csi.v1';

/** google.protobuf.FileDescriptorSet of the Go package that the specification publishes, and all that it imports. */
async function publishedDescriptors(context: TestContext): Promise<Buffer> {
  const program = await needGoTool('csi-descriptor', context);
  return Buffer.from((await execa(program, { encoding: 'buffer' })).stdout);
}

/** Descriptors are messages too, and csi.proto imports their definition: it decodes itself. */
function decode<T>(set: Buffer, type: string, bytes: Buffer): T {
  const raw = loadFileDescriptorSetFromBuffer(set, { keepCase: true, longs: Number, enums: String });
  return messageOf(raw, `google.protobuf.${type}`).deserialize(bytes) as T;
}

function messageOf(definitions: PackageDefinition, name: string): MessageTypeDefinition<object, object> {
  const found = definitions[name];
  if (found === undefined || !('serialize' in found)) throw new Error(`there is no message ${name}`);
  return found as MessageTypeDefinition<object, object>;
}

/** On the wire a map is a list of entries, and a codec of descriptors reads it as that; an empty list may be either. */
function withMaps(value: unknown): unknown {
  if (Array.isArray(value)) {
    const isMap = value.every((each) => typeof each === 'object' && Object.keys(each).sort().join() === 'key,value');
    return isMap ? Object.fromEntries(value.map(({ key, value }) => [key, value])) : value.map(withMaps);
  }
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, withMaps(each)]));
}

async function bothFiles(context: TestContext): Promise<{ ours: FileDescriptor; published: FileDescriptor }> {
  const set = await publishedDescriptors(context);
  const { file } = decode<{ file: readonly FileDescriptor[] }>(set, 'FileDescriptorSet', set);
  const { fileDescriptorProtos } = messageOf(loadSync('proto/csi.proto', OPTIONS), `${PACKAGE}.Volume`);
  const own = fileDescriptorProtos.map((bytes) => decode<FileDescriptor>(set, 'FileDescriptorProto', bytes));
  const [ours, published] = [own, file].map((files) => files.find((each) => each.package === PACKAGE));
  if (ours === undefined || published === undefined) throw new Error(`a file without package ${PACKAGE}`);
  return { ours, published };
}

describe('csi.proto and the published contract', () => {
  it('have the same services, messages, fields, numbers, types and enums', async (context) => {
    const { ours, published } = await bothFiles(context);
    expect(describeContract(ours)).toEqual(describeContract(published));
    expect(published.service?.flatMap(({ method = [] }) => method)).toHaveLength(32);
  });

  it('agree that secrets are the fields of that name', async (context) => {
    const { ours, published } = await bothFiles(context);
    const secrets = describeContract(ours).flatMap((line) => /^message (\S+): secrets = /.exec(line)?.[1] ?? []);
    expect(secrets.map((message) => `${message}.secrets`)).toEqual(fieldsWithOption(published, '.csi.v1.csi_secret'));
  });

  it('read and write each other’s messages', async (context) => {
    const theirs = loadFileDescriptorSetFromBuffer(await publishedDescriptors(context), OPTIONS);
    const ours = loadSync('proto/csi.proto', OPTIONS);
    const names = Object.keys(theirs).filter(
      (name) => name.startsWith(`${PACKAGE}.`) && 'serialize' in (theirs[name] ?? {}),
    );
    const message = fc.constantFrom(...names).chain((name) => {
      const value = requestArbitrary(messageOf(ours, name).type, ours as Messages, {});
      return fc.record({ name: fc.constant(name), value });
    });
    fc.assert(
      fc.property(message, ({ name, value }) => {
        const [their, our] = [messageOf(theirs, name), messageOf(ours, name)];
        const written = our.serialize(value);
        const [read, readByThem] = [our.deserialize(written), their.deserialize(written)];
        expect(withMaps(readByThem)).toEqual(withMaps(read));
        expect(our.deserialize(their.serialize(readByThem))).toEqual(read);
      }),
      runs(1000),
    );
  });
});
