import { type AnyDefinition, loadSync, type MessageTypeDefinition, type ServiceDefinition } from '@grpc/proto-loader';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AGENT_SERVICE, agentMethods } from './agent.ts';
import { HOST_SERVICE, hostMethods } from './host-calls.ts';
import type { Message } from './protobuf.ts';
import { SHIM_SERVICE, shimMethods } from './shim.ts';
import type { MethodTable } from './ttrpc.ts';

/**
 * The tables of agent.ts, shim.ts and host-calls.ts against the same contracts in Protocol Buffers' own notation, by another
 * implementation: every message, with any values, both ways.
 */
const MAX_COUNT = { TYPE_UINT32: 2 ** 32 - 1, TYPE_UINT64: Number.MAX_SAFE_INTEGER };

interface FieldDescriptor {
  readonly name: string;
  readonly label: string;
  readonly type: string;
  readonly typeName: string;
}

type Package = Readonly<Record<string, AnyDefinition>>;

function fieldsOf(definition: unknown): readonly FieldDescriptor[] {
  return (definition as MessageTypeDefinition<object, object>).type['field' as never];
}

const camelCase = (name: string): string => name.replace(/_([a-z])/g, (_all, letter: string) => letter.toUpperCase());

/** Any value of a message, every field of it present, as proto-loader with `defaults` reads it back. */
function anyMessage(pkg: Package, packageName: string, fields: readonly FieldDescriptor[]): fc.Arbitrary<object> {
  const single = (field: FieldDescriptor): fc.Arbitrary<unknown> => {
    switch (field.type) {
      case 'TYPE_STRING':
        return fc.string({ unit: 'grapheme' });
      case 'TYPE_BYTES':
        return fc.uint8Array({ maxLength: 200 });
      case 'TYPE_BOOL':
        return fc.boolean();
      case 'TYPE_UINT32':
      case 'TYPE_UINT64':
        return fc.nat(MAX_COUNT[field.type]);
      case 'TYPE_MESSAGE':
        return anyMessage(pkg, packageName, fieldsOf(pkg[`${packageName}.${field.typeName.split('.').at(-1)}`]));
      default:
        throw new Error(`${field.name}: the tables have no ${field.type}`);
    }
  };
  const entries = fields.map((field) => {
    const value = single(field);
    return [
      camelCase(field.name),
      field.label === 'LABEL_REPEATED' ? fc.array(value, { maxLength: 3 }) : value,
    ] as const;
  });
  return fc.record(Object.fromEntries(entries));
}

/** Typed arrays of different classes compare by content. */
const plain = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (_key, one) =>
      one?.type === 'Buffer' ? one.data : ArrayBuffer.isView(one) ? [...(one as Uint8Array)] : one,
    ),
  );

describe.each([
  { name: AGENT_SERVICE, file: 'agent.proto', methods: agentMethods as MethodTable },
  { name: SHIM_SERVICE, file: 'shim.proto', methods: shimMethods as MethodTable },
  { name: HOST_SERVICE, file: 'host-calls.proto', methods: hostMethods as MethodTable },
])('$file', ({ name, file, methods }) => {
  const pkg = loadSync(`${import.meta.dirname}/${file}`, { longs: Number, defaults: true, arrays: true });
  const service = pkg[name] as ServiceDefinition;
  const packageName = name.slice(0, name.lastIndexOf('.'));

  it('has the same methods', () => {
    expect(Object.values(methods).map((method) => method.name)).toEqual(Object.keys(service));
  });

  const messages = Object.values(methods).flatMap((ours) => {
    const theirs = service[ours.name];
    if (theirs === undefined) return [];
    return [
      {
        what: `${ours.name} request`,
        ours: ours.request,
        fields: fieldsOf(theirs.requestType),
        serialize: theirs.requestSerialize,
        deserialize: theirs.requestDeserialize,
      },
      {
        what: `${ours.name} reply`,
        ours: ours.reply,
        fields: fieldsOf(theirs.responseType),
        serialize: theirs.responseSerialize,
        deserialize: theirs.responseDeserialize,
      },
    ];
  });

  it.each(messages)('$what: same fields, same bytes', ({ ours, fields, serialize, deserialize }) => {
    const codec = ours as Message<object>;
    fc.assert(
      fc.property(anyMessage(pkg, packageName, fields), (value) => {
        const decoded = codec.decode(serialize(value));
        expect(plain(decoded)).toEqual(plain(value));
        expect(plain(deserialize(Buffer.from(codec.encode(decoded))))).toEqual(plain(value));
      }),
      { numRuns: 50 },
    );
  });
});
