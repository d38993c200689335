// What a message holds that is newer than the protocol Reelkit was built with. Pure.
import { type AnyMessage, type FieldInfo, Message } from '@bufbuild/protobuf';

/** Fields or enum values of a later protocol, here or anywhere below: only a worker can judge such a request. */
export function holdsNewer(message: Message): boolean {
  if (unknownFieldsOf(message).length > 0) return true;
  return partsOf(message).some(({ field, value }) =>
    value instanceof Message ? holdsNewer(value) : field.kind === 'enum' && !field.T.findNumber(value as number),
  );
}

/** In place. What cannot be read cannot be searched for secrets either. @param spare types that stay as they came */
export function dropNewer(message: Message, spare: readonly string[]): void {
  if (spare.includes(message.getType().typeName)) return;
  message.getType().runtime.bin.discardUnknownFields(message);
  for (const { value } of partsOf(message)) if (value instanceof Message) dropNewer(value, spare);
}

function unknownFieldsOf(message: Message): readonly unknown[] {
  return message.getType().runtime.bin.listUnknownFields(message);
}

interface Part {
  field: FieldInfo;
  value: unknown;
}

/** Every value of every field that is set, lists and oneofs opened; maps hold no messages here. */
function partsOf(message: Message): Part[] {
  const values = message as AnyMessage;
  return message
    .getType()
    .fields.list()
    .flatMap((field): Part[] => {
      const value = fieldOf(values, field);
      if (value === undefined) return [];
      return (Array.isArray(value) ? value : [value]).map((one: unknown) => ({ field, value: one }));
    });
}

function fieldOf(message: AnyMessage, field: FieldInfo): unknown {
  if (!field.oneof) return message[field.localName];
  const oneof = message[field.oneof.localName] as { case?: string; value?: unknown };
  return oneof.case === field.localName ? oneof.value : undefined;
}
